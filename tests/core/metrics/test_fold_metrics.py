from __future__ import annotations

import math

import numpy as np
import pytest

from steps.core.metrics.fold_metrics import fold_metrics, threshold_metrics

LABELS = np.array([0, 0, 0, 1, 1], dtype=np.int8)
PROBABILITIES = np.array([0.1, 0.5, 0.6, 0.4, 0.9])


def test_confusion_counted_by_hand() -> None:
    assert threshold_metrics(LABELS, PROBABILITIES, 0.5) == pytest.approx(
        {
            "tn": 1,
            "fp": 2,  # 0.5 itself is positive
            "fn": 1,
            "tp": 1,
            "accuracy": 2 / 5,
            "precision": 1 / 3,
            "recall": 1 / 2,
            "f1": 2 / 5,
        }
    )


def test_nothing_predicted_positive_gives_zeros_and_no_warning() -> None:
    metrics = threshold_metrics(LABELS, PROBABILITIES, 0.95)
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0, 0, 0)
    assert (metrics["tn"], metrics["fn"], metrics["accuracy"]) == (3, 2, 0.6)


@pytest.mark.parametrize("label", [0, 1])
def test_a_fold_with_one_class_has_no_auc(label: int) -> None:
    labels = np.full(3, label, dtype=np.int8)
    metrics = fold_metrics(labels, np.array([0.2, 0.6, 0.7]), (0.5,))
    assert "test_auc" not in metrics
    right = 2 / 3 if label else 1 / 3
    assert metrics["threshold_0.5/accuracy"] == pytest.approx(right)
    assert metrics["threshold_0.5/recall"] == pytest.approx(right if label else 0)
    assert all(math.isfinite(value) for value in metrics.values())


def test_loss_and_auc_by_hand() -> None:
    metrics = fold_metrics(LABELS, PROBABILITIES, (0.5, 0.43))
    losses = [math.log(p if label else 1 - p) for label, p in zip(LABELS, PROBABILITIES, strict=True)]
    assert metrics["test_loss"] == pytest.approx(-sum(losses) / 5)
    assert metrics["test_auc"] == pytest.approx(4 / 6)  # 0.4 beats one of three, 0.9 all three
    assert {name.split("/")[0] for name in metrics} == {"test_loss", "test_auc", "threshold_0.5", "threshold_0.43"}


def test_a_certain_mistake_costs_what_keras_says() -> None:
    metrics = fold_metrics(np.array([0, 1], dtype=np.int8), np.array([1.0, 1.0]), ())
    assert metrics["test_loss"] == pytest.approx(-math.log(1e-7) / 2, rel=1e-6)


def test_float32_probabilities_are_taken() -> None:
    wide = fold_metrics(LABELS, PROBABILITIES, (0.45,))
    assert fold_metrics(LABELS, PROBABILITIES.astype(np.float32), (0.45,)) == pytest.approx(wide, rel=1e-6)
