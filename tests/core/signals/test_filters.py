"""Filters are SciPy's: equal to them called directly, no shift in time, and what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from steps.core.signals.filters import (
    NOTCH_NEEDS,
    Band,
    butterworth,
    butterworth_needs,
    envelope,
    notch,
)

RATE = 200.0
TIME = np.arange(800) / RATE
NOISE = np.random.default_rng(0).normal(size=(800, 3)).cumsum(axis=0)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("band", "cutoff"), [("lowpass", (6.0,)), ("highpass", (20.0,)), ("bandpass", (5.0, 60.0))])
def test_equal_to_scipy_called_for_each_feature(band: Band, cutoff: tuple[float, ...], order: int) -> None:
    critical = cutoff if band == "bandpass" else cutoff[0]
    sections = signal.butter(order, critical, band, fs=RATE, output="sos")
    padding = max(math.ceil(RATE / cutoff[0]), butterworth_needs(band, order))  # a period of the lowest frequency
    expected = np.column_stack([signal.sosfiltfilt(sections, column, padlen=padding) for column in NOISE.T])
    np.testing.assert_allclose(butterworth(NOISE, RATE, band, cutoff, order), expected, rtol=0, atol=1e-12)
    rectified = np.column_stack([signal.sosfiltfilt(sections, np.abs(column), padlen=padding) for column in NOISE.T])
    if band == "lowpass":
        np.testing.assert_allclose(envelope(NOISE, RATE, cutoff[0], order), rectified, rtol=0, atol=1e-12)


def test_the_notch_is_that_of_scipy() -> None:
    b, a = signal.iirnotch(50.0, 30.0, fs=RATE)
    expected = np.column_stack([signal.filtfilt(b, a, column, padlen=120) for column in NOISE.T])
    np.testing.assert_allclose(notch(NOISE, RATE, 50.0, 30.0), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize(("band", "cutoff"), [("lowpass", (6.0,)), ("highpass", (20.0,)), ("bandpass", (5.0, 60.0))])
def test_what_is_needed_is_what_scipy_needs(band: Band, cutoff: tuple[float, ...], order: int) -> None:
    needs = butterworth_needs(band, order)
    sections = signal.butter(order, cutoff if band == "bandpass" else cutoff[0], band, fs=RATE, output="sos")
    with pytest.raises(ValueError, match=f"padlen, which is {needs}"):
        signal.sosfiltfilt(sections, NOISE[:needs], axis=0)
    assert np.isfinite(butterworth(NOISE[: needs + 1], RATE, band, cutoff, order)).all()


def test_what_the_notch_needs() -> None:
    with pytest.raises(ValueError, match=f"padlen, which is {NOTCH_NEEDS}"):
        signal.filtfilt(*signal.iirnotch(50.0, 30.0, fs=RATE), NOISE[:NOTCH_NEEDS], axis=0)
    assert np.isfinite(notch(NOISE[: NOTCH_NEEDS + 1], RATE, 50.0, 30.0)).all()


def test_ends_go_on_as_they_were() -> None:
    time = np.arange(1500) / 1000
    course = (100 * time)[:, np.newaxis] + np.random.default_rng(1).normal(size=(1500, 20))
    off = np.abs(butterworth(course, 1000.0, "lowpass", (6.0,), 4) - 100 * time[:, np.newaxis])
    by_itself = signal.sosfiltfilt(signal.butter(4, 6.0, fs=1000.0, output="sos"), course, axis=0)
    assert off.max(axis=0).mean() < 1.2  # as much as the noise
    assert np.abs(by_itself - 100 * time[:, np.newaxis]).max(axis=0).mean() > 4


def test_a_constant_stays_and_goes() -> None:
    level = np.full((400, 1), 1234.5)
    np.testing.assert_allclose(butterworth(level, RATE, "lowpass", (6.0,), 4), level, rtol=1e-9)
    np.testing.assert_allclose(notch(level, RATE, 50.0, 30.0), level, rtol=1e-9)
    assert np.abs(butterworth(level, RATE, "highpass", (6.0,), 4)).max() < 1e-6


@pytest.mark.parametrize(("hertz", "low", "high"), [(1.0, 1.0, 0.0), (6.0, 0.5, 0.5), (40.0, 0.0, 1.0)])
def test_tones_stay_or_go_and_half_is_left_at_the_cut_off(hertz: float, low: float, high: float) -> None:
    tone = np.sin(2 * np.pi * hertz * TIME)[:, np.newaxis]
    middle = slice(200, 600)
    shares: dict[Band, float] = {"lowpass": low, "highpass": high}
    for band, share in shares.items():
        found = butterworth(tone, RATE, band, (6.0,), 4)
        np.testing.assert_allclose(found[middle], share * tone[middle], atol=0.01)


def test_the_notch_takes_its_frequency_and_leaves_the_others() -> None:
    hum, wave = np.sin(2 * np.pi * 50 * TIME), np.sin(2 * np.pi * 3 * TIME)
    found = notch((hum + wave)[:, np.newaxis], RATE, 50.0, 30.0)[:, 0]
    assert np.abs(found - wave)[200:600].max() < 0.05


@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_a_peak_stays_where_it_is(order: int) -> None:
    time = np.arange(1601) / RATE
    bump = np.exp(-(((time - 4.0) / 0.05) ** 2))[:, np.newaxis]
    for found in (
        butterworth(bump, RATE, "lowpass", (6.0,), order),
        butterworth(bump, RATE, "bandpass", (1.0, 20.0), order),
        envelope(bump, RATE, 6.0, order),
    ):
        assert int(found.argmax()) == int(bump.argmax()) == 800
        np.testing.assert_allclose(found, found[::-1], atol=1e-3)
