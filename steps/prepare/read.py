"""One CSV or Parquet file as named columns: identities as text, everything else as float64."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from steps.dataset import RESERVED_COLUMNS
from steps.errors import UserError
from steps.errors import shown as shown
from steps.errors import shown_path as shown_path

IDENTITIES = tuple(name for name in RESERVED_COLUMNS if name != "time")
_LOOK = 64


@dataclass(frozen=True)
class Header:
    """The first line of a CSV file.

    Attributes:
        names: of the columns.
        line: as it stands in the file, with byte order mark and line end.
    """

    names: tuple[str, ...]
    line: bytes


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file that messages call ``name``.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from error


def csv_header(raw: bytes, name: str, required: Sequence[str] = ()) -> Header:
    """The header of a CSV file that holds ``raw``, after a look at the whole of it.

    Raises:
        UserError: not UTF-8, empty, header only, or columns that `check_columns` refuses; the message calls the file
            ``name``.
    """
    return _header(_text(raw), name, required)


def parse_csv(raw: bytes, name: str, required: Sequence[str] = ()) -> pa.Table:
    """A CSV file that holds ``raw``; empty and NaN cells become null.

    The first data row is row 2, as a spreadsheet numbers it.

    Raises:
        UserError: as for `csv_header`, a row with too few or too many cells, or text among numbers.
    """
    raw = _text(raw)
    header = _header(raw, name, required)
    try:
        return arrow_csv(raw, header.names, skip_rows=1)
    except pa.ArrowInvalid:
        try:  # again on one thread: only then does Arrow name the row
            return arrow_csv(raw, header.names, skip_rows=1, use_threads=False)
        except pa.ArrowInvalid as error:
            raise UserError(_explain(str(error), header.names, name)) from error


def arrow_csv(raw: bytes, names: Sequence[str], *, skip_rows: int = 0, use_threads: bool = True) -> pa.Table:
    """Rows of CSV with these columns: identities as text, everything else as float64.

    Raises:
        pyarrow.ArrowInvalid: they are not like that.
    """
    types = {column: pa.string() if column in IDENTITIES else pa.float64() for column in names}
    return pa.csv.read_csv(
        pa.BufferReader(raw),
        read_options=pa.csv.ReadOptions(column_names=names, skip_rows=skip_rows, use_threads=use_threads),
        convert_options=pa.csv.ConvertOptions(column_types=types),
    )


def is_blank(raw: bytes, start: int) -> bool:
    """Whether nothing but white space follows ``start`` as far as a short look goes: if False, something does."""
    return len(raw) <= start or raw[start : start + _LOOK].isspace()


def _text(raw: bytes) -> bytes:
    raw = raw.lstrip(b"\r\n")
    return raw if b"\n" in raw else raw.replace(b"\r", b"\n")  # line ends of old Macintosh programs


def _header(raw: bytes, name: str, required: Sequence[str]) -> Header:
    try:
        if not raw.isascii():
            raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 text: byte 0x{raw[error.start]:02x} at offset {error.start}") from error
    if not raw or raw.isspace():
        raise UserError(f"{name} is empty, expected a header and a row per time point")
    end = raw.find(b"\n") + 1 or len(raw)
    line = raw[:end]
    try:
        cells = next(csv.reader([line.decode("utf-8-sig").rstrip("\n").rstrip("\r")], strict=True), [])
    except csv.Error as error:
        raise UserError(f"{name} has a header that cannot be read as CSV: {error}") from error
    names = [cell.strip() for cell in cells]
    if len(names) == 1 and ";" in names[0]:
        raise UserError(f"{name} has the header {shown(names[0])}: it is separated by semicolons, expected commas")
    check_columns(names, name, required)
    if is_blank(raw, end) and not raw[end:].strip():
        raise UserError(f"{name} holds a header only, expected a row per time point")
    return Header(tuple(names), line)


def _explain(message: str, header: Sequence[str], name: str) -> str:
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = found.groups()
        return f"{name}, row {row} has {got} cells, expected {expected} as in its header"
    if found := re.search(r"column #(\d+): Row #(\d+): .* invalid value '(.*)'$", message, re.DOTALL):
        column, row, value = found.groups()
        return f"{name}, row {row}: column {shown(header[int(column)])} holds {shown(value)}, expected a number"
    return f"{name} is not a readable CSV file: {shown(message)}"


def parse_parquet(raw: bytes, name: str, required: Sequence[str] = ()) -> pa.Table:
    """A Parquet file that holds ``raw``; NaN and null stay as they are. Its first row is row 1.

    Raises:
        UserError: not a Parquet file, empty, duplicate columns, or a column of a wrong type.
    """
    if not raw:
        raise UserError(f"{name} is empty, expected a Parquet file")
    try:
        file = pa.parquet.ParquetFile(pa.BufferReader(raw))
        check_columns(file.schema_arrow.names, name, required)
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{name} is not a readable Parquet file: {shown(str(error))}") from error
    if not table.num_rows:
        raise UserError(f"{name} holds columns but no rows, expected a row per time point")
    return pa.table({column: _typed(table[column], column, name) for column in table.column_names})


def _typed(column: pa.ChunkedArray, label: str, name: str) -> pa.ChunkedArray:
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
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
    if label in IDENTITIES:
        if not (is_number or is_text):
            raise UserError(f"{name}: column {shown(label)} is of type {kind}, expected text or whole numbers")
        return column.cast(pa.string())
    if not is_number:
        value = next((cell for cell in column.slice(0, 1000).to_pylist() if cell is not None), None)
        row = 1 + column.index(value).as_py() if is_text and value is not None else 1
        raise UserError(
            f"{name}, row {row}: column {shown(label)} holds {shown(value)} (type {kind}), expected a number"
        )
    return column.cast(pa.float64(), safe=False)


def check_columns(header: Sequence[str], name: str, required: Sequence[str] = ()) -> None:
    """Check the names of the columns of one file, before its cells: a misspelt column would be taken for a feature.

    Raises:
        UserError: a name is missing, occurs twice or is not allowed for a feature, or no column is a feature.
    """
    for column in required:
        if column not in header:
            raise UserError(f"{name} has no column {shown(column)}, expected {', '.join(required)} and features")
    seen: set[str] = set()
    for column in header:
        if column in seen:
            raise UserError(f"{name} has two columns named {shown(column)}, expected different names")
        seen.add(column)
        if column.startswith("__index_level_"):
            raise UserError(f"{name} has the column {shown(column)}, an index saved by pandas: save with index=False")
        if not 0 < len(column) <= 128 or not column.isprintable() or set(column) & set("<>\"'`"):
            raise UserError(
                f"{name} has a column named {shown(column)}, "
                "expected 1 to 128 printable characters without < > or quotes"
            )
    if not features_of(header):
        raise UserError(f"{name} has no numeric feature: its columns are {', '.join(header)}")


def features_of(header: Iterable[str]) -> tuple[str, ...]:
    """The columns that are features, in order."""
    return tuple(column for column in header if column not in RESERVED_COLUMNS)
