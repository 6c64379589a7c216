"""Interpolation against what is known exactly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steps.core.readers.resample import (
    fill_holes,
    insert_missing,
    interpolate,
    irregular_trials,
    longest_hole,
    missing_samples,
    normalise,
    percent_axis,
)

numbers = st.floats(-1e3, 1e3)
times = st.lists(st.integers(0, 10_000), min_size=2, max_size=40, unique=True).map(
    lambda ticks: np.array(sorted(ticks)) / 16
)


@given(time=times, offset=numbers, slope=numbers, timesteps=st.integers(2, 150))
def test_a_linear_signal_stays_linear(time: np.ndarray, offset: float, slope: float, timesteps: int) -> None:
    resampled = normalise(time, (offset + slope * time)[:, None], timesteps)
    expected = offset + slope * np.linspace(time[0], time[-1], timesteps)
    np.testing.assert_allclose(resampled[:, 0], expected, atol=1e-9 * (1 + abs(offset) + abs(slope) * time[-1]))


@given(time=times, seed=st.integers(0, 99))
def test_recorded_times_give_the_recorded_samples(time: np.ndarray, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(len(time), 3))
    np.testing.assert_array_equal(interpolate(time, time, values), values)


@given(time=times, seed=st.integers(0, 99))
def test_interpolation_agrees_with_numpy(time: np.ndarray, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=len(time))
    at = np.linspace(time[0], time[-1], 57)
    np.testing.assert_allclose(interpolate(at, time, values), np.interp(at, time, values), atol=1e-12)


def test_percent_axis() -> None:
    assert percent_axis(5) == (0.0, 25.0, 50.0, 75.0, 100.0)
    assert percent_axis(101) == tuple(map(float, range(101)))


def test_missing_samples_are_counted_and_inserted() -> None:
    time = np.array([0.0, 1.0, 2.0, 3.4, 4.0, 7.0, 8.6, 9.6])
    missing = missing_samples(time)
    assert missing.tolist() == [0, 0, 0, 0, 2, 1, 0]
    filled, values = insert_missing(time, time[:, None], missing)
    np.testing.assert_allclose(filled, [0, 1, 2, 3.4, 4, 5, 6, 7, 7.8, 8.6, 9.6])
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == [5, 6, 8]
    np.testing.assert_allclose(fill_holes(filled, values)[:, 0], filled)


def test_longest_hole() -> None:
    assert longest_hole(np.array([True, True])) == 0
    assert longest_hole(np.array([True, False, True, False, False, True])) == 2
    assert longest_hole(np.array([False, True])) == -1
    assert longest_hole(np.array([True, False])) == -1


@given(st.lists(times, min_size=1, max_size=6))
def test_irregular_trials_are_those_that_lack_samples(trials: list[np.ndarray]) -> None:
    bounds = np.cumsum([0, *map(len, trials)]).tolist()
    expected = [bool(missing_samples(time).any()) for time in trials]
    assert irregular_trials(np.concatenate(trials), bounds).tolist() == expected
