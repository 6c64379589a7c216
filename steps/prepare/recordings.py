"""From the long table to single recordings: one per trial, in order of time and without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.errors import UserError
from steps.prepare.long import LongTable
from steps.prepare.read import shown
from steps.prepare.resample import Doubles, fill_holes, insert_missing, irregular_trials, longest_hole, missing_samples
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
    trial = _trial_numbers(table)
    _check_one_file_per_trial(table, trial)
    order, time, values = _in_order(trial, table)
    is_next = np.diff(trial[order]) != 0
    _check_times(table, order, time, is_next)
    starts = np.flatnonzero(np.concatenate([[True], is_next]))
    bounds = [*starts.tolist(), len(order)]
    irregular = irregular_trials(time, bounds) | _incomplete_trials(table, values, starts)
    first = order[starts]
    names = {key: _names(table, key, first) for key in _KEYS}
    control = is_control(table.frame).to_numpy()[first].tolist()
    filled = Filled()
    found = []
    for i, (start, stop) in enumerate(pairwise(bounds)):
        if stop - start < 2:
            raise UserError(f"{table.where(int(first[i]))}: the trial has 1 time point, expected at least 2")
        times, block = time[start:stop], values[start:stop]
        if irregular[i]:
            times, block = _without_gaps(table, order[start:stop], times, block, max_gap, filled)
        found.append(
            Recording(
                subject=names["subject"][i],
                label=names["label"][i],
                trial=names["trial"][i],
                test_number=names["test_number"][i],
                is_control=control[i],
                time=times,
                values=block,
            )
        )
    return found, filled.notes(max_gap)


def _trial_numbers(table: LongTable) -> Rows:
    """The number of the trial that each row belongs to, in order of first appearance."""
    columns = [table.frame[key].cat for key in _KEYS]
    codes = [column.codes.to_numpy() for column in columns]
    is_next = np.zeros(len(table.frame), dtype=np.bool_)
    is_next[0] = True
    for code in codes:
        is_next[1:] |= code[1:] != code[:-1]
    starts = np.flatnonzero(is_next)  # rows of a trial mostly stand together, and there are far fewer trials than rows
    trial = np.zeros(len(starts), dtype=np.int64)
    for column, code in zip(columns, codes, strict=True):
        trial = pd.factorize(trial * len(column.categories) + code[starts])[0].astype(np.int64)
    return np.repeat(trial, np.diff([*starts, len(is_next)]))


def _in_order(trial: Rows, table: LongTable) -> tuple[Rows, Doubles, Doubles]:
    """The rows by trial and time, and their times and values."""
    time = table.frame["time"].to_numpy()
    same_trial = np.diff(trial) == 0
    if (np.diff(trial) >= 0).all() and (np.diff(time)[same_trial] >= 0).all():
        return np.arange(len(trial)), time, table.values  # as they are: a copy of all values less
    order = np.lexsort((time, trial))
    return order, time[order], table.values[order]


def _check_times(table: LongTable, order: Rows, time: Doubles, is_next: npt.NDArray[np.bool_]) -> None:
    repeated = np.flatnonzero(~is_next & (np.diff(time) == 0))
    if len(repeated):
        rows = sorted(order[repeated[0] : repeated[0] + 2].tolist())
        raise UserError(
            f"{table.where(rows[1])}: duplicate trial or time point, time {time[repeated[0]]:g} was already given in "
            f"{table.where(rows[0])}; expected every time once per trial"
        )


def _incomplete_trials(table: LongTable, values: Doubles, starts: Rows) -> npt.NDArray[np.bool_]:
    """Which trials lack a value, shape ``(trials,)``."""
    if np.isfinite(table.largest):
        return np.zeros(len(starts), dtype=np.bool_)
    return np.logical_or.reduceat(~np.isfinite(values).all(axis=1), starts)


def _names(table: LongTable, key: str, rows: Rows) -> list[str]:
    column = table.frame[key].cat
    names = column.categories.tolist()
    return [names[code] for code in column.codes.to_numpy()[rows].tolist()]


def _check_one_file_per_trial(table: LongTable, trial: Rows) -> None:
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
