"""Filters that run forwards and backwards, so that nothing is shifted in time: those of SciPy, as they are."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, filtfilt, iirnotch, sosfiltfilt

Doubles = npt.NDArray[np.float64]
Band = Literal["lowpass", "highpass", "bandpass"]

NOTCH_NEEDS: Final = 9  # samples, as `butterworth_needs`


def butterworth(values: Doubles, rate: float, band: Band, cutoff: tuple[float, ...], order: int) -> Doubles:
    """A Butterworth filter, forwards and backwards (`scipy.signal.butter` as sections, `scipy.signal.sosfiltfilt`).

    As it runs twice, half of a wave at the cut-off is left (-6 dB), and slopes are those of twice the order. At each
    end a recording goes on for a period of the lowest cut-off, as a reflection through its last sample: with SciPy's
    own few samples a filter that is slow beside the rate leaves ends that are far off (docs/prepare.md).

    Args:
        values: finite, shape ``(n, features)``; ``n`` is more than `butterworth_needs`.
        rate: samples per second.
        band: what passes.
        cutoff: in Hz, below half the rate; two of a band.
        order: of the filter that is run twice.
    """
    sections = butter(order, cutoff if len(cutoff) > 1 else cutoff[0], band, fs=rate, output="sos")
    padding = _padding(len(values), butterworth_needs(band, order), rate / min(cutoff))
    return np.asarray(sosfiltfilt(sections, values, axis=0, padlen=padding), dtype=np.float64)


def butterworth_needs(band: Band, order: int) -> int:
    """How many samples SciPy puts at each end: a recording has to have more than that."""
    poles = 2 * order if band == "bandpass" else order
    return 3 * (poles + 1)


def notch(values: Doubles, rate: float, frequency: float, quality: float) -> Doubles:
    """One frequency taken out, forwards and backwards (`scipy.signal.iirnotch`, `scipy.signal.filtfilt`).

    Args:
        values: finite, shape ``(n, features)``; ``n`` is more than `NOTCH_NEEDS`.
        rate: samples per second.
        frequency: in Hz, below half the rate.
        quality: the frequency divided by the width that is taken out (at -3 dB, in each direction).
    """
    padding = _padding(len(values), NOTCH_NEEDS, rate * quality / frequency)
    weights = iirnotch(frequency, quality, fs=rate)
    return np.asarray(filtfilt(*weights, values, axis=0, padlen=padding), dtype=np.float64)


def _padding(samples: int, least: int, wanted: float) -> int:
    return min(samples - 1, max(least, math.ceil(wanted)))


def envelope(values: Doubles, rate: float, cutoff: float, order: int) -> Doubles:
    """Magnitudes of ``values (n, features)`` below ``cutoff`` Hz, as `butterworth` filters."""
    return butterworth(np.abs(values), rate, "lowpass", (cutoff,), order)
