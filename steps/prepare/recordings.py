"""From the long table to single recordings: one per trial, in order of time and without gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.errors import UserError
from steps.prepare.long import LongTable
from steps.prepare.read import shown
from steps.prepare.resample import Doubles, fill_holes, insert_missing, longest_hole, missing_samples
from steps.prepare.validate import is_control

_KEYS = ("subject", "label", "trial", "test_number")
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Recording:
    """One trial: increasing ``time (n,)`` and finite ``values (n, features)``, both float64."""

    subject: str
    label: str
    trial: str
    test_number: str
    is_control: bool
    time: Doubles
    values: Doubles


@dataclass
class Filled:
    """What was interpolated, counted for the notes."""

    points: int = 0
    cells: int = 0
    trials: int = 0

    def notes(self, max_gap: int) -> list[str]:
        """One sentence if anything was interpolated."""
        if not self.trials:
            return []
        return [
            f"Interpolated {self.points} missing time points and {self.cells} missing values in {self.trials} trials "
            f"(gaps of up to {max_gap} samples)."
        ]


def recordings(table: LongTable, max_gap: int) -> tuple[list[Recording], list[str]]:
    """Split a checked long table into trials, sort them by time and fill gaps of up to ``max_gap`` samples.

    Returns:
        The trials, in order of first appearance, and notes on what was interpolated.

    Raises:
        UserError: a duplicate trial or time point, a trial of one time point, or a gap longer than ``max_gap``.
    """
    frame = table.frame
    time = frame["time"].to_numpy()
    # Row-major once, so that each trial is one contiguous block below.
    values = np.column_stack([frame[name].to_numpy() for name in table.features])
    control = is_control(frame).to_numpy()
    identities = {key: frame[key].cat.categories.to_numpy(dtype=object)[frame[key].cat.codes] for key in _KEYS}
    filled = Filled()
    found = []
    for rows in _trials(table, time):
        first = int(rows[0])
        times, block = _without_gaps(table, rows, time[rows], values[rows], max_gap, filled)
        found.append(
            Recording(
                **{key: str(identities[key][first]) for key in _KEYS},
                is_control=bool(control[first]),
                time=times,
                values=block,
            )
        )
    return found, filled.notes(max_gap)


def _trials(table: LongTable, time: Doubles) -> Iterator[Rows]:
    """The rows of each trial, sorted by time."""
    trial = np.zeros(len(table.frame), dtype=np.int64)
    for key in _KEYS:
        column = table.frame[key].cat
        trial = pd.factorize(trial * len(column.categories) + column.codes.to_numpy())[0].astype(np.int64)
    _check_one_file_per_trial(table, trial)
    order = np.lexsort((time, trial))
    sorted_trial, sorted_time = trial[order], time[order]
    same_trial = np.diff(sorted_trial) == 0
    repeated = np.flatnonzero(same_trial & (np.diff(sorted_time) == 0))
    if len(repeated):
        rows = sorted(order[repeated[0] : repeated[0] + 2].tolist())
        raise UserError(
            f"{table.where(rows[1])}: duplicate trial or time point, time {time[rows[0]]:g} was already given in "
            f"{table.where(rows[0])}; expected every time once per trial"
        )
    bounds = np.concatenate([[0], np.flatnonzero(~same_trial) + 1, [len(order)]])
    for start, stop in pairwise(bounds.tolist()):
        if stop - start < 2:
            raise UserError(f"{table.where(int(order[start]))}: the trial has 1 time point, expected at least 2")
        yield order[start:stop]


def _check_one_file_per_trial(table: LongTable, trial: npt.NDArray[np.int64]) -> None:
    if len(table.origins) == 1:
        return
    of_file = trial[list(table.starts)]
    unique, first = np.unique(of_file, return_index=True)
    if len(unique) < len(of_file):
        second = int(np.setdiff1d(np.arange(len(of_file)), first)[0])
        original = int(np.flatnonzero(of_file == of_file[second])[0])
        row = table.starts[second]
        raise UserError(
            f"{table.origins[second]} is a duplicate trial: {table.origins[original]} has the same subject "
            f"{table.frame['subject'].iat[row]!r} and trial {table.frame['trial'].iat[row]!r}"
        )


def _without_gaps(
    table: LongTable, rows: Rows, time: Doubles, values: Doubles, max_gap: int, filled: Filled
) -> tuple[Doubles, Doubles]:
    missing = missing_samples(time)
    worst = int(missing.argmax())
    if missing[worst] > max_gap:
        raise UserError(
            f"{table.trial(int(rows[0]))}: ragged time, {missing[worst]} samples are missing after time "
            f"{time[worst]:g} (the next is {time[worst + 1]:g}, the usual step {np.median(np.diff(time)):g}); "
            f"expected even steps or max_gap of at least {missing[worst]} (it is {max_gap})"
        )
    is_finite = np.isfinite(values)
    cells = int((~is_finite).sum())
    if not cells and not missing.any():
        return time, values
    row_of = np.arange(len(time)) + np.concatenate([[0], np.cumsum(missing)])
    time_all, values_all = insert_missing(time, values, missing) if missing.any() else (time, values)
    for feature in np.flatnonzero(~np.isfinite(values_all).all(axis=0)):
        hole = longest_hole(np.isfinite(values_all[:, feature]))
        if 0 <= hole <= max_gap or is_finite[:, feature].all():
            continue
        bad = int(np.flatnonzero(~is_finite[:, feature])[0])
        if hole < 0:  # name the end that cannot be filled
            bad = 0 if not is_finite[0, feature] else len(time) - 1
        why = f"a gap of {hole} samples" if hole > 0 else "a gap at the start or end of a trial"
        value = values[bad, feature]
        raise UserError(
            f"{table.where(int(rows[bad]))}: column {shown(table.features[feature])} holds "
            f"{'no number (empty or NaN)' if np.isnan(value) else value} at time {time_all[row_of[bad]]:g}, {why}; "
            f"expected a number, or a gap inside the trial of up to max_gap samples (it is {max_gap})"
        )
    filled.points += int(missing.sum())
    filled.cells += cells
    filled.trials += 1
    return time_all, fill_holes(time_all, values_all)
