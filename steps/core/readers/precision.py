"""Datasets hold float32 numbers: about seven digits. Values that need more are refused, not rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.errors import UserError, shown

_NOISE: Final = 0.1  # rounding may change values by this share of their spread within trials: -20 dB, and no more
_CLOSE: Final = 64.0  # float32 steps: a wider spread needs no closer look
_SAMPLE: Final = 32  # trials
_DUST: Final = 1e-13  # of a value: what arithmetic in float64 leaves of a constant


def check_precision(table: LongTable, trials: Sequence[Recording], choice: Choice = EVERYTHING) -> None:
    """Check that float32 holds every feature well enough: beside its spread within trials, rounding must be small.

    Whole numbers up to 2**24, constants, and what stands still within a trial beside what varies in others do no harm.

    Raises:
        UserError: rounding to float32 would be more than a tenth of the spread of a feature.
    """
    for i in _close_to_a_step(table, trials):
        columns = [one.column(i) for one in trials]
        if _is_lost(columns):
            whole = np.concatenate(columns)
            way_out = choice.without([table.features[i]])
            low_end, high_end = float(whole.min()), float(whole.max())
            before, after = (len(np.unique(values)) for values in (whole, whole.astype(np.float32)))
            raise UserError(
                f"{table.origins[0]}: column {shown(table.features[i])} does not fit into float32 numbers, of its "
                f"{before} different values {after} remain (they lie between {low_end:.12g} and {high_end:.12g}); "
                f"subtract an offset or convert the unit, or leave it out with {way_out}"
            )


def _close_to_a_step(table: LongTable, trials: Sequence[Recording]) -> list[int]:
    """Features that spread over few float32 steps within trials, if any do."""
    close = np.arange(trials[0].values.shape[1])
    if np.isfinite(table.largest):
        # A cheap bound first: the spread within some trials, compared with the largest value of any feature.
        some = trials[:: max(1, len(trials) // _SAMPLE)]
        spread = np.sqrt(np.sum([np.ptp(one.values, axis=0) ** 2 for one in some], axis=0) / len(trials))
        close = np.flatnonzero(spread < _CLOSE * np.spacing(np.float32(table.largest)))
    if not len(close):
        return []
    low = np.array([one.values[:, close].min(axis=0) for one in trials])
    high = np.array([one.values[:, close].max(axis=0) for one in trials])
    largest = np.maximum(high.max(axis=0), -low.min(axis=0)).astype(np.float32)
    spread = np.sqrt(np.mean((high - low) ** 2, axis=0))
    return [int(i) for i in close[spread < _CLOSE * np.spacing(largest)]]


def _is_lost(columns: Sequence[Doubles]) -> bool:
    varying = [column for column in columns if _varies(column)]
    if not varying:  # constant within trials: then it is trials that it may tell apart
        varying = [np.array([column[0] for column in columns])]
        if not _varies(varying[0]):
            return False
    spread = sum(float(((column - column.mean()) ** 2).sum()) for column in varying)
    error = sum(float(((column.astype(np.float32) - column) ** 2).sum()) for column in varying)
    return error > _NOISE**2 * spread


def _varies(column: Doubles) -> bool:
    return bool(np.ptp(column) > _DUST * np.abs(column).max())
