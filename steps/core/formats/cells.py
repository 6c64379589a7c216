"""Cells of a spreadsheet as columns: where the header is, which row holds units, what is a number."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile
from steps.errors import UserError, shown

Row = tuple[int, Sequence[Any]]  # its number in the file, and its cells; "" or None where one is empty
_LOOK: Final = 40  # rows in which a header is looked for
_CHUNK: Final = 20_000
_UNIT: Final = re.compile(r"[\[(]?\s*[^\s\d\[\]()][^\s\[\]()]{0,11}\s*[\])]?")
_NUMBER: Final = re.compile(r"[-+]?\d+([.,]\d*)?([eE][-+]?\d+)?")
_TIME: Final = re.compile(r"t\b.*|time.*", re.IGNORECASE)
_EPOCH: Final = datetime.datetime(1970, 1, 1)
_DATES: Final = (datetime.date, datetime.time, datetime.timedelta)


def is_table(head: Sequence[Row], *, with_time: bool = False) -> bool:
    """Whether the first rows of a sheet are those of a table; perhaps one with a column for time."""
    at = _header(head)
    return at is not None and (not with_time or any(_TIME.fullmatch(_text(cell)) for cell in head[at][1]))


def table_of(rows: Iterable[Row], file: RawFile, title: str, where: str = "") -> FileTable:
    """Cells as columns: text where any cell below the header is text, else numbers; empty cells are missing.

    Blank rows are passed over, and so is what stands above the header; a row of units below it is taken as such.

    Args:
        rows: of a sheet that is a table.
        file: that it is in.
        title: of its format.
        where: the sheet, for a note, where there are several.

    Raises:
        UserError: a column holds dates and is not the time, for example.
    """
    rows = iter(rows)
    head = list(islice(rows, _LOOK))
    at = _header(head)
    if at is None:
        raise UserError(
            f"{file.name} holds no table, expected a row with the names of the columns and numbers below it"
        )
    names = [_text(cell) for cell in head[at][1]]
    notes = [f"Took {where}."] if where else []
    if above := sum(any(map(_is_filled, cells)) for _, cells in head[:at]):
        notes.append(f"Passed over {above} row{'s' if above > 1 else ''} above the header.")
    units = _units(names, head[at + 1 :])
    columns = _Columns(names)
    for number, cells in chain(head[at + 1 + bool(units) :], rows):
        columns.add(number, cells)
    numbers, table = columns.finished(file, notes)
    return FileTable(
        table,
        units,
        title,
        first_row=int(numbers[0]) if len(numbers) else 1,
        lines=None if (np.diff(numbers) == 1).all() else numbers,
        notes=tuple(notes),
    )


def _header(head: Sequence[Row]) -> int | None:
    """Where the header is: the first row of text, filled as widely as any, with a number in some row below it."""
    filled = [[i for i, cell in enumerate(cells) if _is_filled(cell)] for _, cells in head]
    widest = max(map(len, filled), default=0)
    for at, (_, cells) in enumerate(head):
        if (
            len(filled[at]) >= max(1, widest - (widest > 3))
            and all(isinstance(cells[i], str) for i in filled[at])
            and not all(map(_looks_numeric, (cells[i] for i in filled[at])))
            and any(_looks_numeric(cells[i]) for _, cells in head[at + 1 :] for i in filled[at])
        ):
            return at
    return None


def _units(names: Sequence[str], below: Sequence[Row]) -> dict[str, str]:
    """Units in the row below the header: short texts over numbers, and nothing else; none where it is a row of data."""
    if len(below) < 2:
        return {}
    (_, cells), (_, following) = below[:2]
    over_numbers = [i for i, cell in enumerate(following) if _is_number(cell)]
    texts = {names[i]: _text(cells[i]) for i in over_numbers if _is_filled(cells[i])}
    others = [i for i, cell in enumerate(cells) if _is_filled(cell) and i not in over_numbers]
    if not texts or others or not all(isinstance(cells[i], str) or not _is_filled(cells[i]) for i in over_numbers):
        return {}
    if not all(_UNIT.fullmatch(text) for text in texts.values()):
        return {}
    return {name: text.strip("[]() ") for name, text in texts.items()}


class _Columns:
    """Columns that grow by rows: numbers as float64 in pieces, text as it is."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._rows: list[Sequence[Any]] = []
        self._numbers: list[int] = []
        self._parts: list[list[Any]] = [[] for _ in names]

    def add(self, number: int, cells: Sequence[Any]) -> None:
        """A row, unless it is blank."""
        if any(map(_is_filled, cells)):
            self._rows.append(cells)
            self._numbers.append(number)
            if len(self._rows) == _CHUNK:
                self._flush()

    def finished(self, file: RawFile, notes: list[str]) -> tuple[Any, pa.Table]:
        """Numbers of the rows, and the columns."""
        self._flush()
        arrays, names = [], []
        for name, parts in zip(self._names, self._parts, strict=True):
            if not name and not any(len(part) and _has_any(part) for part in parts):
                continue  # an empty column, which a format of cells makes
            names.append(name)
            arrays.append(_column(name, parts, self._numbers, file, notes))
        return np.array(self._numbers, dtype=np.int64), pa.Table.from_arrays(arrays, names=names)

    def _flush(self) -> None:
        for parts, cells in zip(self._parts, zip(*self._rows, strict=True), strict=False):
            parts.append(_as_numbers(cells))
        self._rows = []


def _as_numbers(cells: Sequence[Any]) -> Any:
    """Cells as float64 where all are numbers or empty; else as they are."""
    try:
        if not any(type(cell) not in (float, int, bool) for cell in cells):
            return np.array(cells, dtype=np.float64)
    except OverflowError:
        return list(cells)
    if all(not _is_filled(cell) or type(cell) in (float, int, bool) for cell in cells):
        return np.array([cell if _is_filled(cell) else np.nan for cell in cells], dtype=np.float64)
    return list(cells)


def _has_any(part: Any) -> bool:
    return bool(np.isfinite(part).any()) if isinstance(part, np.ndarray) else any(map(_is_filled, part))


def _column(name: str, parts: Sequence[Any], numbers: Sequence[int], file: RawFile, notes: list[str]) -> pa.Array:
    if all(isinstance(part, np.ndarray) for part in parts):
        return pa.array(np.concatenate([*parts, np.zeros(0)]))
    cells = [cell for part in parts for cell in (part.tolist() if isinstance(part, np.ndarray) else part)]
    if file.leaves_out(name):
        return pa.nulls(len(cells), pa.string())
    date = next((i for i, cell in enumerate(cells) if isinstance(cell, _DATES)), None)
    if date is None:
        return pa.array([_text(cell) if _is_filled(cell) else None for cell in cells], pa.string())
    if not _TIME.fullmatch(name) or any(isinstance(cell, str) and cell for cell in cells):
        raise UserError(
            f"{file.name}, row {numbers[date]}: column {shown(name)} holds the date or time {cells[date]}, expected "
            "text or a number: format the cells as such, or leave the column out with ignore"
        )
    notes.append(f"Dates and times in {shown(name)} are taken in seconds.")
    return pa.array([_seconds(cell) for cell in cells], pa.float64())


def _seconds(cell: Any) -> float | None:
    if isinstance(cell, datetime.datetime):
        return (cell.replace(tzinfo=None) - _EPOCH).total_seconds()
    if isinstance(cell, datetime.date):
        return (datetime.datetime(cell.year, cell.month, cell.day) - _EPOCH).total_seconds()
    if isinstance(cell, datetime.time):
        return 3600 * cell.hour + 60 * cell.minute + cell.second + cell.microsecond / 1e6
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    return float(cell) if _is_filled(cell) else None


def _is_filled(cell: Any) -> bool:
    return cell is not None and cell == cell and (not isinstance(cell, str) or bool(cell.strip()))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, float | int) and not isinstance(cell, bool) and cell == cell


def _looks_numeric(cell: Any) -> bool:
    """Whether a cell is a number, or text that holds one, perhaps with a decimal comma."""
    return _is_number(cell) or (isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) is not None)


def _text(cell: Any) -> str:
    """A cell as text; a number that is whole without a point."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return cell.strip() if isinstance(cell, str) else str(cell)
