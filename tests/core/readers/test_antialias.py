"""Resampling to fewer points: against closed forms, and against SciPy's own resampling as another path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from steps.core.readers import antialias
from steps.core.readers.antialias import _weights, _whole, ratio, resampled
from steps.core.readers.resample import Doubles, normalise

ROOT = Path(__file__).parents[3]
POINTS = 101
INSIDE = slice(10, -10)  # where the filter, ten new steps wide to each side, sees recorded samples only


def tone(at: Doubles, cycles: float, phase: float = 0.7) -> Doubles:
    """A tone of so many cycles per trial, shape ``(n, 1)``, at shares ``at (n,)`` of the trial."""
    return np.sin(2 * np.pi * cycles * at + phase)[:, np.newaxis]


def shares(samples: int) -> Doubles:
    return np.arange(samples) / (samples - 1)


def filtered(values: Doubles, points: int = POINTS) -> Doubles:
    return resampled(10 * shares(len(values)), values, points, filtered=True)


@pytest.mark.parametrize("samples", [250, 1000, 5001])
@pytest.mark.parametrize("cycles", [0.3, 5.0, 20.0, 40.0])
def test_tones_that_fit_are_kept_within_1_percent(samples: int, cycles: float) -> None:
    resampled_values = filtered(tone(shares(samples), cycles))
    np.testing.assert_allclose(resampled_values[INSIDE], tone(shares(POINTS), cycles)[INSIDE], atol=0.01)


@pytest.mark.parametrize("samples", [250, 1000, 5001])
@pytest.mark.parametrize("cycles", [62.5, 80.0, 110.0])
def test_tones_that_do_not_fit_are_suppressed_by_more_than_40_decibels(samples: int, cycles: float) -> None:
    values = tone(shares(samples), cycles)
    assert np.abs(filtered(values)[INSIDE]).max() < 0.01
    linear = resampled(shares(samples), values, POINTS, filtered=False)
    assert np.abs(linear[INSIDE]).max() > 0.15  # which is what the filter is for


def test_at_the_ends_too_a_tone_that_does_not_fit_is_mostly_gone_and_a_slow_curve_stays() -> None:
    for phase in np.linspace(0, 2 * np.pi, 8):
        assert np.abs(filtered(tone(shares(5001), 450, phase))).max() < 0.3
        slow = tone(shares(5001), 1.0, phase)
        np.testing.assert_allclose(filtered(slow), tone(shares(POINTS), 1.0, phase), atol=0.01)


@pytest.mark.parametrize(("samples", "points"), [(3, 2), (30, 2), (102, 101), (151, 101), (5000, 7), (5000, 101)])
def test_constants_and_straight_lines_are_exact(samples: int, points: int) -> None:
    at = shares(samples)[:, np.newaxis]
    resampled_values = filtered(np.hstack([np.full_like(at, 7.3), 3 * at - 5, 1e9 + 1e6 * at]), points)
    at = shares(points)[:, np.newaxis]
    expected = np.hstack([np.full_like(at, 7.3), 3 * at - 5, 1e9 + 1e6 * at])
    np.testing.assert_allclose(resampled_values, expected, rtol=1e-15, atol=1e-14)
    assert (resampled_values[:, 0] == 7.3).all()


@pytest.mark.parametrize("samples", [301, 1000, 5000])
def test_inside_a_trial_it_is_scipys_resampling(samples: int) -> None:
    values = np.random.default_rng(samples).normal(size=(samples, 3)).cumsum(axis=0)
    line = values[0] + (values[-1] - values[0]) * shares(samples)[:, np.newaxis]
    rest = resample_poly(values - line, POINTS - 1, samples - 1, axis=0)[:POINTS]
    expected = rest + values[0] + (values[-1] - values[0]) * shares(POINTS)[:, np.newaxis]
    np.testing.assert_allclose(filtered(values)[INSIDE], expected[INSIDE], atol=2e-3 * values.std())


def test_without_a_filter_and_where_points_are_added_it_is_linear_interpolation_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    for samples, which in ((80, True), (101, True), (150, False), (5000, False)):
        time, values = np.sort(rng.random(samples)), rng.normal(size=(samples, 2))
        resampled_values = resampled(time, values, POINTS, filtered=which)
        np.testing.assert_array_equal(resampled_values, normalise(time, values, POINTS))


def test_uneven_samples_are_put_on_even_steps_first() -> None:
    at = shares(1000) + np.random.default_rng(0).uniform(-3e-4, 3e-4, 1000)
    at[[0, -1]] = 0, 1
    resampled_values = resampled(at, tone(at, 5.0), POINTS, filtered=True)
    np.testing.assert_allclose(resampled_values[INSIDE], tone(shares(POINTS), 5.0)[INSIDE], atol=0.01)


def test_sums_are_exact_so_their_order_cannot_matter() -> None:
    """The same sums in Python's whole numbers; and what is lost by whole numbers is less than float32 loses."""
    values = np.random.default_rng(0).normal(size=(2000, 2)) * [1e-13, 1e12]
    weights, first = _weights(2000, POINTS, 0, POINTS)
    whole, unit = _whole(values)
    assert (weights.sum(axis=1) == 2.0**23).all()
    for j in range(20, 80, 7):
        block = whole[first[j] : first[j] + weights.shape[1]]
        assert np.abs(weights[j]) @ np.abs(block).max(axis=1) < 2**53
        exact = [sum(int(w) * int(v) for w, v in zip(weights[j], column, strict=True)) for column in block.T]
        assert (weights[j] @ block).tolist() == exact
    assert (np.abs(whole * unit - values) <= 2.0**-28 * np.abs(values).max(axis=0)).all()


def test_other_processors_give_the_same_bits() -> None:
    """With the linear algebra of an old processor, on one thread, and without NumPy's vector instructions."""
    code = (
        "import hashlib, numpy as np; from steps.core.readers.antialias import resampled\n"
        "for n in (160, 947, 5000):\n"
        "    values = np.random.default_rng(n).integers(-99, 99, (n, 7)).cumsum(axis=0) / 7\n"
        "    found = resampled(np.arange(n) / 500, values, 101, filtered=True).astype(np.float32)\n"
        "    print(hashlib.sha256(found.tobytes()).hexdigest())"
    )
    old = {
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "FMA3 AVX2 AVX512F AVX512_SKX",
    }
    digests = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, old)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].split()) == 3


def test_weights_that_do_not_fit_into_memory_together_are_made_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=(1000, 2))
    expected = filtered(values)
    monkeypatch.setattr(antialias, "_HELD", 500)
    assert antialias._rows_at_once(1000, POINTS) == 2
    np.testing.assert_array_equal(filtered(values), expected)


def test_ratio_counts_steps() -> None:
    assert ratio(101, 101) == 1
    assert ratio(151, 101) == 1.5
