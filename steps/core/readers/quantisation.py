"""The step that recorded values are multiples of: what an amplifier's bits, or a program's decimals, left of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from steps.core.readers.resample import Doubles

# In parts of a feature's largest magnitude in the whole study, so that a large trial and a small one are judged alike.
_FINEST: Final = 1e-4  # a finer step counts as none
_ROUNDING: Final = 2e-7  # what float32 leaves of equal differences
_DIFFERENT_VALUES: Final = 6  # with fewer a step is a guess
_ROUNDS: Final = 60


def quantisation_steps(trials: Sequence[Doubles]) -> Doubles:
    """The step of each trial and feature, shape ``(trials, features)``: 0 for none, NaN where too few values differ.

    Args:
        trials: of each its values as recorded, ``(n, features)``; those that are no numbers are left out.

    It is the greatest common divisor of the differences between neighbouring values in order of size, by Euclid's
    algorithm; differences of continuous values have none that is larger than the last digits.
    """
    largest = np.max([np.abs(values).max(axis=0, where=np.isfinite(values), initial=0.0) for values in trials], axis=0)
    steps = np.array([_steps(np.where(np.isfinite(values), values, np.nan), largest) for values in trials])
    # To two digits: arithmetic leaves the same step a little different in every trial.
    digits = 1 - np.floor(np.log10(np.where(steps > 0, steps, 1.0)))
    return np.asarray(np.round(steps * 10.0**digits) / 10.0**digits)


def _steps(values: Doubles, largest: Doubles) -> Doubles:
    """Of one trial's ``values (n, features)``, shape ``(features,)``."""
    same = _ROUNDING * largest
    gaps = np.diff(np.sort(values, axis=0), axis=0)
    gaps[~(gaps > same)] = 0.0
    known = (gaps > 0).sum(axis=0) >= _DIFFERENT_VALUES - 1
    divisor = np.min(gaps, axis=0, where=gaps > 0, initial=np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(_ROUNDS):
            open_ = known & (divisor >= _FINEST * largest)
            if not open_.any():
                break
            rest = np.abs(gaps[:, open_] - np.round(gaps[:, open_] / divisor[open_]) * divisor[open_])
            rest[rest <= same[open_] * (1 + np.round(gaps[:, open_] / divisor[open_]))] = np.inf
            smaller = rest.min(axis=0)
            if np.isinf(smaller).all():
                break
            divisor[open_] = np.minimum(divisor[open_], smaller)
    return np.where(known, np.where(divisor >= _FINEST * largest, divisor, 0.0), np.nan)
