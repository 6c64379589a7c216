"""Filters that run forwards and backwards, so that nothing is shifted in time: those of SciPy, as they are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, filtfilt, iirnotch, sosfiltfilt

Doubles = npt.NDArray[np.float64]
Band = Literal["lowpass", "highpass", "bandpass"]


def butterworth(values: Doubles, rate: float, band: Band, cutoff: tuple[float, ...], order: int) -> Doubles:
    """A Butterworth filter, forwards and backwards (`scipy.signal.butter` as sections, `scipy.signal.sosfiltfilt`).

    As it runs twice, half of a wave at the cut-off is left (-6 dB), and slopes are those of twice the order.

    Args:
        values: finite, shape ``(n, features)``; ``n`` is more than `butterworth_padding`.
        rate: samples per second.
        band: what passes.
        cutoff: in Hz, below half the rate; two of a band.
        order: of the filter that is run twice.
    """
    sections = butter(order, cutoff if len(cutoff) > 1 else cutoff[0], band, fs=rate, output="sos")
    return np.asarray(sosfiltfilt(sections, values, axis=0), dtype=np.float64)


def butterworth_padding(band: Band, order: int) -> int:
    """By how many samples a recording is continued at each end, as a reflection through its last sample."""
    poles = 2 * order if band == "bandpass" else order
    return 3 * (poles + 1)


def notch(values: Doubles, rate: float, frequency: float, quality: float) -> Doubles:
    """One frequency taken out, forwards and backwards (`scipy.signal.iirnotch`, `scipy.signal.filtfilt`).

    Args:
        values: finite, shape ``(n, features)``; ``n`` is more than `NOTCH_PADDING`.
        rate: samples per second.
        frequency: in Hz, below half the rate.
        quality: the frequency divided by the width that is taken out (at -3 dB, in each direction).
    """
    return np.asarray(filtfilt(*iirnotch(frequency, quality, fs=rate), values, axis=0), dtype=np.float64)


NOTCH_PADDING = 9


def envelope(values: Doubles, rate: float, cutoff: float, order: int) -> Doubles:
    """Magnitudes of ``values (n, features)`` below ``cutoff`` Hz, as `butterworth` filters."""
    return butterworth(np.abs(values), rate, "lowpass", (cutoff,), order)
