"""Levels, signs, sides and sizes."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.signals.amplitude import above_baseline, amplitudes, derivative, partners


def test_the_derivative_is_per_unit_of_time_even_on_an_uneven_clock() -> None:
    time = np.array([0.0, 0.1, 0.3, 0.35, 0.6])
    values = np.column_stack([3 - 7 * time, np.full(5, 2.0)])
    np.testing.assert_allclose(derivative(values, time), [[-7.0, 0.0]] * 5, atol=1e-12)
    even = np.arange(2000) / 1000
    wave = np.sin(2 * np.pi * even)[:, np.newaxis]
    np.testing.assert_allclose(derivative(wave, even)[1:-1, 0], 2 * np.pi * np.cos(2 * np.pi * even)[1:-1], atol=1e-4)
    np.testing.assert_array_equal(derivative(wave, even)[:, 0], np.gradient(wave[:, 0], even))


def test_above_its_baseline_a_trial_begins_at_nothing() -> None:
    values = np.array([[1.0, 10.0], [3.0, 10.0], [8.0, 4.0]])
    inside = np.array([True, True, False])
    np.testing.assert_array_equal(above_baseline(values, inside), [[-1.0, 0.0], [1.0, 0.0], [6.0, -6.0]])


def test_sizes_are_magnitudes_over_all_samples_of_all_trials() -> None:
    trials = [np.array([[1.0, -5.0]]), np.array([[-3.0, 1.0], [2.0, 0.0], [0.0, 0.0]])]
    np.testing.assert_array_equal(amplitudes(trials, "max"), [3.0, 5.0])
    np.testing.assert_array_equal(amplitudes(trials, "mean"), [6 / 4, 6 / 4])


@pytest.mark.parametrize(
    ("names", "words", "expected"),
    [
        (["left_knee", "right_knee", "trunk"], ("left", "right"), [1, 0, 2]),
        (["LKNE_x", "RKNE_x", "LELB_x", "RELB_x", "CLAV_x"], ("L", "R"), [1, 0, 3, 2, 4]),
        (["knee_R", "knee_L", "hip_L"], ("L", "R"), [1, 0, 2]),
        (["knee", "hip"], ("left", "right"), [0, 1]),
        (["a_left_left", "a_right_left", "a_left_right"], ("left", "right"), [1, 0, 2]),
    ],
)
def test_partners_change_places(names: list[str], words: tuple[str, str], expected: list[int]) -> None:
    found = partners(names, words)
    assert found.tolist() == expected
    np.testing.assert_array_equal(found[found], np.arange(len(names)))  # twice is nothing
