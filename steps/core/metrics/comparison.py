"""Everything that two methods' predictions say about their difference, in one JSON-serialisable dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from steps.core.metrics.comparable import Method
from steps.core.metrics.intervals import METHOD
from steps.core.metrics.metrics import FALLBACK, PRIMARY
from steps.core.metrics.names import CONFIDENCE, LEVELS, POOLED, SUBJECT, UNITS, at_level
from steps.core.metrics.paired import judged_levels, paired_differences
from steps.core.metrics.significance import mcnemar, subject_errors, wilcoxon
from steps.core.metrics.statistic import Statistic, statistics_of
from steps.writing.estimates import BOUNDED, flat, part_name

PARTS = ("first", "second", "difference")


def comparison(
    first: Method,
    second: Method,
    thresholds: Sequence[float],
) -> dict[str, Any]:
    """Metrics of both, paired differences with intervals over subjects, and tests.

    Args:
        first: one method.
        second: the other, of the same trials (`steps.core.metrics.comparable.check_comparable`).
        thresholds: decision thresholds; the tests of decisions take the first.

    Returns:
        Plain numbers, strings, lists and dictionaries, never NaN: what is undefined is absent.

        - ``first``, ``second``: ``title``, ``train_run_id``, ``baseline``;
        - ``counts``: ``subjects``, ``mixed_subjects`` (with trials of both classes), ``trials``, ``test_numbers``;
        - ``thresholds``, ``intervals``;
        - ``pooled`` and ``subject``: metric -> ``first``, ``second`` and ``difference`` (first minus second), each
          ``{value, low, high}``;
        - ``tests``: ``wilcoxon`` (over subjects' Brier scores), ``mcnemar_subject``, ``mcnemar_pooled``;
        - ``primary``: ``level``, ``metric``, ``difference``, and ``seen``: whether its interval leaves out 0;
        - ``identical``: whether the two gave every trial the same probability;
        - ``parameters``: what the trainings were given differently, name -> ``[first, second]``.
    """
    sides = judged_levels(first.results, thresholds), judged_levels(second.results, thresholds)
    levels = [{level: one.scores for level, one in side.items()} for side in sides]
    names = np.unique(levels[0][POOLED].subjects)
    subjects = levels[0][SUBJECT]
    document: dict[str, Any] = {
        name: {"title": one.title, "train_run_id": one.train_run_id, "baseline": one.baseline}
        for name, one in (("first", first), ("second", second))
    }
    document |= {
        "counts": {
            "subjects": len(names),
            "mixed_subjects": len(subjects.subjects) - len(names),
            "trials": len(levels[0][POOLED].labels),
            "test_numbers": int(first.results["test_number"].nunique()),
        },
        "thresholds": list(thresholds),
        "intervals": {"unit": "subject", "method": f"{METHOD}; paired", "confidence": CONFIDENCE},
    }
    for level in LEVELS:
        one, other = (side[level].estimates for side in sides)
        between = paired_differences(sides[0][level], sides[1][level])
        document[level] = {
            name: dict(zip(PARTS, (one[name], other[name], difference), strict=True))
            for name, difference in between.items()
        }
    errors = subject_errors(first.results), subject_errors(second.results)
    document["tests"] = {
        "wilcoxon": wilcoxon(*(error.to_numpy(np.float64) for error in errors)),
        **{
            f"mcnemar_{level}": mcnemar(
                levels[0][level].labels,
                levels[0][level].probabilities,
                levels[1][level].probabilities,
                thresholds[0],
            )
            for level in LEVELS
        },
    }
    document["primary"] = _primary(document[SUBJECT])
    document["identical"] = all(
        np.array_equal(levels[0][level].probabilities, levels[1][level].probabilities) for level in LEVELS
    )
    document["parameters"] = _differing(first.parameters, second.parameters)
    return document


def compared(document: Mapping[str, Any]) -> list[Statistic]:
    """The statistics that are shown; ``comparison.csv`` has all."""
    return [one for one in statistics_of(document["thresholds"]) if one.row.compared]


def comparison_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """A row per level and metric.

    Returns:
        ``level`` (``trials`` or ``subjects``), ``metric``, then ``first``, ``first_low``, ``first_high``, the same of
        ``second`` and of ``difference``; empty where undefined.
    """
    rows = []
    for level in LEVELS:
        for metric, compared in document[level].items():
            row = {"level": UNITS[level], "metric": metric}
            for part in PARTS:
                row |= {part_name(part, bound): compared[part].get(bound) for bound in BOUNDED}
            rows.append(row)
    return pd.DataFrame(rows)


def comparison_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The differences and tests as metric names and values that MLflow accepts.

    ``difference/subject/auc``, ``…_low``, ``…_high`` and so on for every metric and level, ``test/wilcoxon/p_value``,
    ``test/mcnemar_subject/only_first_right`` and so on.
    """
    metrics: dict[str, float] = {}
    for level in LEVELS:
        for metric, compared in document[level].items():
            metrics |= flat(f"difference/{at_level(level, metric)}", compared["difference"])
    for name, outcome in document["tests"].items():
        for part, value in outcome.items():
            metrics[f"test/{name}/{part}"] = float(value)
    return metrics


def _primary(subject: Mapping[str, Any]) -> dict[str, Any]:
    metric = PRIMARY if PRIMARY in subject else FALLBACK
    difference = subject[metric]["difference"]
    seen = "low" in difference and not difference["low"] <= 0 <= difference["high"]
    return {"level": SUBJECT, "metric": metric, "difference": difference, "seen": seen}


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, list[str]]:
    names = sorted({*first, *second})
    pairs = {name: [first.get(name, "–"), second.get(name, "–")] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
