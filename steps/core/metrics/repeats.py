"""Several test numbers: the same folds trained with other seeds, and how much that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from steps.core.metrics.decisions import decisions, votes
from steps.core.metrics.estimates import point_values, vote_values
from steps.core.metrics.names import LEVELS, POOLED, SUBJECT, UNITS, VOTE, at_level, rule_name
from steps.core.metrics.predictions import levels_of
from steps.core.metrics.statistic import statistics_of


def level_values(
    results: pd.DataFrame, thresholds: Sequence[float], in_fold: pd.DataFrame | None = None
) -> dict[str, float]:
    """Every statistic of every level as it is, e.g. ``pooled/auc``; undefined ones are absent.

    Args:
        results: rows of `steps.core.metrics.predictions.results_table`, of one test number or averaged over several.
        thresholds: the declared ones.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`.
    """
    scores = levels_of(results, in_fold)
    levels = {level: point_values(scores[level], thresholds) for level in LEVELS}
    levels[VOTE] = vote_values(scores[SUBJECT], votes(scores[POOLED], scores[SUBJECT], thresholds))
    return {at_level(level, name): value for level, values in levels.items() for name, value in values.items()}


def per_test_number(
    results: pd.DataFrame, thresholds: Sequence[float], in_fold: pd.DataFrame | None = None
) -> dict[str, dict[str, Any]]:
    """How much training anew changes; the arguments are those of `level_values`.

    Returns:
        - ``values``: test number -> statistic -> value, each test number alone;
        - ``mean``, ``sd`` (sample standard deviation), ``min``, ``max``: of the statistics that all of them have;
        - ``probability_sd``: ``pooled`` and ``subject`` -> the sd over test numbers of a trial's or subject's
          probability, averaged over trials or subjects;
        - ``changed_decisions``: e.g. ``subject/threshold_0.5`` -> share of trials, or subjects, that are not decided
          alike by all test numbers.
    """
    numbers = sorted(int(number) for number in results["test_number"].unique())
    parts = {number: results[results["test_number"] == number] for number in numbers}
    values = {str(number): level_values(rows, thresholds, in_fold) for number, rows in parts.items()}
    shared = [name for name in next(iter(values.values())) if all(name in one for one in values.values())]
    columns = {name: [one[name] for one in values.values()] for name in shared}
    spread: dict[str, float] = {}
    changed: dict[str, float] = {}
    scored = [levels_of(rows, in_fold) for rows in parts.values()]
    for level in LEVELS:
        each = [scores[level] for scores in scored]
        spread[level] = float(np.std([scores.probabilities for scores in each], axis=0, ddof=1).mean())
        made = [decisions(scores, thresholds) for scores in each]
        for rule in made[0]:
            together = np.array([one[rule] for one in made])
            changed[at_level(level, rule_name(rule))] = float((together.any(axis=0) & ~together.all(axis=0)).mean())
    return {
        "values": values,
        "mean": {name: float(np.mean(column)) for name, column in columns.items()},
        "sd": {name: float(np.std(column, ddof=1)) for name, column in columns.items()},
        "min": {name: float(np.min(column)) for name, column in columns.items()},
        "max": {name: float(np.max(column)) for name, column in columns.items()},
        "probability_sd": spread,
        "changed_decisions": changed,
    }


def repeats_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """The values of every test number as a tidy table: ``test_number``, ``level``, ``metric``, ``value``.

    Args:
        document: a summary with ``per_test_number``.
    """
    rows = [
        {"test_number": int(number), "level": level, "metric": one.name, "value": values[at_level(level, one.name)]}
        for number, values in document["per_test_number"]["values"].items()
        for level in UNITS
        for one in statistics_of(document["thresholds"])
        if at_level(level, one.name) in values
    ]
    return pd.DataFrame(rows)
