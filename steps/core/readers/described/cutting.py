"""Recordings cut into trials: by events, by stretches of one label, by windows; in seconds of their clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

from steps.core.data.manifest import WARNING
from steps.core.readers.clock import stamp
from steps.core.readers.described.schema import Windows
from steps.core.readers.resample import RAGGED, Doubles
from steps.errors import UserError, shown

_DUST: Final = 1e-6  # of a step
_NEARLY: Final = 0.1  # of a sample


@dataclass(frozen=True)
class Stretch:
    """A piece of a recording, from ``start`` up to but not including ``end``.

    Attributes:
        start: in seconds.
        end: in seconds.
        label: of the piece; "" where the piece says nothing.
        name: tells it from the recording's other pieces.
        row: of the table of events, for messages; 0 where there is none.
        is_even: whether stretches of this length are to have one number of samples.
    """

    start: float
    end: float
    label: str = ""
    name: str = ""
    row: int = 0
    is_even: bool = True


def usual_step(time: Doubles) -> float:
    """The usual step of increasing ``time (n,)``: the mean of all that are no gaps."""
    steps = np.diff(time)
    return float(steps[steps <= RAGGED * np.median(steps)].mean())


def check_forward(time: Doubles, name: str, lines: Sequence[int] | npt.NDArray[np.int64]) -> None:
    """Check that the clock of a recording goes forward.

    Args:
        time: shape ``(n,)``.
        name: of the recording, for messages.
        lines: the row of each sample.

    Raises:
        UserError: it does not, a time is missing, or there are fewer than two samples.
    """
    if len(time) < 2:
        raise UserError(f"{name} holds {len(time)} samples, expected at least 2")
    if not np.isfinite(time).all():
        raise UserError(f"{name}, row {lines[int(np.argmin(np.isfinite(time)))]}: time is missing, expected a number")
    if not (np.diff(time) > 0).all():
        at = int(np.argmin(np.diff(time) > 0))
        raise UserError(
            f"{name}, row {lines[at + 1]}: time goes from {time[at]:.15g} to {time[at + 1]:.15g}, expected it to go "
            "forward"
        )


def whole(time: Doubles) -> Stretch:
    """All of a recording."""
    return Stretch(float(time[0]), float(time[-1]) + usual_step(time))


def of_one_label(time: Doubles, labels: Sequence[str]) -> list[Stretch]:
    """Stretches of a recording that has a label for each sample; where there is none, nothing is cut.

    Args:
        time: shape ``(n,)``.
        labels: of each sample.
    """
    changes = [i for i in range(1, len(labels)) if labels[i] != labels[i - 1]]
    bounds = [0, *changes, len(labels)]
    ends = [*time.tolist(), float(time[-1]) + usual_step(time)]
    return [
        Stretch(ends[start], ends[stop], labels[start], f"s{number:02d}", is_even=False)
        for number, (start, stop) in enumerate(pairwise(bounds), 1)
        if labels[start]
    ]


def check_overlap(stretches: Sequence[Stretch], where: str) -> None:
    """Check that no sample has two labels.

    Raises:
        UserError: two stretches of different labels overlap; ``where`` is their file.
    """
    ordered = sorted(stretches, key=lambda one: (one.start, one.end))
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 :]:
            if other.start >= one.end:
                break
            if other.label != one.label:
                raise UserError(
                    f"{where}{f', rows {one.row} and {other.row}' if one.row else ''}: {shown(one.label)} from "
                    f"{stamp(one.start)} to {stamp(one.end)} and {shown(other.label)} from {stamp(other.start)} to "
                    f"{stamp(other.end)} overlap; expected one label at a time"
                )


def on_the_clock(stretches: Sequence[Stretch], time: Doubles, name: str, where: str) -> list[Stretch]:
    """Stretches on the clock of a recording: as they are, or counted from its first sample.

    Args:
        stretches: as a table of events says.
        time: of the recording.
        name: of the recording, for messages.
        where: the file of events.

    Raises:
        UserError: they fit neither way.
    """
    margin = usual_step(time)
    first, end = float(time[0]), float(time[-1]) + margin
    outside: list[list[Stretch]] = []
    for offset in (0.0, first):
        moved = [replace(one, start=one.start + offset, end=one.end + offset) for one in stretches]
        odd = [
            one
            for one, there in zip(stretches, moved, strict=True)
            if there.start < first - margin or there.end > end + margin
        ]
        if not odd:
            return moved
        outside.append(odd)
    odd_one = min(outside, key=len)[0]
    raise UserError(
        f"{where}{f', row {odd_one.row}' if odd_one.row else ''}: from {stamp(odd_one.start)} to "
        f"{stamp(odd_one.end)}, but {name} was recorded from {stamp(first)} to {stamp(end)} ({stamp(end - first)} "
        "seconds); expected events within it, on its clock or counted from its start"
    )


def placed_in_two_ways(on_the_clock: int, from_the_start: int) -> list[str]:
    """A warning where events of some recordings were taken as times on the clock, and of others from the start on."""
    if not on_the_clock or not from_the_start:
        return []
    return [
        f"{WARNING}events of {on_the_clock} recordings were taken as times on the recording's clock, those of "
        f"{from_the_start} as counted from its start, because they lie outside of it otherwise; expected one way in "
        "all of a study: look at both."
    ]


def windows_in(stretch: Stretch, windows: Windows) -> list[Stretch]:
    """Windows of one length that lie within a stretch; what is left at its end is left out."""
    step = windows.step or windows.length
    count = int(np.floor((stretch.end - stretch.start - windows.length) / step + _DUST)) + 1
    joint = f"{stretch.name}_" if stretch.name else ""
    return [
        replace(
            stretch,
            start=stretch.start + i * step,
            end=stretch.start + i * step + windows.length,
            name=f"{joint}w{i + 1:03d}",
            is_even=True,
        )
        for i in range(max(count, 0))
    ]


def refuse_windows(stretches: Sequence[Stretch], windows: Windows, name: str) -> NoReturn:
    """Say that windows are longer than all stretches of the recording that messages call ``name``."""
    longest = max(one.end - one.start for one in stretches)
    what = "lasts" if len(stretches) == 1 else f"has {len(stretches)} stretches, the longest of"
    raise UserError(
        f"{name} {what} {longest:.6g} seconds, windows are {windows.length:g} seconds long; expected shorter windows "
        "(trials.windows.length)"
    )


def rows_of(stretch: Stretch, time: Doubles) -> slice:
    """The samples of a stretch; of a window as many as its length says, where the clock has no gap."""
    step = usual_step(time)
    start, stop = (int(np.searchsorted(time, at - 1e-3 * step)) for at in (stretch.start, stretch.end))
    ratio = (stretch.end - stretch.start) / step
    count = round(ratio) if abs(ratio - round(ratio)) < _NEARLY else int(ratio)
    if stretch.is_even and 1 < count <= len(time) - start and abs(stop - start - count) <= 1:
        last = time[start + count - 1]
        if abs(last - time[start] - (count - 1) * step) < step / 2 and last < stretch.end + step / 2:
            stop = start + count
    return slice(start, stop)
