"""Duplicates: the same recording under two names or of two people, recognised by its values."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from steps.core.data.dataset import Floats
from steps.core.data.manifest import WARNING
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.errors import UserError, shown

REFUSE: Final = "refuse"
ALLOW: Final = "allow"
_EXAMPLES: Final = 3


def same_recordings(table: LongTable, trials: Sequence[Recording], *, allowed: bool) -> list[str]:
    """Look for recordings that hold the same values in float32, whatever their time axis, names, subjects and labels.

    A recording that does not change at all (a sensor that was off) says nothing about where it came from, so two of
    these are not called the same; a note counts them.

    Args:
        table: that they were read from.
        trials: the recordings, in the order in which the table has them.
        allowed: keep them, and say so.

    Returns:
        Notes, one sentence each.

    Raises:
        UserError: there are some, and they are not allowed.
    """
    same = list(_equal(trials))
    groups = [group for group in same if not _is_constant(trials[group[0]])]
    constant = [group for group in same if group not in groups]
    notes = []
    if constant:
        alike = [number for group in constant for number in group]
        notes.append(
            f"{len(alike)} trials are alike and never change in any feature: {_some(table, trials, alike, ', ')}."
        )
    if not groups:
        return notes
    people = [group for group in groups if len({trials[number].subject for number in group}) > 1]
    first = (people or groups)[0]
    extra = sum(len(group) - 1 for group in groups)
    if not allowed:
        one = first[0]
        other = next((number for number in first if trials[number].subject != trials[one].subject), first[1])
        more = f" ({extra} trials are copies of others)" if extra > 1 else ""
        why = (
            f"{_subjects(trials, first)} cannot have one recording: the one who is tested would have been trained on"
            if people
            else "a trial counts once"
        )
        file = f"{table.origins[0]}: " if len(table.origins) == 1 else ""
        raise UserError(
            f"{file}{_name(table, trials, other)} holds the same recording as {_name(table, trials, one)}{more}; "
            f"{why}. Remove the copy or correct its name, or keep it with duplicates=allow"
        )
    loud, across = (WARNING, f", {len(people)} of them of several subjects") if people else ("", "")
    ordered = people + [group for group in groups if group not in people]
    told = "; ".join(_some(table, trials, group) for group in ordered[:_EXAMPLES])
    return [*notes, f"{loud}{extra} trials hold the same recording as others{across}: {told}."]


def _equal(trials: Sequence[Recording]) -> Iterator[list[int]]:
    """Numbers of recordings that are equal in float32."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for number, one in enumerate(trials):
        same[hashlib.blake2b(_content(one.values).data).digest()].append(number)
    return (group for group in same.values() if len(group) > 1)


def _content(values: Doubles) -> Floats:
    return values.astype(np.float32) + np.float32(0)  # which makes 0 of -0


def _is_constant(one: Recording) -> bool:
    values = _content(one.values)
    return bool((values == values[0]).all())


def _subjects(trials: Sequence[Recording], group: Sequence[int]) -> str:
    names = sorted({trials[number].subject for number in group})
    return f"subjects {', '.join(shown(name) for name in names[:_EXAMPLES])}"


def _some(table: LongTable, trials: Sequence[Recording], numbers: Sequence[int], between: str = " = ") -> str:
    told = between.join(_name(table, trials, number) for number in numbers[:_EXAMPLES])
    return f"{told}{between}… ({len(numbers)})" if len(numbers) > _EXAMPLES else told


def _name(table: LongTable, trials: Sequence[Recording], number: int) -> str:
    if len(table.origins) == len(trials):  # a file each
        return table.origins[number]
    one = trials[number]
    keys = {"subject": one.subject, "label": one.label, "trial": one.trial, "test number": one.test_number}
    return ", ".join(f"{key} {shown(value)}" for key, value in keys.items() if value)
