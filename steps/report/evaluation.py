"""The statistics of a report beside its results: against chance, thresholds of the folds, other seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.core.metrics.in_fold_threshold import DECIDING
from steps.core.metrics.metrics import DECIDED
from steps.core.metrics.names import POOLED, SUBJECT, UNITS, at_level, rule_name
from steps.core.metrics.statistic import statistics_of
from steps.core.metrics.text import abstention_text
from steps.report.labels import LabelTables, label_tables
from steps.report.results import is_first
from steps.report.table import UNDEFINED, Cell, Table, estimate_cell


@dataclass(frozen=True)
class Evaluation:
    """What stands below the results table.

    Attributes:
        chance: p values and chance levels at the first threshold; None with one class.
        other_chance: the same at the other thresholds; None where there are no others.
        chance_notes: how to read them.
        in_fold: the thresholds that folds chose, as text; empty where none did.
        abstention: how much would be answered if "don't know" is an answer, too; empty where that is not known.
        learning: what more subjects might give; empty where it was not asked for.
        spread: how much test numbers differ; None with a single one.
        spread_notes: what else differs between them.
    """

    chance: Table | None
    other_chance: Table | None
    chance_notes: tuple[str, ...]
    in_fold: tuple[str, ...]
    abstention: tuple[str, ...]
    learning: tuple[str, ...]
    labels: LabelTables | None
    spread: Table | None
    spread_notes: tuple[str, ...]


def evaluation(summary: Mapping[str, Any]) -> Evaluation:
    """Everything below the results table, from `steps.core.metrics.summary.summary`."""
    return Evaluation(
        chance=chance_table(summary),
        other_chance=chance_table(summary, first=False),
        chance_notes=_chance_notes(summary),
        in_fold=_in_fold(summary),
        abstention=_abstention(summary),
        learning=_learning(summary),
        labels=label_tables(summary["labels"]) if "labels" in summary else None,
        spread=spread_table(summary),
        spread_notes=_spread_notes(summary),
    )


def chance_table(summary: Mapping[str, Any], *, first: bool = True) -> Table | None:
    """A row per tested statistic: value, p value, and what permutations and coins would reach.

    Args:
        summary: from `steps.core.metrics.summary.summary`.
        first: whether those without a threshold or at the first one are meant, or all others.
    """
    permutation, chance = summary.get("permutation"), summary.get("chance")
    if not permutation or not chance:
        return None
    rows: list[tuple[Cell | str, ...]] = []
    for level, unit in UNITS.items():
        for one in statistics_of(summary["thresholds"]):
            tested = permutation[level].get(one.name)
            if tested is None or is_first(one, summary) != first:
                continue
            of_coins = chance[POOLED if level == POOLED else SUBJECT]
            binomial = f"{of_coins[DECIDED]:.3f}" if one.metric == DECIDED else UNDEFINED
            rows.append(
                (
                    one.title,
                    unit,
                    estimate_cell(summary[level].get(one.name)),
                    Cell(f"{tested['p_value']:.2g}", tested["p_value"]),
                    f"yes: {tested['value']:.3f}" if tested.get("retrained") else "no",
                    f"{tested['null_quantile']:.3f}",
                    binomial,
                )
            )
    if not rows:
        return None
    columns = ("tested", "what counts", "value", "p", "trained again", "permuted labels", "guessing")
    caption = (
        f"p: one-sided permutation test over subjects, {permutation['permutations']} permutations, "
        f"none below {permutation['smallest_p_value']:.2g} possible. The last columns are what "
        f"{permutation['quantile']:.0%} of permutations, and of guesses about independent cases, stay at or below."
    )
    return Table.of(columns, rows, caption)


def _chance_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    if "permutation" not in summary:
        return ()
    return (
        "Labels change places between subjects, each with all its trials; within a subject with trials of both classes "
        "they change places among its trials.",
        _training_again(summary),
        "For trials believe the column of permuted labels. The last column stands for guessing every trial by itself; "
        "but trials of one person are alike, so it is too easily exceeded. Several statistics are tested, and p values "
        "are not corrected for that.",
    )


def _training_again(summary: Mapping[str, Any]) -> str:
    if summary["permutation"][SUBJECT].get("auc", {}).get("retrained"):
        return (
            "AUC: for every permutation heads of closed form are trained again, on features that no label has shaped, "
            "and each subject is scored by heads that lack it and one subject of the other class; their AUC with the "
            "true labels stands in the column. That makes its p value exact. The others keep the models as they are: "
            "a guide, no more."
        )
    return (
        "The models are not trained again, as this would take hours. Labels have taken part in training, so the p "
        "values are a guide and not exact; those of heads in closed form are, of yes-or-no labels."
    )


def _in_fold(summary: Mapping[str, Any]) -> tuple[str, ...]:
    own = summary.get("in_fold")
    if not own:
        return ()
    chosen, decided_by = own["folds"] - own["fallback_folds"], own.get("decided_by", "validation")
    spread = f" (SD {own['sd']:.2f})" if own["sd"] is not None else ""
    sentences = [
        f"The in-fold threshold was chosen by each fold on its own {DECIDING[decided_by]} (largest Youden's J), never "
        f"on held-out ones: {own['mean']:.2f} on average{spread}, from {own['min']:.2f} to {own['max']:.2f} over "
        f"{chosen} fold{'s' if chosen != 1 else ''}."
    ]
    if own["fallback_folds"]:
        sentences.append(
            f"In {own['fallback_folds']} of {own['folds']} folds these subjects could not choose one "
            f"(none, of one class, or not told apart); there it is {own['fallback']:g}."
        )
    if decided_by == "left_out":
        sentences.append("Each of them was predicted by a classifier fitted without its labels.")
    else:
        sentences.append(
            "The same validation subjects had stopped the training, so with these thresholds new people may come out "
            "a little worse."
        )
    return tuple(sentences)


def _abstention(summary: Mapping[str, Any]) -> tuple[str, ...]:
    document = summary.get("abstention")
    if not document:
        return ()
    said = abstention_text(document)
    return (
        f"{said[0].upper()}{said[1:]}.",
        "An answer is a class where the other one is ruled out (conformal prediction over subjects); else it is "
        '"don\'t know". Every person was answered by a model that had not seen them, calibrated on its training '
        "subjects.",
    )


def _learning(summary: Mapping[str, Any]) -> tuple[str, ...]:
    document = summary.get("learning_curve")
    if not document:
        return ()
    first, last = document["points"][0], document["points"][-1]
    ahead = document["further"][1]
    sentences = [
        f"With {first['training_subjects']} training subjects the AUC of subjects is {_range(first)}, with "
        f"{last['training_subjects']} it is {_range(last)}; with {ahead['training_subjects']} it may be "
        f"{_range(ahead)}, if the curve goes on as it went."
    ]
    people = document["people"]
    if people:
        wanted = "; ".join(
            f"{one['width']:g} wide: {one['subjects']:,}"
            + (f" ({one['fewest']:,} to {one['most']:,})" if one["fewest"] < one["most"] else "")
            for one in people
        )
        sentences.append(
            f"Tested people that it takes for a 95% interval of this AUC: {wanted}. In brackets, if the AUC is really "
            "at the other or the one end of its interval here."
        )
    else:
        sentences.append("How many people a narrow interval takes is not told: subjects have trials of both classes.")
    return tuple(sentences)


def _range(point: Mapping[str, float]) -> str:
    return f"{point['auc']:.3f} ({point['low']:.3f} to {point['high']:.3f})"


def spread_table(summary: Mapping[str, Any]) -> Table | None:
    """How much the test numbers of one study differ; none with a single one."""
    spread = summary.get("per_test_number")
    if not spread:
        return None
    rows = []
    for one in statistics_of(summary["thresholds"]):
        cells = [_spread_cell(spread, at_level(level, one.name)) for level in UNITS]
        if one.row.spread and set(cells) != {UNDEFINED}:
            rows.append((one.title, *cells))
    number = summary["counts"]["test_numbers"]
    caption = f"Mean ± standard deviation (lowest to highest) over {number} test numbers (seeds), each alone."
    return Table.of(("metric", *UNITS.values()), rows, caption)


def _spread_cell(spread: Mapping[str, Mapping[str, float]], key: str) -> str:
    if key not in spread["mean"]:
        return UNDEFINED
    lowest, highest = spread["min"][key], spread["max"][key]
    return f"{spread['mean'][key]:.3f} ± {spread['sd'][key]:.3f} ({lowest:.3f} to {highest:.3f})"


def _spread_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    spread = summary.get("per_test_number")
    if not spread:
        return ()
    sentences = [
        f"From seed to seed the probability of a trial varies by {spread['probability_sd']['pooled']:.3f} (standard "
        f"deviation, averaged over trials), that of a subject by {spread['probability_sd']['subject']:.3f}."
    ]
    for threshold in summary["thresholds"]:
        share = spread["changed_decisions"][at_level(SUBJECT, rule_name(threshold))]
        sentences.append(f"{share:.0%} of subjects are not decided alike by all seeds at {threshold:g}.")
    return tuple(sentences)
