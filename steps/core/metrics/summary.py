"""The study's result in one JSON-serialisable dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.bootstrap import class_totals, decision_estimates, estimates, resample_weights
from steps.core.metrics.calibration import reliability
from steps.core.metrics.chance import ALPHA, chance_level
from steps.core.metrics.chunks import Mapper, serial
from steps.core.metrics.decisions import Bools, decisions, votes
from steps.core.metrics.in_fold_threshold import in_fold_summary
from steps.core.metrics.permutation import QUANTILE, arrangements, permutation_test
from steps.core.metrics.predictions import Scores, subject_scores, trial_scores
from steps.core.metrics.repeats import per_test_number
from steps.core.metrics.thresholds import prediction_columns

LEVELS = ("pooled", "subject", "subject_vote")
_SPREAD = ("mean", "sd", "min", "max")


def summary(
    results: pd.DataFrame,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    in_fold: pd.DataFrame | None = None,
    permutations: int = 2000,
    mapper: Mapper = serial,
) -> dict[str, Any]:
    """Trial-level and subject-level metrics with intervals over subjects, and what chance would give.

    With several test numbers a trial's probability is its mean over them, so the models of a fold vote
    together; ``per_test_number`` shows how much they differ.

    Args:
        results: from `steps.core.metrics.predictions.results_table`; the thresholds are those of its columns.
        resamples: bootstrap resamples of subjects.
        confidence: of the percentile intervals.
        seed: of the bootstrap and the permutations; the same seed and results give the same numbers.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`, for the threshold chosen in the fold.
        permutations: of the labels over subjects.
        mapper: where bootstrap and permutations are worked on; the numbers are the same wherever.

    Returns:
        Plain numbers, strings, lists and dictionaries, never NaN: what is undefined is absent.

        - ``counts``: ``subjects``, ``positive_subjects``, ``negative_subjects`` (a subject with trials of
          both classes is in both), ``trials``, ``positive_trials``, ``negative_trials``, ``test_numbers``;
        - ``thresholds``: list of numbers;
        - ``bootstrap``: ``unit``, ``method``, ``resamples``, ``one_class_resamples`` (left out of AUC),
          ``confidence``, ``seed``;
        - ``pooled`` (over trials) and ``subject`` (over mean probabilities of subjects): the statistics of
          `steps.core.metrics.bootstrap.statistics`, each ``{value, low, high}`` (no ``low`` and ``high`` with a
          single subject; with a ``p_value`` where tested), and the counts ``threshold_0.5/tn``, ``fp``, ``fn``,
          ``tp``, each ``{value}``;
        - ``subject_vote``: the same of subjects decided by the majority of their trials, decisions only;
        - ``in_fold``, where folds chose thresholds: `steps.core.metrics.in_fold_threshold.in_fold_summary`;
        - ``permutation`` and ``chance``, with both classes: `steps.core.metrics.permutation` and
          `steps.core.metrics.chance`, per level;
        - ``calibration``: ``pooled`` and ``subject`` -> the bins of `steps.core.metrics.calibration.reliability`;
        - ``per_test_number``, with two or more: `steps.core.metrics.repeats.per_test_number`.
    """
    thresholds = prediction_columns(list(results.columns))
    chosen = None if in_fold is None else in_fold_summary(in_fold)
    if chosen is None:
        in_fold = None
    trials, subjects = trial_scores(results, in_fold), subject_scores(results, in_fold)
    weights = resample_weights(len(np.unique(trials.subjects)), resamples, seed)
    positives, negatives = class_totals(trials, weights)
    test_numbers = results["test_number"].nunique()
    document: dict[str, Any] = {
        "counts": {
            "subjects": weights.shape[1],
            "positive_subjects": int((subjects.labels == 1).sum()),
            "negative_subjects": int((subjects.labels == 0).sum()),
            "trials": len(trials.labels),
            "positive_trials": int((trials.labels == 1).sum()),
            "negative_trials": int((trials.labels == 0).sum()),
            "test_numbers": test_numbers,
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
            **estimates(scores, weights, thresholds, confidence=confidence, mapper=mapper),
            **_confusion_counts(scores.labels, decisions(scores, thresholds)),
        }
    voted = votes(trials, subjects, thresholds)
    document["subject_vote"] = {
        **decision_estimates(subjects, weights, voted, confidence=confidence, mapper=mapper),
        **_confusion_counts(subjects.labels, voted),
    }
    if chosen is not None:
        document["in_fold"] = chosen
    if trials.has_both_classes:
        document["permutation"] = _permutation(document, trials, thresholds, permutations, seed, mapper)
        document["chance"] = _chance(trials, subjects)
    document["calibration"] = {
        level: reliability(scores, confidence=confidence)
        for level, scores in (("pooled", trials), ("subject", subjects))
    }
    if test_numbers > 1:
        document["per_test_number"] = per_test_number(results, thresholds, in_fold)
    return document


def flat_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """A summary as metric names and values that MLflow accepts.

    ``pooled/auc``, ``pooled/auc_low``, ``pooled/auc_high``, ``pooled/auc_p_value``, ``pooled/auc_null_quantile``,
    ``pooled/threshold_0.5/accuracy`` and so on, the same under ``subject/`` and ``subject_vote/``;
    ``chance/subject/accuracy``; ``in_fold/mean`` and so on; and with several test numbers
    ``per_test_number/pooled/auc_mean``, ``_sd``, ``_min``, ``_max``, ``per_test_number/subject/probability_sd`` and
    ``per_test_number/subject/threshold_0.5/changed_decisions``.
    """
    metrics: dict[str, float] = {}
    for level in LEVELS:
        for name, estimate in document[level].items():
            for part, value in estimate.items():
                metrics[f"{level}/{name}" + ("" if part == "value" else f"_{part}")] = float(value)
        for name, tested in document.get("permutation", {}).get(level, {}).items():
            metrics[f"{level}/{name}_null_quantile"] = float(tested["null_quantile"])
    for level in ("pooled", "subject"):
        for name in ("accuracy", "balanced_accuracy"):
            if "chance" in document:
                metrics[f"chance/{level}/{name}"] = float(document["chance"][level][name])
    for name, value in document.get("in_fold", {}).items():
        if isinstance(value, (int, float)):
            metrics[f"in_fold/{name}"] = float(value)
    spread = document.get("per_test_number", {})
    for part in _SPREAD:
        for name, value in spread.get(part, {}).items():
            metrics[f"per_test_number/{name}_{part}"] = float(value)
    for part in ("probability_sd", "changed_decisions"):
        for name, value in spread.get(part, {}).items():
            metrics[f"per_test_number/{name}/{part}"] = float(value)
    return metrics


def _confusion_counts(labels: npt.NDArray[np.integer], rules: Mapping[str, Bools]) -> dict[str, dict[str, int]]:
    counts = {}
    for rule, predicted in rules.items():
        for name, truth, decision in (("tn", 0, False), ("fp", 0, True), ("fn", 1, False), ("tp", 1, True)):
            counts[f"{rule}/{name}"] = {"value": int(((labels == truth) & (predicted == decision)).sum())}
    return counts


def _permutation(
    document: Mapping[str, Any],
    trials: Scores,
    thresholds: Sequence[float],
    permutations: int,
    seed: int,
    mapper: Mapper,
) -> dict[str, Any]:
    """The test, and its p values into the estimates they belong to."""
    levels = permutation_test(trials, thresholds, permutations=permutations, seed=seed, mapper=mapper)
    for level, tests in levels.items():
        for name, tested in tests.items():
            document[level][name]["p_value"] = tested["p_value"]
    return {
        "unit": "subject",
        "alternative": "greater",
        "permutations": permutations,
        "seed": seed,
        "quantile": QUANTILE,
        "smallest_p_value": max(1 / (permutations + 1), 1 / arrangements(trials)),
        **levels,
    }


def _chance(trials: Scores, subjects: Scores) -> dict[str, Any]:
    levels = {
        level: chance_level(int((scores.labels == 1).sum()), int((scores.labels == 0).sum()))
        for level, scores in (("pooled", trials), ("subject", subjects))
    }
    return {"alpha": ALPHA, "method": "binomial, as if the cases were independent", **levels}
