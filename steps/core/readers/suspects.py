"""Columns that are no signal: counters, clocks, codes, copies of the label. They identify people, or the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.readers.choice import Choice
from steps.core.readers.columns import UNNAMED
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.errors import UserError, shown

_STEPS: Final = 10  # in all; with fewer, anything may rise or stand still by chance
_DUST: Final = 1e-13  # of a value: what arithmetic in float64 leaves of a constant
_EVEN: Final = 0.01  # how far a clock may be from a straight line, and its speed from that in other trials
_FAR: Final = 3  # usual steps: a counter that starts again jumps further back
_COUNTS = "counts samples, or is a clock"


def without_empty(table: LongTable, choice: Choice, *, named: bool) -> tuple[LongTable, tuple[str, ...]]:
    """A table without columns that hold nothing: those without a name, as a comma at the end of lines makes them, and
    those with one.

    Args:
        table: as read.
        choice: what the user chose; a column called by its full name is never dropped.
        named: whether to look for empty columns that have a name, too.

    Returns:
        The table, a note in it about what was dropped, and the empty columns that have a name.
    """
    if np.isfinite(table.largest):
        return table, ()
    empty = np.isnan(table.values).all(axis=0)
    empty &= np.array(
        [not choice.names(name) and (named or UNNAMED.fullmatch(name) is not None) for name in table.features]
    )
    if not empty.any() or empty.all():
        return table, ()
    names = [name for name, is_empty in zip(table.features, empty, strict=True) if is_empty]
    dropped = [name for name in names if UNNAMED.fullmatch(name)]
    some = "an empty column" if len(dropped) == 1 else f"{len(dropped)} empty columns"
    notes = [f"Dropped {some} without a name."] if dropped else []
    return (
        replace(
            table,
            values=np.ascontiguousarray(table.values[:, ~empty]),
            features=tuple(name for name in table.features if name not in names),
            notes=(*table.notes, *notes),
        ),
        tuple(name for name in names if name not in dropped),
    )


def check_suspects(
    table: LongTable, trials: Sequence[Recording], choice: Choice, empty: Sequence[str] = ()
) -> list[str]:
    """Check that every feature of a study could be a signal.

    Args:
        table: the study as read; its rows are looked at in the order of the file.
        trials: its recordings.
        choice: what the user chose; columns called by their full name are kept.
        empty: columns that hold nothing.

    Returns:
        Notes about suspects that are kept.

    Raises:
        UserError: some could not; the message names all of them, says why, and how to leave them out or keep them.
    """
    why = dict.fromkeys(empty, "empty")
    why |= {name: "has no name; row numbers?" for name in table.features if UNNAMED.fullmatch(name)}
    if sum(len(one.time) - 1 for one in trials) >= _STEPS:
        for i in _regular(trials):
            if reason := _reason(table, trials, i):
                why[table.features[i]] = reason
    kept = [name for name in why if choice.names(name)]
    refused = [name for name in why if name not in kept]
    if refused:
        files = len(table.origins)
        where = table.origins[0] if files == 1 else f"{table.origins[0]} and the other {files - 1} trial files"
        names = choice.naming([name for name in refused if name not in empty])
        if len(refused) == len(table.features) + len(empty):
            raise UserError(
                f"{where}: no column seems to be a signal: {_listed(why, refused)}; expected at least one, or those "
                f"that are signals named: {names}"
            )
        raise UserError(
            f"{where}: columns that seem to be no signal: {_listed(why, refused)}; leave them out with "
            f"{choice.without(refused)}, or name those that are signals: {names}"
        )
    return [f"Kept as asked: {_listed(why, kept)}."] if kept else []


def _listed(why: dict[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{shown(name)} ({why[name]})" for name in names)


def _regular(trials: Sequence[Recording]) -> list[int]:
    """Features that in no trial both rise and fall, or that make two different steps at most: few signals do."""
    left = np.arange(trials[0].values.shape[1])
    for one in trials:
        values = one.values[:, left]
        steps = np.diff(values, axis=0)
        regular = (steps >= 0).all(axis=0) | (steps <= 0).all(axis=0) | _is_dust(values)
        regular[~regular] = [len(np.unique(column)) <= 2 for column in steps[:, ~regular].T]
        left = left[regular]
        if not len(left):
            break
    return left.tolist()


def _is_dust(values: Doubles) -> npt.NDArray[np.bool_]:
    """Which columns of ``values (n, columns)`` are constant up to rounding, shape ``(columns,)``."""
    dust: npt.NDArray[np.bool_] = np.ptp(values, axis=0) <= _DUST * np.abs(values).max(axis=0)
    return dust


def _reason(table: LongTable, trials: Sequence[Recording], i: int) -> str | None:
    """Why a feature that is regular in every trial is no signal; None if it may be one."""
    columns = [one.column(i) for one in trials]
    constant = [bool(_is_dust(column[:, np.newaxis])[0]) for column in columns]
    if all(constant):
        values = np.array([column[0] for column in columns])
        if _is_dust(values[:, np.newaxis])[0]:
            return "the same value throughout"
        return "the label again" if _tells_the_label(trials, values) else "the same value within every trial"
    if not any(constant) and (_is_even(trials, columns) or _counts(columns)):
        return _COUNTS
    if len(table.origins) == 1:
        steps = np.diff(table.column(i))
        if (steps[np.isfinite(steps)] >= 0).all() or (steps[np.isfinite(steps)] <= 0).all():
            return "only rises, or only falls, over all rows of the file"
    return None


def _tells_the_label(trials: Sequence[Recording], values: Doubles) -> bool:
    """Whether each label of the patients has one value of its own."""
    pairs = {(one.label, float(value)) for one, value in zip(trials, values, strict=True) if not one.is_control}
    return len(pairs) == len({label for label, _ in pairs}) == len({value for _, value in pairs}) > 1


def _is_even(trials: Sequence[Recording], columns: Sequence[Doubles]) -> bool:
    """Whether a column rises evenly, and equally fast in all trials: by sample, by time, or from end to end."""
    for axis in ("sample", "time", "share"):
        speeds = []
        for one, column in zip(trials, columns, strict=True):
            along = one.time if axis == "time" else np.arange(len(column), dtype=np.float64)
            share = (along - along[0]) / (along[-1] - along[0])
            rise = column[-1] - column[0]
            if np.abs(column - (column[0] + share * rise)).max() > _EVEN * abs(rise):
                break
            speeds.append(rise if axis == "share" else rise / (along[-1] - along[0]))
        else:
            usual = float(np.median(speeds))
            if np.abs(np.array(speeds) - usual).max() <= _EVEN * abs(usual):
                return True
    return False


def _counts(columns: Sequence[Doubles]) -> bool:
    """Whether a column holds whole numbers that count: mostly by the same, leaving some out or starting again."""
    steps, times = np.unique(np.concatenate([np.diff(column) for column in columns]), return_counts=True)
    if any((column != np.floor(column)).any() for column in columns):
        return False
    usual = steps[times.argmax()]
    mostly = times.max() > 0.5 * times.sum()
    leaves_out = steps[0] * steps[-1] > 0 and abs(usual) == np.abs(steps).min()
    starts_again = len(steps) == 2 and 0 < _FAR * abs(usual) <= -np.sign(usual) * steps[times.argmin()]
    return bool(mostly and (leaves_out or starts_again))
