from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from steps.core.metrics.calibration import bin_of, reliability, wilson_interval
from steps.core.metrics.predictions import trial_scores
from tests.core.metrics.conftest import StudyMaker, scores


def test_bins_hold_their_lower_edge_and_the_last_one_both() -> None:
    assert bin_of(np.array([0.0, 0.05, 0.1, 0.3, 0.7, 0.999, 1.0])).tolist() == [0, 0, 1, 3, 7, 9, 9]


def test_reliability_is_that_of_scikit_learn(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=40))
    observed, mean = calibration_curve(scores.labels, scores.probabilities, n_bins=10)
    bins = reliability(scores)
    assert [entry["observed"] for entry in bins] == pytest.approx(observed)
    assert [entry["mean_probability"] for entry in bins] == pytest.approx(mean)
    assert sum(entry["count"] for entry in bins) == len(scores.labels)


def test_an_interval_counts_subjects_and_not_trials() -> None:
    one = reliability(scores([1] * 50, [0.95] * 50, ["a"] * 50))
    fifty = reliability(scores([1] * 50, [0.95] * 50))
    assert one[0]["count"] == fifty[0]["count"] == 50
    assert (one[0]["subjects"], fifty[0]["subjects"]) == (1, 50)
    assert one[0]["low"] < 0.25 < 0.9 < fifty[0]["low"]
    assert one[0]["high"] == fifty[0]["high"] == 1


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (3, 3), (2, 7), (40, 101)])
def test_wilson_is_that_of_scipy(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    low, high = wilson_interval(np.array(hits / count), np.array(count))
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high))
