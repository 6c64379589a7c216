"""Filters are SciPy's: equal to them called directly, no shift in time, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from steps.core.signals.filters import (
    NOTCH_PADDING,
    Band,
    butterworth,
    butterworth_padding,
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
    expected = np.column_stack([signal.sosfiltfilt(sections, column) for column in NOISE.T])
    np.testing.assert_allclose(butterworth(NOISE, RATE, band, cutoff, order), expected, rtol=0, atol=1e-12)
    rectified = np.column_stack([signal.sosfiltfilt(sections, np.abs(column)) for column in NOISE.T])
    if band == "lowpass":
        np.testing.assert_allclose(envelope(NOISE, RATE, cutoff[0], order), rectified, rtol=0, atol=1e-12)


def test_the_notch_is_that_of_scipy() -> None:
    b, a = signal.iirnotch(50.0, 30.0, fs=RATE)
    expected = np.column_stack([signal.filtfilt(b, a, column) for column in NOISE.T])
    np.testing.assert_allclose(notch(NOISE, RATE, 50.0, 30.0), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize(("band", "cutoff"), [("lowpass", (6.0,)), ("highpass", (20.0,)), ("bandpass", (5.0, 60.0))])
def test_padding_is_what_scipy_needs(band: Band, cutoff: tuple[float, ...], order: int) -> None:
    padding = butterworth_padding(band, order)
    butterworth(NOISE[: padding + 1], RATE, band, cutoff, order)
    with pytest.raises(ValueError, match=f"padlen, which is {padding}"):
        butterworth(NOISE[:padding], RATE, band, cutoff, order)


def test_padding_of_the_notch() -> None:
    notch(NOISE[: NOTCH_PADDING + 1], RATE, 50.0, 30.0)
    with pytest.raises(ValueError, match="padlen"):
        notch(NOISE[:NOTCH_PADDING], RATE, 50.0, 30.0)


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
