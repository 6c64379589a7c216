"""Arithmetic along time: gaps, holes and linear time normalisation. Plain arrays in, plain arrays out.

Interpolation is written out rather than left to ``np.interp``, whose compiled loop may fuse a multiply and an add
on some processors and so change the last bit, and with it the digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.errors import UserError

Doubles = npt.NDArray[np.float64]

DEFAULT_TIMESTEPS: Final = 101
RAGGED: Final = 1.5  # a step longer than this many median steps is a gap


def check_timesteps(timesteps: int) -> None:
    """Check a number of time points after resampling.

    Raises:
        UserError: it is 1, or negative.
    """
    if timesteps == 1 or timesteps < 0:
        raise UserError(f"timesteps is {timesteps}, expected 0 (as recorded) or at least 2")


def percent_axis(timesteps: int) -> tuple[float, ...]:
    """The time axis after normalisation: 0 to 100 % in ``timesteps`` points."""
    return tuple((100.0 * np.arange(timesteps) / (timesteps - 1)).tolist())


def interpolate(at: Doubles, time: Doubles, values: Doubles) -> Doubles:
    """Linear interpolation of ``values (n, ...)``, sampled at increasing ``time (n,)``, at the times ``at (m,)``.

    ``n`` is at least 2 and ``at`` lies within ``time``; a time that was sampled gives its sample exactly.
    """
    left = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    share = (at - time[left]) / (time[left + 1] - time[left])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    low, high = values[left], values[left + 1]
    # Exact at both ends: share 0 gives low, share 1 gives high, without a rounding error.
    return np.where(share < 0.5, low + share * (high - low), high - (1.0 - share) * (high - low))


def normalise(time: Doubles, values: Doubles, timesteps: int) -> Doubles:
    """``values (n, features)`` at ``timesteps`` evenly spaced times from the first sample to the last."""
    shares = np.arange(timesteps) / (timesteps - 1)
    grid = time[0] + (time[-1] - time[0]) * shares
    grid[-1] = time[-1]
    return interpolate(grid, time, values)


def missing_samples(time: Doubles) -> npt.NDArray[np.int64]:
    """How many samples each step of ``time (n,)`` lacks, shape ``(n - 1,)``: 0 for all but ragged steps."""
    steps = np.diff(time)
    usual = np.median(steps)
    ragged = steps > RAGGED * usual
    if not ragged.any():
        return np.zeros(len(steps), dtype=np.int64)
    return np.where(ragged, np.maximum(np.rint(np.minimum(steps / usual, 2.0**31)) - 1, 1), 0).astype(np.int64)


def missing_share(time: Doubles, values: Doubles) -> float:
    """Share of the values of a trial, ``time (n,)`` and ``values (n, features)``, that are not there or no numbers."""
    absent = int(missing_samples(time).sum())
    holes = int((~np.isfinite(values)).sum()) + absent * values.shape[1]
    return float(holes / ((len(time) + absent) * values.shape[1]))


def irregular_trials(time: Doubles, bounds: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which trials have a step that `missing_samples` would find ragged, shape ``(trials,)``.

    ``time`` holds the times of all trials, one trial after the other; trial ``i`` goes from ``bounds[i]`` to
    ``bounds[i + 1]``. Trials of one length are looked at together.
    """
    starts, lengths = np.asarray(bounds[:-1]), np.diff(bounds)
    irregular = np.zeros(len(starts), dtype=np.bool_)
    for length in np.unique(lengths[lengths > 2]):  # a single step is the usual one
        these = np.flatnonzero(lengths == length)
        steps = np.diff(time[starts[these, np.newaxis] + np.arange(length)], axis=1)
        irregular[these] = (steps > RAGGED * np.median(steps, axis=1, keepdims=True)).any(axis=1)
    return irregular


def insert_missing(time: Doubles, values: Doubles, missing: npt.NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Put ``missing`` evenly spaced times into each step; their values are NaN until interpolated."""
    before = np.repeat(np.arange(1, len(time)), missing)
    nth = np.concatenate([np.arange(1, count + 1) for count in missing])
    share = nth / (np.repeat(missing, missing) + 1)
    added = time[before - 1] + share * (time[before] - time[before - 1])
    return np.insert(time, before, added), np.insert(values, before, np.nan, axis=0)


def longest_hole(present: npt.NDArray[np.bool_]) -> int:
    """Length of the longest run of missing samples, or -1 if the first or last sample is missing."""
    if not (present[0] and present[-1]):
        return -1
    return int(np.diff(np.flatnonzero(present)).max()) - 1


def fill_holes(time: Doubles, values: Doubles) -> Doubles:
    """``values (n, features)`` with its non-finite samples, none of them first or last, interpolated over time."""
    filled = values.copy()
    for feature in range(values.shape[1]):
        present = np.isfinite(values[:, feature])
        if not present.all():
            filled[~present, feature] = interpolate(time[~present], time[present], values[present, feature])
    return filled
