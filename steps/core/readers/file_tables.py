"""From a file of a format to the columns that are wanted of it, and what is to be said about such files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from steps.core.formats.file_table import FileTable
from steps.core.formats.text.container import PACKED, unpacked
from steps.core.formats.text.marks import described
from steps.core.formats.text.read import TIME_MADE
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.columns import IDENTITIES, Columns, Parsed, check_columns, check_last_rows, features_of
from steps.errors import UserError, shown

NOT_USED: Final = "Events, which are not used"
_NOTES: Final = 12
_KINDS: Final = 6


def parse_file_table(table: FileTable, name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING) -> Parsed:
    """The columns of a file that are wanted: identities as text, everything else as float64.

    Args:
        table: the file as read.
        name: what messages call it.
        required: columns that must be there.
        choice: which columns are wanted.

    Raises:
        UserError: columns that `check_columns` refuses, no rows, or text among numbers.
    """
    names = [column.strip() or f"Unnamed: {i}" for i, column in enumerate(table.table.column_names)]
    columns = check_columns([*names, *table.dropped], name, required, choice)
    if not table.table.num_rows:
        raise UserError(f"{name} holds columns but no rows, expected a row per time point")
    every = dict(zip(names, table.table.columns, strict=True))
    typed = {
        taken: _names(every[column]) if taken in IDENTITIES else _numbers(every[column], column, table, name, choice)
        for column, taken in columns.taken.items()
    }
    time = next((column for column, taken in columns.taken.items() if taken == "time"), "")
    every_name = (*names, *table.dropped)
    parsed = Parsed(pa.table(typed), every_name, columns, table.lines, table.first_row, table.units.get(time, ""))
    check_last_rows(parsed, name)
    return parsed


def _names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Names as text: numbers that are whole without a point."""
    if kinds.is_string(column.type):
        return column
    numbers = column.to_numpy()
    whole = np.isfinite(numbers) & (np.trunc(numbers) == numbers) & (np.abs(numbers) < 2**53)
    if (whole | np.isnan(numbers)).all():
        cells = pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=~whole)
        return pa.chunked_array([cells.cast(pa.string())])
    return pa.chunked_array([pa.array(numbers, from_pandas=True).cast(pa.string())])


def _numbers(column: pa.ChunkedArray, label: str, table: FileTable, name: str, choice: Choice) -> pa.ChunkedArray:
    if not kinds.is_string(column.type):
        return column
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid as error:
        row, cell = next((i, cell) for i, cell in enumerate(text.to_pylist()) if cell and not _is_number(cell))
        number = table.first_row + row if table.lines is None else int(table.lines[row])
        way_out = "" if label == "time" else f"; a column of text can be left out with {choice.without([label])}"
        raise UserError(
            f"{name}, row {number}: column {shown(label)} holds {shown(cell)}, expected a number{way_out}"
        ) from error


def _is_number(cell: str) -> bool:
    try:
        pa.scalar(cell).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


@dataclass
class Told:
    """What files say about themselves: read alike, in one unit for each feature; notes and events counted.

    Attributes:
        units: of the features, as far as the first file says.
        read_as: how the files were read, in a few words; "" for plain CSV.
        marks: what stood where numbers are missing, and how often.
    """

    units: dict[str, str] = field(default_factory=dict)
    read_as: str = ""
    marks: Counter[str] = field(default_factory=Counter)
    _packed: Counter[str] = field(default_factory=Counter)
    _first: str = ""
    _files: int = 0
    _notes: Counter[str] = field(default_factory=Counter)
    _events: Counter[str] = field(default_factory=Counter)
    _with_events: int = 0

    def add(self, name: str, table: FileTable, columns: Columns) -> None:
        """Take in what a file says.

        Args:
            name: of the file.
            table: the file as read.
            columns: what its columns were taken for.

        Raises:
            UserError: it was read in another way than the first file, or has another unit.
        """
        units = {
            taken: table.units[column]
            for column, taken in columns.taken.items()
            if table.units.get(column) and taken in features_of([taken])
        }
        if not self._files:
            self._first, self.read_as, self.units = name, table.read_as, units
        elif table.read_as != self.read_as:
            raise UserError(
                f"{name} is read as {table.read_as or 'plain CSV'}, but {self._first} as "
                f"{self.read_as or 'plain CSV'}; expected files of one kind"
            )
        elif units != self.units:
            odd = next(taken for taken in {**self.units, **units} if self.units.get(taken) != units.get(taken))
            raise UserError(
                f"{name}: {shown(odd)} is in {shown(units.get(odd, 'no unit'))}, but in {self._first} in "
                f"{shown(self.units.get(odd, 'no unit'))}; expected one unit for each feature"
            )
        self._files += 1
        self._notes.update(dict.fromkeys(table.notes, 1))
        self._events.update(event.name for event in table.events)
        self._with_events += bool(table.events)

    def unpacked(self, raw: bytes, name: str) -> bytes:
        """What a compressed file holds, which is counted; any other file as it is.

        Raises:
            UserError: it is damaged, or holds more than one text.
        """
        if name.lower().endswith(PACKED):
            self._packed[name.lower().rpartition(".")[2]] += 1
        return unpacked(raw, name)

    def notes(self) -> list[str]:
        """What is to be said, one sentence each."""
        notes = [
            f"Unpacked {f'{count:,} files' if count > 1 else 'one file'} (.{kind})."
            for kind, count in self._packed.items()
        ]
        if self.read_as:
            notes.append(f"Read {f'{self._files} files ' if self._files > 1 else ''}as {self.read_as}.")
        for note, count in list(self._notes.items())[:_NOTES]:
            notes.append(note if count == self._files else f"{note} ({count} of {self._files} files)")
        if len(self._notes) > _NOTES:
            notes.append(f"The files say {len(self._notes) - _NOTES} more that is left out here.")
        notes += described(self.marks)
        if self._events:
            kinds_of = ", ".join(f"{shown(name)} ({count})" for name, count in self._events.most_common(_KINDS))
            more = f" and {len(self._events) - _KINDS} other kinds" if len(self._events) > _KINDS else ""
            notes.append(
                f"{NOT_USED}: {kinds_of}{more}, in {self._with_events} of {self._files} "
                f"{'files' if self._files > 1 else 'file'}."
            )
        return notes


def of_sources(told: Mapping[str, Told]) -> list[str]:
    """What the sources' files say about themselves, in few words; their rates are said where they are joined."""
    read_as = [f"{name} as {one.read_as}" for name, one in told.items() if one.read_as]
    others = [note for one in told.values() for note in one.notes() if not note.startswith(("Read ", TIME_MADE))]
    return [*([f"Read {'; '.join(read_as)}."] if read_as else []), *dict.fromkeys(others)]
