from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap

from steps.core.attribution.resampling import estimate, subject_means, subject_rows


def names(*subjects: str) -> np.ndarray:
    return np.array(subjects, dtype=np.str_)


def test_every_fold_counts_the_same_and_within_it_every_trial() -> None:
    rows = subject_rows([names("a", "a", "a", "b"), names("c")])
    np.testing.assert_allclose(rows.point(), [[3 / 8, 1 / 8, 1 / 2]])
    assert rows.subjects.tolist() == ["a", "b", "c"]


def test_means_of_subjects_are_in_the_order_of_their_names() -> None:
    values = np.array([[1.0, 2.0], [5.0, 6.0], [3.0, 4.0]])
    np.testing.assert_array_equal(subject_means(names("b", "a", "b"), values), [[5, 6], [2, 3]])


def test_a_resample_leaves_out_subjects_and_keeps_a_mean() -> None:
    """Folds of several subjects, of which a resample may draw none."""
    rows = subject_rows([names("a", "a", "b"), names("c", "d", "d"), names("e")])
    weights = rows.resamples(seed=0, count=500)
    assert weights.shape == (500, 5)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights == 0).any()
    assert (weights >= 0).all()


def test_a_subject_is_drawn_with_all_its_test_numbers() -> None:
    rows = subject_rows([names("a"), names("b"), names("a"), names("b")])
    weights = rows.resamples(seed=0, count=50)
    np.testing.assert_allclose(weights[:, :2], weights[:, 2:])


def test_one_fold_per_subject_is_the_bootstrap_of_their_means() -> None:
    values = np.random.default_rng(0).normal(size=(15, 2)) ** 2
    rows = subject_rows([names(f"{i:02d}") for i in range(15)])
    estimated = estimate(rows, values, seed=1, resamples=20_000)
    np.testing.assert_allclose(estimated.value, values.mean(axis=0))
    reference = bootstrap((values,), np.mean, axis=0, n_resamples=20_000, method="percentile", rng=2)
    np.testing.assert_allclose(estimated.low, reference.confidence_interval.low, rtol=0.04)
    np.testing.assert_allclose(estimated.high, reference.confidence_interval.high, rtol=0.04)


def test_one_subject_has_no_interval() -> None:
    estimated = estimate(subject_rows([names("a"), names("a")]), np.array([[1.0], [3.0]]), seed=0)
    assert estimated.value.tolist() == [2.0]
    assert np.isnan(estimated.low).all()
    assert np.isnan(estimated.high).all()


def test_blocks_change_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(4, 10))
    rows = subject_rows([names("a", "b"), names("c", "d")])
    at_once = estimate(rows, values, seed=0, resamples=100)
    in_blocks = estimate(rows, values, seed=0, resamples=100, elements=300)
    np.testing.assert_allclose(in_blocks.low, at_once.low)
    np.testing.assert_allclose(in_blocks.high, at_once.high)
