from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from steps.core.metrics.decision_curve import GRID, benefit_curves, decision_curve, threshold_sweep
from steps.core.metrics.predictions import trial_scores
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, scores


def test_the_sweep_is_that_of_scikit_learn(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=20))
    curves = threshold_sweep(scores)
    for index in (0, 20, 49, 80, 98):
        predicted = scores.probabilities >= GRID[index]
        assert curves["recall"]["value"][index] == pytest.approx(recall_score(scores.labels, predicted))
        expected = recall_score(scores.labels, predicted, pos_label=0)
        assert curves["specificity"]["value"][index] == pytest.approx(expected)
        expected = balanced_accuracy_score(scores.labels, predicted)
        assert curves["balanced_accuracy"]["value"][index] == pytest.approx(expected)
    for curve in curves.values():
        assert (curve["low"] <= curve["value"] + 1e-12).all()
        assert (curve["value"] <= curve["high"] + 1e-12).all()


def test_net_benefit_by_hand() -> None:
    """Two of four are positive; at 0.8 one false positive costs four true ones."""
    entries = scores([1, 1, 0, 0], [0.9, 0.7, 0.85, 0.1])
    curves = benefit_curves(entries, np.array([0.2, 0.8]))
    assert curves["model"]["value"] == pytest.approx([2 / 4 - 1 / 4 * 0.25, 1 / 4 - 1 / 4 * 4])
    assert curves["all"]["value"] == pytest.approx([0.5 - 0.5 * 0.25, 0.5 - 0.5 * 4])
    assert curves["gain"]["value"] == pytest.approx([0.4375 - 0.375, -0.75 - 0.0])


def test_a_model_that_says_yes_to_everybody_is_treating_all() -> None:
    curves = benefit_curves(scores([1, 0, 0], [1.0, 1.0, 1.0]))
    np.testing.assert_allclose(curves["model"]["value"], curves["all"]["value"])
    assert (curves["gain"]["value"] <= 1e-12).all()


def test_a_perfect_model_is_worth_the_share_of_positives_at_every_threshold() -> None:
    curves = benefit_curves(scores([1, 0, 0, 0], [1.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(curves["model"]["value"], 0.25)


def test_the_table_agrees_with_the_summary(study: StudyMaker) -> None:
    results = study(mixed=2)
    table, document = decision_curve(results), summary(results, THRESHOLDS)
    for level in ("pooled", "subject"):
        row = table[(table["level"] == level) & (table["threshold"] == 0.35)].iloc[0]
        assert row["net_benefit"] == pytest.approx(document[level]["threshold_0.35/net_benefit"]["value"])
    assert np.isfinite(table.drop(columns="level").to_numpy()).all()


def test_one_class_has_a_net_benefit_all_the_same() -> None:
    assert np.isfinite(benefit_curves(scores([1, 1], [0.2, 0.7]))["model"]["low"]).all()
