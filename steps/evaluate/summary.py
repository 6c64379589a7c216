"""The study's result in one JSON-serialisable dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from steps.evaluate.bootstrap import estimates, point_values, resample_weights
from steps.evaluate.metrics import threshold_metrics
from steps.evaluate.tables import Scores, subject_scores, trial_scores
from steps.evaluate.thresholds import prediction_columns, threshold_key

LEVELS = {"pooled": trial_scores, "subject": subject_scores}


def summary(results: pd.DataFrame, *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0) -> dict[str, Any]:
    """Trial-level and subject-level metrics with intervals over subjects.

    With several test numbers a trial's probability is its mean over them, so the models of a fold vote
    together; ``per_test_number`` shows how much they differ.

    Args:
        results: from `steps.evaluate.tables.results_table`; the thresholds are those of its columns.
        resamples: bootstrap resamples of subjects.
        confidence: of the percentile intervals.
        seed: of the bootstrap; the same seed and results give the same intervals.

    Returns:
        Plain numbers, strings, lists and dictionaries, never NaN: what is undefined is absent.

        - ``counts``: ``subjects``, ``positive_subjects``, ``negative_subjects`` (a subject with trials of
          both classes is in both), ``trials``, ``positive_trials``, ``negative_trials``, ``test_numbers``;
        - ``thresholds``: list of numbers;
        - ``bootstrap``: ``unit``, ``method``, ``resamples``, ``one_class_resamples`` (left out of AUC),
          ``confidence``, ``seed``;
        - ``pooled`` (over trials) and ``subject`` (over mean probabilities of subjects): the statistics of
          `steps.evaluate.bootstrap.statistics`, each ``{value, low, high}`` (no ``low`` and ``high`` with a
          single subject), and the counts ``threshold_0.5/tn``, ``fp``, ``fn``, ``tp``, each ``{value}``;
        - ``per_test_number``, with two or more: ``values`` (test number -> name such as ``pooled/auc`` ->
          value), their ``mean`` and ``sd`` (sample standard deviation), each name -> value.
    """
    thresholds = prediction_columns(list(results.columns))
    trials, subjects = trial_scores(results), subject_scores(results)
    names, codes = np.unique(trials.subjects, return_inverse=True)
    weights = resample_weights(len(names), resamples, seed)
    positives = weights @ np.bincount(codes, weights=trials.labels == 1)
    negatives = weights @ np.bincount(codes, weights=trials.labels == 0)
    test_numbers = sorted(int(number) for number in results["test_number"].unique())
    document: dict[str, Any] = {
        "counts": {
            "subjects": len(names),
            "positive_subjects": int((subjects.labels == 1).sum()),
            "negative_subjects": int((subjects.labels == 0).sum()),
            "trials": len(trials.labels),
            "positive_trials": int((trials.labels == 1).sum()),
            "negative_trials": int((trials.labels == 0).sum()),
            "test_numbers": len(test_numbers),
        },
        "thresholds": list(thresholds),
        "bootstrap": {
            "unit": "subject",
            "method": "percentile",
            "resamples": resamples,
            "one_class_resamples": int(((positives == 0) | (negatives == 0)).sum()),
            "confidence": confidence,
            "seed": seed,
        },
    }
    for level, scores in (("pooled", trials), ("subject", subjects)):
        document[level] = {
            **estimates(scores, weights, thresholds, confidence=confidence),
            **_confusion_counts(scores, thresholds),
        }
    if len(test_numbers) > 1:
        document["per_test_number"] = _per_test_number(results, test_numbers, thresholds)
    return document


def flat_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """A summary as metric names and values that MLflow accepts.

    ``pooled/auc``, ``pooled/auc_low``, ``pooled/auc_high``, ``pooled/threshold_0.5/accuracy`` and so on, the
    same under ``subject/``, and with several test numbers ``per_test_number/pooled/auc_mean`` and ``..._sd``.
    """
    metrics: dict[str, float] = {}
    for level in LEVELS:
        for name, estimate in document[level].items():
            for part, value in estimate.items():
                metrics[f"{level}/{name}" + ("" if part == "value" else f"_{part}")] = float(value)
    spread = document.get("per_test_number", {})
    for part in ("mean", "sd"):
        for name, value in spread.get(part, {}).items():
            metrics[f"per_test_number/{name}_{part}"] = float(value)
    return metrics


def _confusion_counts(scores: Scores, thresholds: Sequence[float]) -> dict[str, dict[str, int]]:
    counts = {}
    for threshold in thresholds:
        metrics = threshold_metrics(scores.labels, scores.probabilities, threshold)
        for name in ("tn", "fp", "fn", "tp"):
            counts[f"{threshold_key(threshold)}/{name}"] = {"value": int(metrics[name])}
    return counts


def _per_test_number(
    results: pd.DataFrame, test_numbers: Sequence[int], thresholds: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Point values of each test number, and the mean and sd of those that every one of them has."""
    values: dict[str, dict[str, float]] = {}
    for number in test_numbers:
        rows = results[results["test_number"] == number]
        values[str(number)] = {
            f"{level}/{name}": value
            for level, scores in LEVELS.items()
            for name, value in point_values(scores(rows), thresholds).items()
        }
    shared = [name for name in values[str(test_numbers[0])] if all(name in one for one in values.values())]
    columns = {name: [one[name] for one in values.values()] for name in shared}
    return {
        "values": values,
        "mean": {name: float(np.mean(column)) for name, column in columns.items()},
        "sd": {name: float(np.std(column, ddof=1)) for name, column in columns.items()},
    }
