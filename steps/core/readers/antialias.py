"""Resampling to fewer points than were recorded, without aliasing.

A trial that keeps 1 of 50 samples keeps 1/50 of its frequencies; faster oscillations would come back as slow ones that
were never there. So they are filtered out first: by a windowed sinc at the new points (Kaiser, ten crossings of zero to
each side: the filter of `scipy.signal.resample_poly`), symmetric in time, so that nothing is shifted.

Sums are taken over whole numbers (28 bits of the values, 23 of the weights), which doubles hold exactly, so that their
order, and with it the processor and its linear algebra, cannot change the result or the digest.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import i0

from steps.core.readers.resample import Doubles, normalise

RATIO: Final = 1.5  # steps recorded per step wanted from which a study is filtered; docs/prepare.md says why
_CROSSINGS: Final = 10
_KAISER: Final = 5.0
_VALUE_BITS: Final = 28
_WEIGHT_BITS: Final = 23
_HELD: Final = 1 << 20  # weights


def ratio(samples: int, timesteps: int) -> float:
    """How many recorded steps make a step of the resampled trial."""
    return (samples - 1) / (timesteps - 1)


def resampled(time: Doubles, values: Doubles, timesteps: int, *, filtered: bool) -> Doubles:
    """``values (n, features)`` at ``timesteps`` evenly spaced times from the first sample at ``time (n,)`` to the last.

    Args:
        time: increasing.
        values: finite.
        timesteps: at least 2.
        filtered: remove what ``timesteps`` points cannot hold, if there are more samples; else interpolate linearly.
    """
    if not filtered or len(time) <= timesteps:
        return normalise(time, values, timesteps)
    return _filtered(normalise(time, values, len(time)), timesteps)  # the filter takes samples at even steps


def _filtered(values: Doubles, timesteps: int) -> Doubles:
    """Evenly spaced ``values (n, features)`` at ``timesteps`` points, filtered.

    Beyond its ends a trial goes on as its own reflection through a point, as in `scipy.signal.filtfilt`: a straight
    line goes straight on. The point is not the last sample, whose noise would stay, but the end of a line through the
    samples of the last two steps.
    """
    n = len(values)
    recorded, wanted = np.arange(n)[:, np.newaxis] / (n - 1), np.arange(timesteps)[:, np.newaxis] / (timesteps - 1)
    low, slope = values[0], values[-1] - values[0]
    rest = values - (low + slope * recorded)
    near = _end_weights(n, timesteps)
    start, end = _weighted(near, rest[: len(near)]), _weighted(near, rest[::-1][: len(near)])
    rest = rest - (start + (end - start) * recorded)
    padding, period = int(_CROSSINGS * ratio(n, timesteps)) + 1, 2 * (n - 1)
    at = np.arange(-padding, n + padding + 1) % period
    whole, unit = _whole(rest)
    reflected = whole[np.minimum(at, period - at)] * np.where(at < n, 1.0, -1.0)[:, np.newaxis]
    sums = np.empty((timesteps, values.shape[1]))
    for begin in range(0, timesteps, rows := _rows_at_once(n, timesteps)):
        weights, first = _weights(n, timesteps, begin, min(begin + rows, timesteps))
        for i, (row, place) in enumerate(zip(weights, (first + padding).tolist(), strict=True), begin):
            sums[i] = row @ reflected[place : place + len(row)]
    kept = np.ldexp(sums, -_WEIGHT_BITS) * unit
    return np.asarray(kept + (start + (end - start) * wanted) + (low + slope * wanted), dtype=np.float64)


def _rows_at_once(samples: int, timesteps: int) -> int:
    """Of how many points the weights are held in memory together: a recording may have millions of samples."""
    return max(1, int(_HELD / (2 * _CROSSINGS * ratio(samples, timesteps) + 1)))


@lru_cache(maxsize=4)
def _weights(samples: int, timesteps: int, begin: int, end: int) -> tuple[Doubles, npt.NDArray[np.int64]]:
    """Whole weights ``(end - begin, taps)`` of some points, and the sample at which each row of them begins.

    A row sums to 2^23. Its first sample may lie before the trial, and its last one behind it.
    """
    wide = ratio(samples, timesteps)
    at = np.arange(begin, end) * wide
    taps = int(2 * _CROSSINGS * wide) + 1
    first = np.ceil(at - _CROSSINGS * wide).astype(np.int64)
    distance = (first[:, np.newaxis] + np.arange(taps) - at[:, np.newaxis]) / wide
    inside = np.clip(1 - (distance / _CROSSINGS) ** 2, 0, None)
    weights = np.where(inside > 0, np.sinc(distance) * i0(_KAISER * np.sqrt(inside)), 0.0)
    return _whole_weights(weights), first


@lru_cache(maxsize=4)
def _end_weights(samples: int, timesteps: int) -> Doubles:
    """Whole weights by which the first samples make the value at time 0 of the line fitted to them."""
    count = min(samples, round(2 * ratio(samples, timesteps)) + 1)
    weights: Doubles = _whole_weights((4 * count - 2 - 6 * np.arange(count, dtype=np.float64))[np.newaxis])[0]
    return weights


def _whole_weights(weights: Doubles) -> Doubles:
    """Weights ``(rows, taps)`` as whole numbers that sum to 2^23 exactly in each row."""
    whole: Doubles = np.rint(np.ldexp(weights / weights.sum(axis=1, keepdims=True), _WEIGHT_BITS))
    largest = np.abs(whole).argmax(axis=1)
    whole[np.arange(len(whole)), largest] += 2.0**_WEIGHT_BITS - whole.sum(axis=1)
    return whole


def _weighted(weights: Doubles, values: Doubles) -> Doubles:
    """The weighted sum of ``values (taps, features)``."""
    whole, unit = _whole(values)
    return np.asarray(np.ldexp(weights @ whole, -_WEIGHT_BITS) * unit, dtype=np.float64)


def _whole(values: Doubles) -> tuple[Doubles, Doubles]:
    """``values (n, features)`` as whole numbers of at most 28 bits, and what one of them is worth, ``(features,)``."""
    exponent = np.frexp(np.abs(values).max(axis=0))[1] - _VALUE_BITS
    return np.rint(np.ldexp(values, -exponent)), np.ldexp(1.0, exponent)
