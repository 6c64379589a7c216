from __future__ import annotations

import numpy as np

from steps.core.metrics.bootstrap import percentile_interval, resample_weights


def test_resamples_draw_as_many_subjects_as_there_are() -> None:
    weights = resample_weights(7, 100, seed=0)
    assert weights.shape == (100, 7)
    np.testing.assert_array_equal(weights.sum(axis=1), 7)
    np.testing.assert_array_equal(weights, resample_weights(7, 100, seed=0))
    assert (weights != resample_weights(7, 100, seed=1)).any()


def test_percentiles_are_taken_over_resamples_without_what_is_undefined() -> None:
    low, high = percentile_interval(np.array([[0.0, np.nan], [0.5, 0.5], [1.0, 1.0]]))
    np.testing.assert_allclose([low, high], [[0.025, 0.5125], [0.975, 0.9875]])
