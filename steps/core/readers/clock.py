"""Checks of the times of a study: they increase, gaps are real, and trials share a sampling rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.data.timing import SamplingRate
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.errors import UserError, shown

Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

LATEST: Final = 1e20  # nanoseconds since 1970 are 2e18
NOISE: Final = 1e-6  # steps by which samples may lie apart and yet be at the same time
RATE_TOLERANCE: Final = 0.002  # 59.94 and 60 per second are one rate
_ALTERNATING_SAMPLES: Final = 16
_ALTERNATING: Final = 4.0
_LISTED_RATES: Final = 4


def stamp(time: float) -> str:
    """A time as a message prints it: all digits, as two times of a long clock differ in the last ones."""
    return f"{time:.15g}"


def check_forward(table: LongTable, order: Rows, time: Doubles, is_next: Flags) -> None:
    """Whether the clock of every trial goes forward from row to row.

    Rows are never sorted by time: where a clock goes back, two recordings may have one name, or the file may be
    reversed, and nobody but the user knows.

    Args:
        table: as read.
        order: its rows, trial after trial, each trial's in the order of the file, shape ``(rows,)``.
        time: their times, same shape.
        is_next: whether the row after is of another trial, shape ``(rows - 1,)``.

    Raises:
        UserError: a time is too large to tell neighbours apart, occurs twice, or is smaller than the one before.
    """
    if not np.abs(time).max() <= LATEST:
        at = int(np.flatnonzero(np.abs(time) > LATEST)[0])
        raise UserError(f"{table.where(int(order[at]))}: time is {stamp(time[at])}, expected up to {LATEST:g}")
    wrong = ~is_next & ~(np.diff(time) > 0)
    if not wrong.any():
        return
    _check_once(table, order, time)
    at = int(np.flatnonzero(wrong)[0])
    raise UserError(
        f"{table.where(int(order[at + 1]))}: time goes back to {stamp(time[at + 1])}, after {stamp(time[at])} in row "
        f"{_row_number(table, int(order[at]))}; expected the rows of a trial in order of time: if they are two "
        "recordings, give each a trial name of its own; if they are one, sort its rows by time"
    )


def _check_once(table: LongTable, order: Rows, time: Doubles) -> None:
    keys = [table.frame[key].cat.codes.to_numpy()[order] for key in ("subject", "label", "trial", "test_number")]
    by_time = np.lexsort((time, *keys))
    same = np.diff(time[by_time]) == 0
    for key in keys:
        same &= np.diff(key[by_time]) == 0
    repeated = np.flatnonzero(same)
    if len(repeated):
        at = by_time[repeated[0] : repeated[0] + 2]
        first, second = sorted(order[at].tolist())
        raise UserError(
            f"{table.where(second)}: duplicate trial or time point, time {stamp(time[at[0]])} was already given in "
            f"{table.where(first)}; expected every time once per trial"
        )


def _row_number(table: LongTable, row: int) -> int:
    return row - table.starts[table.origin(row)] + table.first_row


@dataclass(frozen=True)
class OtherTrials:
    """Looks for what a subject's other trials hold where one has a gap.

    Attributes:
        table: as read.
        trial: the number of the trial of each of its rows, shape ``(rows,)``.
    """

    table: LongTable
    trial: Rows

    @cached_property
    def _by_subject(self) -> tuple[Rows, Rows]:
        """Rows by subject, and where each subject's begin."""
        codes = self.table.frame["subject"].cat.codes.to_numpy()
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(codes.max() + 2))

    def check(self, rows: Rows, time: Doubles, missing: npt.NDArray[np.int64]) -> None:
        """Whether the gaps of a trial are gaps in the recording, and not the places of other trials.

        A trial lies in a gap if it has samples there and none beside this trial's own: clocks that begin anew with
        every trial overlap, and say nothing.

        Args:
            rows: the trial's rows, in order of time, shape ``(n,)``.
            time: their times, same shape.
            missing: how many samples each step lacks, shape ``(n - 1,)``.

        Raises:
            UserError: another trial of the same subject lies in a gap.
        """
        order, starts = self._by_subject
        subject = int(self.table.frame["subject"].cat.codes.to_numpy()[rows[0]])
        others = order[starts[subject] : starts[subject + 1]]
        others = others[self.trial[others] != self.trial[rows[0]]]
        at = self.table.frame["time"].to_numpy()[others]
        step = np.searchsorted(time, at, side="right") - 1  # the step of this trial that each sample falls into
        within = (step >= 0) & (at <= time[-1])
        step = np.clip(step, 0, len(missing) - 1)
        in_gap = within & (missing[step] > 0) & (at > time[step]) & (at < time[step + 1])
        inside = in_gap & ~np.isin(self.trial[others], self.trial[others[within & ~in_gap]])
        if not inside.any():
            return
        first = int(np.flatnonzero(inside)[0])
        gap, row = int(step[first]), int(others[first])
        names = {key: str(self.table.frame[key].iat[row]) for key in ("label", "trial", "test_number")}
        own = {key: str(self.table.frame[key].iat[int(rows[0])]) for key in names}
        differing = [f"{key} {shown(name)}" for key, name in names.items() if name != own[key]]
        changes = " (the label changes within the trial)" if names["trial"] == own["trial"] else ""
        raise UserError(
            f"{self.table.trial(int(rows[0]))}: between time {stamp(time[gap])} and {stamp(time[gap + 1])} the subject "
            f"was recorded as {', '.join(differing)} (row {_row_number(self.table, row)}){changes}, so the stretches "
            "before and after are no single trial; give each stretch a trial name of its own"
        )


def alternating_trials(values: Doubles, starts: Rows, lengths: Rows) -> Rows:
    """Trials whose successive samples jump between two levels, as two recordings do that were sorted into one.

    Args:
        values: of all trials, one after the other, shape ``(rows, features)``; may hold non-finite ones.
        starts: first row of each trial, shape ``(trials,)``.
        lengths: rows of each, same shape.

    Returns:
        Indices of trials where in some feature a sample is four times as far from the next as from the one after,
        judged by the first 16 samples; shorter trials are never among them.
    """
    long = np.flatnonzero(lengths >= _ALTERNATING_SAMPLES)
    with np.errstate(invalid="ignore", over="ignore"):
        head = values[starts[long, np.newaxis] + np.arange(_ALTERNATING_SAMPLES)]
        one, two = (np.abs(head[:, apart:] - head[:, :-apart]).mean(axis=1) for apart in (1, 2))
        odd: Rows = long[(one > _ALTERNATING * two).any(axis=1)]
    return odd


def mean_steps(times: Iterable[Doubles]) -> Doubles:
    """The mean step of every trial, shape ``(trials,)``, from its ``(n,)`` times."""
    return np.array([(time[-1] - time[0]) / (len(time) - 1) for time in times])


def differing_rates(steps: Doubles, lengths: Rows, low: float, high: float) -> Flags:
    """Which trials have another sampling rate, shape ``(trials,)``.

    Args:
        steps: mean step of each trial, shape ``(trials,)``.
        lengths: its samples, same shape.
        low: the smallest step that counts as the same.
        high: the largest.

    Returns:
        True where the step is more than 0.2% outside, and the last sample more than half a step from where it would be.
    """
    margin = np.maximum(RATE_TOLERANCE, 0.5 / (lengths - 1))
    return (steps < low * (1 - margin)) | (steps > high * (1 + margin))


def rates(steps: Doubles) -> list[SamplingRate]:
    """Every distinct sampling rate, in samples per unit of time, with its number of trials, ascending."""
    counts = Counter(float(f"{rate:.6g}") for rate in (1 / np.maximum(steps, 1e-300)).tolist())
    return [SamplingRate(rate=rate, trials=counts[rate]) for rate in sorted(counts)]


def described_rates(sampling: Sequence[SamplingRate]) -> str:
    """Rates as text: each with its trials if they are few, else the smallest and the largest."""
    if len(sampling) <= _LISTED_RATES:
        return ", ".join(f"{one.trials} at {one.rate:g}" for one in sampling)
    return f"{len(sampling)} rates from {sampling[0].rate:g} to {sampling[-1].rate:g}"
