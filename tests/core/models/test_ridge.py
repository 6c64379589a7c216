"""Ridge classifiers that leave out subjects without refitting."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from steps.core.models.ridge import classifiers, fit_ridge

SIZES = [1, 5, 4, 3, 6, 2, 5, 4]
ALPHAS = (0.1, 1.0, 10.0, 100.0)


@pytest.fixture(scope="module", params=[50, 12], ids=["more features than trials", "fewer"])
def study(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels, subjects; one subject has trials of both classes."""
    generator = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(8)], SIZES)
    labels = np.repeat(np.arange(8) % 2, SIZES).astype(np.int8)
    labels[6] = 0
    return generator.normal(size=(30, request.param)) + 0.4 * labels[:, np.newaxis] + 3.0, labels, subjects


@pytest.mark.parametrize("class_weight", [(1.0, 1.0), (0.5, 2.5)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_left_out_subjects_are_predicted_as_by_refitting(
    study: tuple[np.ndarray, np.ndarray, np.ndarray], alpha: float, class_weight: tuple[float, float]
) -> None:
    features, labels, subjects = study
    targets = 2.0 * labels - 1
    weights = np.asarray(class_weight)[labels]
    weights /= weights.mean()
    scores = np.empty(30)
    for name in np.unique(subjects):
        rest = subjects != name
        scores[~rest] = Ridge(alpha=alpha).fit(features[rest], targets[rest], weights[rest]).predict(features[~rest])
    ours = classifiers(features, labels, subjects, class_weight).at(alpha)
    np.testing.assert_allclose(ours.left_out_scores, scores, rtol=1e-6, atol=1e-8)
    whole = Ridge(alpha=alpha).fit(features, targets, weights)
    np.testing.assert_allclose(ours.scores(features + 1), whole.predict(features + 1), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.fitted_scores, whole.predict(features), rtol=1e-6, atol=1e-8)
    assert ours.error == pytest.approx((weights * (scores - targets) ** 2).mean())


def test_the_penalty_is_the_one_whose_left_out_subjects_are_predicted_best(
    study: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features, labels, subjects = study
    path = classifiers(features, labels, subjects)
    errors = {alpha: ((path.at(alpha).left_out_scores - (2.0 * labels - 1)) ** 2).mean() for alpha in ALPHAS}
    assert fit_ridge(features, labels, subjects, ALPHAS).alpha == min(errors, key=lambda alpha: errors[alpha])


def test_without_a_signal_left_out_scores_lean_to_neither_class_once_the_intercept_is_that_of_all() -> None:
    """With a heavy penalty a score is all intercept: without the shifts it says who was left out."""
    subjects, labels = np.repeat(np.arange(10).astype(str), 2), np.repeat(np.arange(10) % 2, 2).astype(np.int8)
    path = classifiers(np.random.default_rng(0).normal(size=(20, 5)), labels, subjects)
    scores = path.at(1e12).left_out_scores
    assert scores[labels == 1].max() < scores[labels == 0].min()
    np.testing.assert_allclose(scores + path.shifts, 0, atol=1e-9)
