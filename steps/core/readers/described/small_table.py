"""Small tables of text beside recordings: participants, events; commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from steps.core.formats.file_table import RawFile
from steps.core.formats.table import format_of, read_file
from steps.core.formats.text.encoding import decoded
from steps.core.readers.choice import closest
from steps.core.readers.identities import MISSING_WORDS, clean
from steps.errors import UserError, listed, shown

SUFFIXES: Final = (".csv", ".tsv", ".txt")
_LARGEST: Final = 64 << 20
_WITH_COMMA: Final = re.compile(r"[+-]?\d+,(?!\d{3}$)\d+")
_MISSING: Final = {"", "-", "?", "missing", *(word.strip() for word in MISSING_WORDS.replace(" or ", ",").split(","))}


@dataclass(frozen=True)
class SmallTable:
    """A table of text.

    Attributes:
        name: what messages call it.
        header: names of its columns.
        rows: cells as text, blanks around them gone, as many as the header has.
        lines: the line of each row.
    """

    name: str
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, column: str, where: str) -> list[str]:
        """The cells of a column; ``where`` says who asks for it.

        Raises:
            UserError: it has no such column.
        """
        if column not in self.header:
            close = closest(column, self.header)
            raise UserError(
                f"{where} names {shown(column)}, which is no column of {self.name}; it has {listed(self.header)}"
                + (f"; did you mean {shown(close[0])}?" if close else "")
            )
        at = self.header.index(column)
        return [row[at] for row in self.rows]


def read_small_table(raw: bytes, name: str, *, header: bool = True) -> SmallTable:
    """A table in a file.

    Args:
        raw: its bytes.
        name: what messages call it.
        header: whether its first line names the columns; else they are called ``0``, ``1`` and so on.

    Raises:
        UserError: it is no such table.
    """
    if len(raw) > _LARGEST:
        raise UserError(f"{name} has {len(raw):,} bytes, expected a table of participants or events")
    text = decoded(raw, name)[0].decode()
    first = text.lstrip().partition("\n")[0]
    separator = max("\t;,", key=first.count)
    try:
        numbered = [
            (reader.line_num, [cell.strip() for cell in row])
            for reader in [csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)]
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except (csv.Error, ValueError) as error:
        raise UserError(f"{name} cannot be read as a table: {error}") from error
    if not numbered:
        raise UserError(f"{name} is empty, expected a header and a row for each")
    names = tuple(numbered[0][1] if header else map(str, range(len(numbered[0][1]))))
    rows = numbered[1:] if header else numbered
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise UserError(f"{name} has two columns named {shown(twice)}, expected different names")
    for line, row in rows:
        if len(row) != len(names):
            raise UserError(f"{name}, row {line} has {len(row)} cells, expected {len(names)} as in its first row")
    return SmallTable(name, names, [row for _, row in rows], [line for line, _ in rows])


def read_participants(raw: bytes, name: str) -> SmallTable:
    """A table of participants: text, or a format that holds tables (Excel).

    Raises:
        UserError: it is no such table.
    """
    kind = format_of(name)
    if kind is None or kind.is_text:
        return read_small_table(raw, name)
    read = read_file(RawFile(raw, name), kind)
    columns = [[_as_text(cell) for cell in column.to_pylist()] for column in read.table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    lines = (read.first_row + np.arange(len(rows))) if read.lines is None else read.lines
    return SmallTable(name, tuple(read.table.column_names), rows, lines.tolist())


def is_small_table(name: str) -> bool:
    """Whether a file of this name may hold a table of participants."""
    kind = format_of(name)
    return name.lower().endswith(SUFFIXES) or (kind is not None and kind.is_table and not kind.is_text)


def _as_text(cell: object) -> str:
    if cell is None or cell != cell:  # not a number
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell in _MISSING or cell.casefold() in ("n/a", "na", "nan", "none")


def number(cell: str) -> float | None:
    """The number in a cell, with a decimal point or comma (but not ``1,234``); None where there is none."""
    if _WITH_COMMA.fullmatch(cell):
        cell = cell.replace(",", ".")
    try:
        value = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def by_subject(table: SmallTable, column: str, where: str) -> dict[str, int]:
    """Row of each subject, by name as identities are kept.

    Raises:
        UserError: a subject has two rows.
    """
    names = clean(table.column(column, where), "subject")
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        if name and name in rows:
            raise UserError(
                f"{table.name}: subject {shown(name)} has two rows, {table.lines[rows[name]]} and {table.lines[row]}; "
                "expected one for each"
            )
        if name:
            rows[name] = row
    return rows


def subject_column(table: SmallTable, given: str | None, where: str) -> str:
    """Which column holds the subjects: as the description says, or one that is called as it usually is.

    Raises:
        UserError: none is.
    """
    if given:
        return given
    usual: Sequence[str] = ("participant_id", "subject", "subject_id", "participant", "id", "proband")
    found = [column for column in table.header if column.casefold() in usual]
    if not found:
        raise UserError(
            f"{where}: {table.name} has no column called {', '.join(usual)}; say which of {listed(table.header)} "
            "holds the subjects: subject: ..."
        )
    return min(found, key=lambda column: usual.index(column.casefold()))
