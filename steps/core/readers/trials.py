"""From the long table to single recordings: one per trial, whose clock goes forward and has no gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.readers import clock
from steps.core.readers.counted import MUCH_CUT, Filled, Said
from steps.core.readers.exclude import Named, Names, excluded, note, told
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import (
    Doubles,
    fill_holes,
    insert_missing,
    irregular_trials,
    longest_hole,
    missing_samples,
    missing_share,
)
from steps.core.readers.validate import is_control
from steps.errors import UserError, shown

_KEYS = ("subject", "label", "trial", "test_number")
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Recording:
    """One trial: increasing ``time (n,)`` and finite ``values (n, features)``, both float64.

    Where gaps were filled or ends cut, ``missing`` is the share of values that were missing before, and ``raw`` the
    values as they were, ``(m, features)``, NaN or infinite where missing. Of processed trials ``raw`` are the values
    before that. ``side`` of the body, where files say it; ``row`` of the table where it begins.
    """

    subject: str
    label: str
    trial: str
    test_number: str
    is_control: bool
    time: Doubles
    values: Doubles
    missing: float = 0.0
    raw: Doubles | None = None
    side: str = ""
    row: int = 0

    def column(self, feature: int) -> Doubles:
        """The values of one feature, shape ``(n,)``."""
        return self.values[:, feature]

    @property
    def recorded(self) -> Doubles:
        """The values as they were recorded, ``(m, features)``, NaN or infinite where missing."""
        return self.values if self.raw is None else self.raw


def recordings(
    table: LongTable, max_gap: int, *, trim: bool = False, exclude: Names = ()
) -> tuple[LongTable, list[Recording], list[str]]:
    """`split`, with what there is to say as sentences."""
    table, trials, said = split(table, max_gap, trim=trim, exclude=exclude)
    return table, trials, [*([note(table.excluded)] if table.excluded else []), *said.notes(max_gap)]


def split(
    table: LongTable, max_gap: int, *, trim: bool = False, exclude: Names = ()
) -> tuple[LongTable, list[Recording], Said]:
    """Split a checked long table into trials and fill gaps of up to ``max_gap`` samples.

    Args:
        table: as read and checked.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where any feature is missing.
        exclude: trials to leave out; nothing is said of gaps and clocks in them.

    Returns:
        The table, which says what was excluded; the trials, in order of first appearance; and what was interpolated
        and cut, or looks odd.

    Raises:
        UserError: trials to exclude that are not there, a duplicate trial or time point, a clock that goes back within
            a trial, a trial of one time point, a gap longer than ``max_gap``, or one that another trial of the subject
            lies in.
    """
    trial = _trial_numbers(table)
    check_one_file_per_trial(table, trial)
    order, time, values = _in_order(trial, table)
    if exclude:
        table, kept = _without(table, trial, exclude)
        rows = kept[trial[order]]
        order, time, values = order[rows], time[rows], values[rows]
    is_next = np.diff(trial[order]) != 0
    clock.check_forward(table, order, time, is_next)
    starts = np.flatnonzero(np.concatenate([[True], is_next]))
    bounds = [*starts.tolist(), len(order)]
    gaps = _Gaps(table, clock.OtherTrials(table, trial), max_gap, trim)
    irregular = irregular_trials(time, bounds) | _incomplete_trials(table, values, starts)
    first = order[starts]
    names = {key: _names(table, key, first) for key in _KEYS}
    sides = _names(table, "side", first) if "side" in table.frame else [""] * len(first)
    control = is_control(table.frame).to_numpy()[first].tolist()
    trials = []
    for i, (start, stop) in enumerate(pairwise(bounds)):
        if stop - start < 2:
            raise UserError(f"{table.where(int(first[i]))}: the trial has 1 time point, expected at least 2")
        times, block, missing, raw = time[start:stop], values[start:stop], 0.0, None
        if irregular[i]:
            missing, raw = missing_share(times, block), block
            times, block = gaps.closed(order[start:stop], times, block)
        trials.append(
            Recording(
                subject=names["subject"][i],
                label=names["label"][i],
                trial=names["trial"][i],
                test_number=names["test_number"][i],
                is_control=control[i],
                time=times,
                values=block,
                missing=missing,
                raw=raw,
                side=sides[i],
                row=int(first[i]),
            )
        )
    return table, trials, _said(table, gaps.filled, values, order, bounds)


def _without(table: LongTable, trial: Rows, exclude: Names) -> tuple[LongTable, npt.NDArray[np.bool_]]:
    """The table with the names of the trials left out, and which trials are kept, shape ``(trials,)``."""
    _, first = np.unique(trial, return_index=True)
    columns = [_names(table, key, first) for key in _KEYS]
    named = [Named(*names) for names in zip(*columns, strict=True)]
    left_out = excluded(named, exclude)
    return replace(table, excluded=told(named, left_out)), ~left_out


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
    """The rows by trial, within a trial in the order of the file, and their times and values."""
    time = table.frame["time"].to_numpy()
    if (np.diff(trial) >= 0).all():
        return np.arange(len(trial)), time, table.values  # in order already, so nothing is copied
    order = np.argsort(trial, kind="stable")
    return order, time[order], table.values[order]


def _said(table: LongTable, filled: Filled, values: Doubles, order: Rows, bounds: Sequence[int]) -> Said:
    """With trials that two recordings seem to have been sorted into; in a folder each has its own file."""
    starts = np.asarray(bounds[:-1])
    if len(table.origins) > 1:
        return Said(filled, trials=len(starts))
    odd = clock.alternating_trials(values, starts, np.diff(bounds))
    first = table.where(int(order[starts[odd[0]]])) if len(odd) else ""
    return Said(filled, len(odd), first, len(starts))


def _incomplete_trials(table: LongTable, values: Doubles, starts: Rows) -> npt.NDArray[np.bool_]:
    """Which trials lack a value, shape ``(trials,)``."""
    if np.isfinite(table.largest):
        return np.zeros(len(starts), dtype=np.bool_)
    return np.logical_or.reduceat(~np.isfinite(values).all(axis=1), starts)


def _names(table: LongTable, key: str, rows: Rows) -> list[str]:
    column = table.frame[key].cat
    names = column.categories.tolist()
    return [names[code] for code in column.codes.to_numpy()[rows].tolist()]


def check_one_file_per_trial(table: LongTable, trial: Rows | None = None) -> None:
    """Check that no two files are one trial.

    Args:
        table: as read.
        trial: the number of the trial of each row, where that is known.

    Raises:
        UserError: two are.
    """
    if len(table.origins) == 1:
        return
    trial = _trial_numbers(table) if trial is None else trial
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


@dataclass(frozen=True, eq=False)
class _Gaps:
    """Closes the gaps of trials, or says why not."""

    table: LongTable
    others: clock.OtherTrials
    max_gap: int
    trim: bool
    filled: Filled = field(default_factory=Filled)

    def closed(self, rows: Rows, time: Doubles, values: Doubles) -> tuple[Doubles, Doubles]:
        """Time ``(n,)`` and values ``(n, features)`` of the trial in ``rows (n,)``, trimmed and without gaps."""
        if self.trim:
            rows, time, values = self._trimmed(rows, time, values)
        missing = missing_samples(time)
        if missing.any():
            self.others.check(rows, time, missing)
        worst = int(missing.argmax())
        if missing[worst] > self.max_gap:
            raise UserError(
                f"{self.table.trial(int(rows[0]))}: ragged time, {missing[worst]} samples are missing after time "
                f"{clock.stamp(time[worst])} (the next is {clock.stamp(time[worst + 1])}, the usual step "
                f"{np.median(np.diff(time)):g}); expected even steps or max_gap of at least {missing[worst]} "
                f"(it is {self.max_gap})"
            )
        is_finite = np.isfinite(values)
        cells = int((~is_finite).sum())
        if not cells and not missing.any():
            return time, values
        time_all, values_all = insert_missing(time, values, missing) if missing.any() else (time, values)
        for feature in np.flatnonzero(~np.isfinite(values_all).all(axis=0)):
            hole = longest_hole(np.isfinite(values_all[:, feature]))
            if not (0 <= hole <= self.max_gap or is_finite[:, feature].all()):
                self._refuse(rows, time, values, int(feature), hole)
        self.filled.points += int(missing.sum())
        self.filled.cells += cells
        self.filled.trials += 1
        return time_all, fill_holes(time_all, values_all)

    def _trimmed(self, rows: Rows, time: Doubles, values: Doubles) -> tuple[Rows, Doubles, Doubles]:
        complete = np.flatnonzero(np.isfinite(values).all(axis=1))
        if len(complete) < 2:
            raise UserError(
                f"{self.table.trial(int(rows[0]))}: {len(complete)} of {len(rows)} samples have a number in every "
                "column, expected at least 2 to be left after trimming; remove the trial or the columns that are empty"
            )
        kept = slice(int(complete[0]), int(complete[-1]) + 1)
        cut = len(rows) - len(rows[kept])
        self.filled.cut += cut
        self.filled.cut_trials += cut > 0
        self.filled.most_cut = max(self.filled.most_cut, cut / len(rows))
        return rows[kept], time[kept], values[kept]

    def _refuse(self, rows: Rows, time: Doubles, values: Doubles, feature: int, hole: int) -> NoReturn:
        present = np.isfinite(values[:, feature])
        bad = int(np.flatnonzero(~present)[0])
        if not present.any():
            why = "like all of the trial"
            expected = "a number; remove the trial or the column"
        elif hole < 0:  # name the end that cannot be filled
            bad = 0 if not present[0] else len(time) - 1
            why = f"a gap at the {'start' if bad == 0 else 'end'} of a trial, which max_gap cannot fill"
            expected = "a number, or trim=true, which cuts a trial's first and last samples where a value is missing"
            long = int((present[::-1] if bad else present).argmax())
            if long > MUCH_CUT * len(time):
                expected = (
                    f"a number: {long} of {len(time)} are missing there; a column of another sampling rate needs files "
                    "of its own (sources in study.yaml), or can be left out"
                )
        else:
            why = f"a gap of {hole} samples"
            expected = f"a number, or a gap inside the trial of up to max_gap samples (it is {self.max_gap})"
        value = values[bad, feature]
        raise UserError(
            f"{self.table.where(int(rows[bad]))}: column {shown(self.table.features[feature])} holds "
            f"{'no number (empty or NaN)' if np.isnan(value) else value} at time {clock.stamp(time[bad])}, {why}; "
            f"expected {expected}"
        )
