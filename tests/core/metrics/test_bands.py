from __future__ import annotations

import numpy as np
from sklearn import metrics

from steps.core.metrics.bands import precision_band, roc_band
from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.predictions import trial_scores
from tests.core.metrics.conftest import StudyMaker


def test_precision_band_holds_the_curve(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=30))
    grid = np.linspace(0.05, 1, 20)
    low, high = precision_band(scores, grid, resample_weights(30, 200, 0))
    precision, recall, _ = metrics.precision_recall_curve(scores.labels, scores.probabilities)
    curve = np.array([precision[np.flatnonzero(recall >= point - 1e-12)[-1]] for point in grid])
    assert (low <= curve).all()
    assert (curve <= high).all()
    own = precision_band(scores, grid, np.ones((1, 30)))
    np.testing.assert_allclose(own[0], curve)


def test_roc_band_holds_the_curve(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=30))
    grid = np.linspace(0, 1, 21)
    low, high = roc_band(scores, grid, resample_weights(30, 200, 0))
    alarms, hits, _ = metrics.roc_curve(scores.labels, scores.probabilities, drop_intermediate=False)
    curve = np.interp(grid, alarms, hits)
    assert (low <= curve).all()
    assert (curve <= high).all()
    assert (np.diff(low) >= 0).all()
    assert high[-1] == low[-1] == 1
