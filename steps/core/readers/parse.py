"""One CSV or Parquet file as named columns: identities as text, everything else as float64."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from steps.core.data.dataset import RESERVED_COLUMNS
from steps.core.readers import dialect
from steps.core.readers.choice import EVERYTHING, Choice, Columns, choose
from steps.core.readers.lines import Lines, without_blank_lines
from steps.core.readers.parquet import is_text, names_in, open_parquet
from steps.errors import UserError
from steps.errors import shown as shown
from steps.errors import shown_path as shown_path
from steps.system.untrusted_files import read_regular

IDENTITIES = tuple(name for name in RESERVED_COLUMNS if name != "time")
UNNAMED = re.compile(r"Unnamed: \d+")
_LOOK = 64


@dataclass(frozen=True)
class Header:
    """The first line of a CSV file.

    Attributes:
        names: of the columns; one without a name is called as pandas calls it, ``Unnamed: 0``.
        line: as it stands in the file, with byte order mark and line end.
        columns: what they are taken for.
    """

    names: tuple[str, ...]
    line: bytes
    columns: Columns


@dataclass(frozen=True)
class Parsed:
    """One file as read.

    Attributes:
        table: the columns that were taken, under their names in the study.
        names: all columns of the file.
        columns: what they were taken for.
        lines: the number of each row in messages, where rows are not numbered one after the other.
        first_row: the number of the first row in messages (2 below the header of a CSV file).
    """

    table: pa.Table
    names: tuple[str, ...]
    columns: Columns
    lines: Lines | None = None
    first_row: int = 2


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file that messages call ``name``.

    Raises:
        UserError: it is no file, or cannot be read.
    """
    return read_regular(path, name)


def csv_header(raw: bytes, name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING) -> Header:
    """The header of a CSV file that holds ``raw``, after a look at the whole of it.

    Raises:
        UserError: not UTF-8, empty, header only, or columns that `check_columns` or `choose` refuses; the message calls
            the file ``name``.
    """
    return _header(*_text(raw, name), name, required, choice)


def parse_csv(raw: bytes, name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING) -> Parsed:
    """A CSV file that holds ``raw``; empty and NaN cells become null. Blank lines are passed over.

    The first data row is row 2, as a spreadsheet numbers it.

    Raises:
        UserError: as for `csv_header`, a row with too few or too many cells, or text among numbers.
    """
    raw, lines = _text(raw, name)
    header = _header(raw, lines, name, required, choice)
    try:
        table = arrow_csv(raw, header, skip_rows=1)
    except pa.ArrowInvalid:
        try:  # again on one thread: only then does Arrow name the row
            table = arrow_csv(raw, header, skip_rows=1, use_threads=False)
        except pa.ArrowInvalid as error:
            message = _explain(str(error), header, raw, name, lines, choice)
            raise UserError(dialect.explain(message, raw, name, lines)) from error
    return Parsed(table, header.names, header.columns, None if lines is None else lines[1:])


def arrow_csv(raw: bytes, header: Header, *, skip_rows: int = 0, use_threads: bool = True) -> pa.Table:
    """Rows of CSV with these columns, those that are taken: identities as text, everything else as float64.

    Raises:
        pyarrow.ArrowInvalid: they are not like that.
    """
    taken = header.columns.taken
    types = {column: pa.string() if name in IDENTITIES else pa.float64() for column, name in taken.items()}
    table = pa.csv.read_csv(
        pa.BufferReader(raw),
        read_options=pa.csv.ReadOptions(column_names=header.names, skip_rows=skip_rows, use_threads=use_threads),
        convert_options=pa.csv.ConvertOptions(column_types=types, include_columns=list(taken)),
    )
    return table.rename_columns(list(taken.values()))


def is_blank(raw: bytes, start: int) -> bool:
    """Whether nothing but white space follows ``start`` as far as a short look goes: if False, something does."""
    return len(raw) <= start or raw[start : start + _LOOK].isspace()


def _text(raw: bytes, name: str) -> tuple[bytes, Lines | None]:
    dialect.check_encoding(raw, name)
    return without_blank_lines(raw)


def _header(raw: bytes, lines: Lines | None, name: str, required: Sequence[str], choice: Choice) -> Header:
    if not raw or raw.isspace():
        raise UserError(f"{name} is empty, expected a header and a row per time point")
    end = raw.find(b"\n") + 1 or len(raw)
    line = raw[:end]
    try:
        cells = next(csv.reader([line.decode("utf-8-sig").rstrip("\n").rstrip("\r")], strict=True), [])
    except csv.Error as error:
        raise UserError(f"{name} has a header that cannot be read as CSV: {error}") from error
    names = [cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(cells)]
    dialect.check_header(names, raw, name)
    try:
        columns = check_columns(names, name, required, choice)
    except UserError as error:
        raise UserError(dialect.explain(str(error), raw, name, lines)) from error.__cause__
    if is_blank(raw, end) and not raw[end:].strip():
        raise UserError(f"{name} holds a header only, expected a row per time point")
    if lines is not None and len(names) == 1 and (skipped := lines[1:] - lines[:-1] > 1).any():
        row = int(lines[skipped.argmax()]) + 1
        raise UserError(
            f"{name}, row {row} is empty: in a file of one column that may be a missing value; write NaN there or "
            "delete the line"
        )
    return Header(tuple(names), line, columns)


def _explain(message: str, header: Header, raw: bytes, name: str, lines: Lines | None, choice: Choice) -> str:
    def number(row: str) -> int:
        return int(row) if lines is None else int(lines[int(row) - 1])

    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = found.groups()
        return f"{name}, row {number(row)} has {got} cells, expected {expected} as in its header"
    if found := re.search(r"column #(\d+): Row #(\d+): .* invalid value '(.*)'$", message, re.DOTALL):
        column, row, value = found.groups()
        label = header.names[int(column)]
        way_out = ""
        if re.fullmatch(r"\s*-?\d+,\d+\s*", value):
            way_out = " with a decimal point"
        elif header.columns.taken[label] not in RESERVED_COLUMNS and dialect.is_text(raw, int(column)):
            way_out = f"; a column of text can be left out with {choice.without([label])}"
        return f"{name}, row {number(row)}: column {shown(label)} holds {shown(value)}, expected a number{way_out}"
    return f"{name} is not a readable CSV file: {shown(message)}"


def parse_parquet(raw: bytes, name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING) -> Parsed:
    """A Parquet file that holds ``raw``; NaN and null stay as they are. Its first row is row 1.

    Raises:
        UserError: not a Parquet file, empty, columns that `check_columns` refuses, or a column of a wrong type.
    """
    if not raw:
        raise UserError(f"{name} is empty, expected a Parquet file")
    with open_parquet(raw, name) as file:
        names = [column.strip() or f"Unnamed: {i}" for i, column in enumerate(file.schema_arrow.names)]
        columns = check_columns(names, name, required, choice)
        table = file.read(use_threads=False).rename_columns(names)
        if not table.num_rows:
            raise UserError(f"{name} holds columns but no rows, expected a row per time point")
        typed = {taken: _typed(table[column], column, taken, name, choice) for column, taken in columns.taken.items()}
        return Parsed(pa.table(typed), tuple(names), columns, first_row=1)


def _typed(
    column: pa.ChunkedArray, label: str, taken: str, name: str, choice: Choice
) -> pa.ChunkedArray | pa.DictionaryArray:
    way_out = "" if taken == "time" else f"; it can be left out with {choice.without([label])}"
    if is_text(column.type):
        names = names_in(column, label, name)
        if taken in IDENTITIES:
            return names
        row = int(np.argmax(column.is_valid()))
        text = shown(column[row].as_py())
        raise UserError(f"{name}, row {row + 1}: column {shown(label)} holds {text}, expected a number{way_out}")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    is_number = any(
        test(kind)
        for test in (
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_decimal,
            pa.types.is_boolean,
            pa.types.is_null,
        )
    )
    if taken in IDENTITIES:
        if not is_number:
            raise UserError(f"{name}: column {shown(label)} is of type {kind}, expected text or whole numbers")
        return column.cast(pa.string())
    if not is_number:
        value = next((cell for cell in column.slice(0, 1000).to_pylist() if cell is not None), None)
        found = f"{shown(value)} (type {kind})"
        raise UserError(f"{name}, row 1: column {shown(label)} holds {found}, expected a number{way_out}")
    return column.cast(pa.float64(), safe=False)


def check_columns(
    header: Sequence[str], name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING
) -> Columns:
    """What the columns of one file are taken for, by their names: a misspelt column would be taken for a feature.

    Raises:
        UserError: a name is missing, occurs twice or is not allowed for a feature, or no column is a feature.
    """
    seen: set[str] = set()
    for column in header:
        if re.fullmatch(r"\('.*', '.*'\)", column):
            raise UserError(
                f"{name} has column names of several levels, as {shown(column)} (a MultiIndex of pandas), expected "
                "one: save it after df.columns = ['_'.join(filter(None, names)) for names in df.columns]"
            )
        if column in seen:
            raise UserError(f"{name} has two columns named {shown(column)}, expected different names")
        seen.add(column)
    columns = choose(header, name, choice, required)
    for column in columns.taken:
        if column.startswith("__index_level_"):
            raise UserError(
                f"{name} has the column {shown(column)}, an index saved by pandas: save with index=False, "
                f"or leave it out with {choice.without([column])}"
            )
        if not 0 < len(column) <= 128 or not column.isprintable() or set(column) & set("<>\"'`"):
            raise UserError(
                f"{name} has a column named {shown(column)}, "
                "expected 1 to 128 printable characters without < > or quotes"
            )
    if not features_of(columns.taken.values()):
        raise UserError(f"{name} has no numeric feature: its columns are {', '.join(map(shown, header))}")
    return columns


def features_of(header: Iterable[str]) -> tuple[str, ...]:
    """The columns that are features, in order."""
    return tuple(column for column in header if column not in RESERVED_COLUMNS)
