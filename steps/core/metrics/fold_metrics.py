"""Metrics of one fold: the held-out trials of one model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from steps.core.metrics.metrics import METRICS, PROBABILITY_EPSILON, DecisionMetric
from steps.core.metrics.names import FOLD, statistic_name
from steps.core.metrics.sample import Confusion

Labels = npt.NDArray[np.integer]
Probabilities = npt.NDArray[np.floating]


def threshold_metrics(labels: Labels, probabilities: Probabilities, threshold: float) -> dict[str, float]:
    """Accuracy, precision, recall, F1 and the confusion matrix at one threshold.

    Args:
        labels: 0 or 1, shape ``(trials,)``, at least one trial.
        probabilities: probability of class 1, shape ``(trials,)``.
        threshold: a trial is predicted positive where ``probability >= threshold``.

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``f1`` and the counts ``tn``, ``fp``, ``fn``, ``tp``.
        Precision, recall and F1 are 0 where they would divide by zero. The metrics are those of the level ``fold``.
    """
    decided, positive = probabilities >= threshold, labels == 1
    counts = {
        "tn": ~decided & ~positive,
        "fp": decided & ~positive,
        "fn": ~decided & positive,
        "tp": decided & positive,
    }
    numbers = {name: np.array([float(cases.sum())]) for name, cases in counts.items()}
    made = Confusion(**numbers, threshold=threshold)
    values = {
        name: np.nan_to_num(metric.function(made))
        for name, metric in METRICS.items()
        if isinstance(metric, DecisionMetric) and FOLD in metric.levels
    }
    return {name: float(value[0]) for name, value in {**values, **numbers}.items()}


def fold_metrics(labels: Labels, probabilities: Probabilities, thresholds: Sequence[float]) -> dict[str, float]:
    """Everything logged for a fold after evaluation, under the names it is logged with.

    Args:
        labels: 0 or 1, shape ``(trials,)``, at least one trial.
        probabilities: probability of class 1, shape ``(trials,)``.
        thresholds: decision thresholds.

    Returns:
        ``test_loss`` (binary cross-entropy in nats, probabilities clipped as Keras does), ``test_auc`` (only
        where both classes are among the labels: with one class there is none), and ``threshold_metrics`` of
        each threshold as ``threshold_0.43/accuracy`` and so on.
    """
    from sklearn.metrics import log_loss, roc_auc_score  # takes a second to import

    clipped = np.clip(probabilities.astype(np.float64), PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON)
    metrics = {"test_loss": float(log_loss(labels, clipped, labels=[0, 1]))}
    if len(np.unique(labels)) == 2:
        metrics["test_auc"] = float(roc_auc_score(labels, probabilities))
    for threshold in thresholds:
        for name, value in threshold_metrics(labels, probabilities, threshold).items():
            metrics[statistic_name(name, threshold)] = value
    return metrics
