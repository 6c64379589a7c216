"""The answer of a study in two sentences: what was measured, and what that means.

`steps.report.methods` adds how simpler methods did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.metrics.names import CHANCE, SUBJECT
from steps.core.metrics.statistic import primary
from steps.writing.estimates import estimate_text


def answer(summary: Mapping[str, Any], label_names: tuple[str, str]) -> tuple[str, str]:
    """The measurement and its meaning, one sentence each.

    Args:
        summary: from `steps.core.metrics.summary.summary`; decided by its ``subject`` level.
        label_names: names of the negative and the positive class.
    """
    auc, balanced = _primary(summary)
    people = _people(summary["counts"], label_names)
    if auc is None:
        measured = f"The models were tested on {people}, all of one class."
        return measured, "That says nothing about telling the classes apart: a study needs subjects of both."
    percent = f"{summary['intervals']['confidence']:.0%}"
    measured = (
        f"Tested on {people}, the probability of {label_names[1]}, averaged over {_unit(summary)}, separates "
        f"{label_names[1]} from {label_names[0]} with an AUC of {_spoken(auc, f'{percent} interval ')}"
    )
    if balanced:
        measured += (
            f". At the threshold {summary['thresholds'][0]:g} the balanced accuracy, the mean of both classes' shares "
            f"decided rightly, is {_spoken(balanced)}"
        )
    return measured + ".", _meaning(auc, balanced, summary, label_names)


def headline(summary: Mapping[str, Any], label_names: tuple[str, str]) -> str:
    """The answer in one sentence: can the positive class be recognised in a new person?

    The arguments are those of `answer`.
    """
    (auc, _), name = _primary(summary), label_names[1]
    if auc is None:
        return "All tested subjects are of one class, so nothing can be said about telling the classes apart."
    measured = f"AUC of subjects {estimate_text(auc)}"
    if "low" not in auc:
        return f"{measured}, from too few subjects to tell it from guessing ({CHANCE})."
    if auc["low"] <= CHANCE <= auc["high"]:
        return f"Not shown that {name} can be recognised in a new person: {measured}, and guessing has {CHANCE}."
    if auc["high"] < CHANCE:
        return f"The models are of no use as they are: {measured}, worse than guessing ({CHANCE})."
    return f"In a new person {name} is recognised better than by guessing: {measured}, guessing has {CHANCE}."


def _primary(summary: Mapping[str, Any]) -> tuple[Mapping[str, float] | None, Mapping[str, float] | None]:
    """AUC of subjects, and their balanced accuracy at the first threshold; None where one is undefined."""
    auc, balanced = (summary[SUBJECT].get(one.name) for one in primary(summary["thresholds"]))
    return auc, balanced


def _spoken(estimate: Mapping[str, float], name: str = "") -> str:
    if "low" not in estimate:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({name}{estimate['low']:.3f} to {estimate['high']:.3f})"


def _is_mixed(summary: Mapping[str, Any]) -> bool:
    """Whether there are subjects with trials of both classes; they count once in each."""
    counts = summary["counts"]
    return bool(counts["positive_subjects"] + counts["negative_subjects"] > counts["subjects"])


def _unit(summary: Mapping[str, Any]) -> str:
    return "a subject's trials of one class" if _is_mixed(summary) else "a subject's trials"


def _people(counts: Mapping[str, int], names: tuple[str, str]) -> str:
    subjects, positive, negative = (counts[name] for name in ("subjects", "positive_subjects", "negative_subjects"))
    noun = "1 subject" if subjects == 1 else f"{subjects} subjects"
    both = f", {positive + negative - subjects} of them with both" if positive + negative > subjects else ""
    classes = f"{positive} with {names[1]}, {negative} with {names[0]}{both}"
    return f"{noun} the models had never seen ({classes}; {counts['trials']} trials)"


def _meaning(
    auc: Mapping[str, float], balanced: Mapping[str, float] | None, summary: Mapping[str, Any], names: tuple[str, str]
) -> str:
    subjects = summary["counts"]["subjects"]
    if "low" not in auc:
        return "Without an interval, from so few subjects, this cannot be told from guessing."
    if auc["low"] <= CHANCE <= auc["high"]:
        return (
            f"The interval includes {CHANCE}, the AUC of guessing: these {subjects} subjects do not show that "
            f"{names[1]} can be recognised in a new person."
        )
    if auc["high"] < CHANCE:
        return (
            f"This is below {CHANCE}, the AUC of guessing, so the models are of no use as they are: "
            "look for exchanged labels, or for training subjects that mislead."
        )
    pair = "two sets of trials" if _is_mixed(summary) else "two subjects"
    often = "every time" if auc["value"] == 1 else f"about {100 * auc['value']:.0f} times in 100"
    meaning = (
        f"This is better than guessing (0.5): of {pair}, one with {names[1]} and one with {names[0]}, the one "
        f"with {names[1]} gets the higher probability {often}; with only {subjects} subjects it may really be anything "
        f"from {100 * auc['low']:.0f} to {100 * auc['high']:.0f} times in 100"
    )
    if balanced and "low" in balanced and balanced["low"] <= CHANCE:
        threshold = summary["thresholds"][0]
        meaning += f"; yes-or-no decisions at {threshold:g} cannot be told from guessing"
    return meaning + "."
