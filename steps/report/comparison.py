"""The comparison as text: the answer first, its limits last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.metrics.comparison import PARTS, compared
from steps.core.metrics.metrics import FALLBACK, METRICS
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.statistic import Statistic
from steps.writing.estimates import estimate_text
from steps.writing.markdown import plain, table


def answer(document: Mapping[str, Any]) -> str:
    """Whether there is a difference, how large it is, and which differences the data allow, in a sentence or two."""
    first, second = document["first"]["title"], document["second"]["title"]
    subjects = document["counts"]["subjects"]
    if document["identical"]:
        return f"{first} and {second} gave every trial the same probability: there is nothing to tell apart."
    primary = document["primary"]
    difference, metric = primary["difference"], Statistic(primary["metric"])
    first_value, second_value = (document[SUBJECT][metric.name][part]["value"] for part in PARTS[:2])
    measured = f"{metric.title_with_direction} over {subjects} subjects: {first_value:.3f} against {second_value:.3f}"
    if "low" not in difference:
        return f"{measured}. With one subject there is no telling whether that is a difference."
    spread = (
        f"difference {difference['value']:+.3f}, 95% interval {difference['low']:+.3f} to {difference['high']:+.3f}"
    )
    if not primary["seen"]:
        return (
            f"No difference in {metric.title} to be seen between {first} and {second}. {measured} "
            f"({spread}). That does not make them equal: {subjects} subjects leave room for anything within that "
            "interval." + _probabilities_differ(document)
        )
    return f"{first} is {'better' if first_is_better(document) else 'worse'} than {second}. {measured} ({spread})."


def first_is_better(document: Mapping[str, Any]) -> bool:
    """Whether the primary metric of the first is the better one, seen or not."""
    primary = document["primary"]
    is_lower_better = Statistic(primary["metric"]).row.direction == "lower"
    return bool((primary["difference"]["value"] > 0) != is_lower_better)


def sentences_of_tests(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The tests with their effect sizes, a sentence each."""
    tests = document["tests"]
    ranks = tests["wilcoxon"]
    sentences = [
        f"Wilcoxon signed-rank test of the subjects' Brier scores: p = {p_text(ranks['p_value'])}; "
        f"the first is better for {ranks['first_better']} subjects, the second for {ranks['second_better']}, "
        f"equal for {ranks['equal']}; rank-biserial correlation {ranks['rank_biserial']:+.2f} (1 = the first "
        f"better for all), median difference {ranks['median_difference']:+.4f}."
    ]
    threshold = document["thresholds"][0]
    for level in (SUBJECT, POOLED):
        test = tests[f"mcnemar_{level}"]
        text = (
            f"McNemar's exact test of decisions at {threshold:g}, {UNITS[level]}: p = {p_text(test['p_value'])}; only "
            f"the first right {test['only_first_right']} times, only the second {test['only_second_right']} times"
        )
        if "first_share" in test:
            text += (
                f"; the first is right in {test['first_share']:.2f} of these "
                f"[{test['first_share_low']:.2f}, {test['first_share_high']:.2f}]"
            )
        sentences.append(text + ".")
    return tuple(sentences)


def warnings(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The limits of these numbers, a sentence each."""
    counts = document["counts"]
    notes = [
        "Decide by the first sentence. The other metrics, thresholds and tests look at the same predictions from other "
        "sides; the smallest of many p values is no evidence, and none here is corrected for the others."
    ]
    if counts["trials"] > counts["subjects"]:
        notes.append(
            "Trials of one subject are alike: McNemar's test over trials takes them for independent, so its p value "
            "and interval are too small. The intervals of the differences are over subjects and hold for trials, too."
        )
    if counts["mixed_subjects"]:
        notes.append(
            f"{counts['mixed_subjects']} subjects have trials of both classes and count once in each in McNemar's test "
            "over subjects; the intervals and Wilcoxon's test take each of them once."
        )
    if counts["test_numbers"] == 1:
        notes.append(
            "One seed each: the same network trained with another seed may differ as much. Train both with repeats."
        )
    else:
        notes.append(
            f"Probabilities are means over {counts['test_numbers']} test numbers: this compares ensembles, not single "
            "models."
        )
    return tuple(notes)


def _probabilities_differ(document: Mapping[str, Any]) -> str:
    """A sentence if the ranks do not differ but the probabilities do; else empty."""
    brier = document[SUBJECT][FALLBACK]["difference"]
    if document["primary"]["metric"] == FALLBACK or "low" not in brier or brier["low"] <= 0 <= brier["high"]:
        return ""
    closer = document["first" if brier["value"] < 0 else "second"]["title"]
    return (
        f" Their probabilities differ, though: those of {closer} are closer to the truth ({METRICS[FALLBACK].title}, "
        f"difference {brier['value']:+.3f}, 95% interval {brier['low']:+.3f} to {brier['high']:+.3f})."
    )


def p_text(p_value: float) -> str:
    """A p value with three decimals, or ``less than 0.001``."""
    return f"{p_value:.3f}" if p_value >= 0.001 else "less than 0.001"


def description(document: Mapping[str, Any]) -> str:
    """The comparison as Markdown."""
    first, second = (document[part]["title"] for part in PARTS[:2])
    rows = [
        (
            one.title_with_direction,
            UNITS[level],
            *(estimate_text(values[part]) for part in PARTS[:2]),
            estimate_text(values[PARTS[2]], sign="+"),
        )
        for level in (SUBJECT, POOLED)
        for one in compared(document)
        if (values := document[level].get(one.name))
    ]
    lines = [
        plain(answer(document)),
        "",
        table(("metric", "of", first, second, "difference"), rows),
        "",
        "In brackets 95% intervals over subjects; the difference is paired, first minus second.",
        "",
    ]
    lines += [f"- {plain(sentence)}" for sentence in (*sentences_of_tests(document), *warnings(document))]
    if document["parameters"]:
        lines += ["", f"Trained differently: {'; '.join(plain(text) for text in _differing(document))}."]
    return "\n".join(lines)


def _differing(document: Mapping[str, Any]) -> list[str]:
    return [f"{name} {one} against {other}" for name, (one, other) in document["parameters"].items()]
