"""What every format is read from, and what it becomes: named columns of one length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.errors import UserError, listed
from steps.system.untrusted_files import check_memory, size

Lines = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
_COPIES: Final = 4  # of the values: as in the file, as read, as columns, side by side
_SMALL: Final = 64 << 20
_WORD: Final = 8


def _nothing(_column: str) -> bool:
    return False


def _everything(_column: str) -> bool:
    return True


def _alone(name: str) -> bytes:
    raise UserError(f"the file {name} is not there")


@dataclass(frozen=True)
class RawFile:
    """One file of somebody, not yet believed.

    Attributes:
        raw: its bytes.
        name: what messages call it.
        beside: the bytes of another file of the same folder, by its name; for formats of several files. Raises
            `UserError` where there is none.
        leaves_out: whether the user leaves a column out, by its name: then it may be of any length and kind.
        wants: whether the user wants a column as a feature, by its name; one that nobody wants decides nothing.
        columns: names of its columns, as the user gives them, if it is a text that has none.
    """

    raw: bytes
    name: str
    beside: Callable[[str], bytes] = _alone
    leaves_out: Callable[[str], bool] = _nothing
    wants: Callable[[str], bool] = _everything
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that happened, as the file says: ``time`` in the file's own time, in seconds."""

    time: float
    name: str


@dataclass(frozen=True, eq=False)
class FileTable:
    """One file as read.

    Attributes:
        table: all columns under their names in the file: float64 (NaN or null where missing), or string.
        units: unit of a column, where the file says.
        read_as: what was recognised, in a few words, the same for files that are read alike; "" for a plain CSV file.
        first_row: number of the first row in messages.
        lines: the number of each row in messages, where rows are not numbered one after the other.
        notes: what was dropped, guessed or converted, one sentence each, without names of files.
        events: what happened when, in order.
        dropped: columns that the user leaves out and that were not read.
    """

    table: pa.Table
    units: Mapping[str, str] = field(default_factory=dict)
    read_as: str = ""
    first_row: int = 1
    lines: Lines | None = None
    notes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    dropped: tuple[str, ...] = ()


def check_values(count: float, file: RawFile) -> None:
    """Refuse a file whose header promises so many values that they would not fit into memory.

    Raises:
        UserError: they would not.
    """
    if count * _WORD > _SMALL:
        check_memory(_COPIES * _WORD * count, f"{file.name} has {size(len(file.raw))}, holds {count:,.0f} values")


def different_names(names: Sequence[str], file: RawFile) -> None:
    """Check that no two columns have one name.

    Raises:
        UserError: two have.
    """
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise UserError(f"{file.name} has several columns named {listed(twice)}, expected different names")


def numbered(labels: Sequence[str], notes: list[str]) -> list[str]:
    """Labels as names of columns: numbered where one occurs more than once, which a note says."""
    counts = Counter(labels)
    twice = [label for label, count in counts.items() if count > 1]
    if not twice:
        return list(labels)
    notes.append(f"Some names occur more than once, and are numbered from the second on: {listed(twice)}.")
    seen: Counter[str] = Counter()
    taken = set(labels)
    names = []
    for label in labels:
        seen[label] += 1
        name = label
        while seen[label] > 1 and (name := f"{label}_{seen[label]}") in taken:
            seen[label] += 1
        taken.add(name)
        names.append(name)
    return names
