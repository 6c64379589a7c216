"""CSV files as named columns: identities as text, everything else as float64.

Many plain files with one header are parsed at once: parsing each for itself costs several times as much. Plain is what
programs write: the very same header, then numbers, commas and line ends; no quotes, no blank lines. Whatever is not
so, or cannot be parsed, is left to `parse_csv`, which knows what to say about it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv

from steps.core.data.dataset import RESERVED_COLUMNS
from steps.core.readers import dialect
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.columns import IDENTITIES, Columns, Lines, Parsed, check_columns, check_last_rows
from steps.errors import UserError, shown

_LOOK = 64
_MARK = b"\xef\xbb\xbf"
# Line breaks after which a line is, or may be, blank. If white space follows, a closer look decides.
_SIGNS = (b"\n\n", b"\n\r", b"\n ", b"\n\t")


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
        table = _arrow_csv(raw, header, skip_rows=1)
    except pa.ArrowInvalid:
        try:  # again on one thread: only then does Arrow name the row
            table = _arrow_csv(raw, header, skip_rows=1, use_threads=False)
        except pa.ArrowInvalid as error:
            message = _explain(str(error), header, raw, name, lines, choice)
            raise UserError(dialect.explain(message, raw, name, lines)) from error
    parsed = Parsed(table, header.names, header.columns, None if lines is None else lines[1:])
    check_last_rows(parsed, name)
    return parsed


def is_plain(raw: bytes, header: Header) -> bool:
    """Whether a CSV file has exactly this header and, below it, one line per row."""
    start = len(header.line)
    if not raw.startswith(header.line) or _is_blank(raw, start) or raw.find(b'"', start) >= 0:
        return False
    # Arrow ends a row at a carriage return, too; so it may stand before a line feed only.
    return raw.find(b"\r", start) < 0 or raw.count(b"\r", start) == raw.count(b"\r\n", start)


def parse_together(raws: Sequence[bytes], header: Header) -> tuple[pa.Table, list[int]] | None:
    """Plain CSV files as one table, and the number of rows of each; None if any of them needs a closer look.

    Args:
        raws: contents of files that are plain (`is_plain`).
        header: their header; no column that is taken holds text.
    """
    bodies: list[bytes | memoryview] = []
    rows = []
    for raw in raws:
        end = len(raw)
        if raw.endswith((b"\n\n", b"\n\r\n")):
            end = len(raw.rstrip(b"\r\n"))
        bodies.append(memoryview(raw)[len(header.line) : end])
        is_ended = raw.endswith(b"\n", 0, end)
        if not is_ended:
            bodies.append(b"\n")
        rows.append(raw.count(b"\n", len(header.line), end) + (not is_ended))
    try:
        table = _arrow_csv(b"".join(bodies), header)
    except pa.ArrowInvalid:
        return None
    # Arrow passes over blank lines: then it is not known which rows are whose.
    return (table, rows) if table.num_rows == sum(rows) else None


def _arrow_csv(raw: bytes, header: Header, *, skip_rows: int = 0, use_threads: bool = True) -> pa.Table:
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


def _is_blank(raw: bytes, start: int) -> bool:
    """Whether nothing but white space follows ``start`` as far as a short look goes: if False, something does."""
    return len(raw) <= start or raw[start : start + _LOOK].isspace()


def _text(raw: bytes, name: str) -> tuple[bytes, Lines | None]:
    dialect.check_encoding(raw, name)
    return _without_blank_lines(raw)


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
    if _is_blank(raw, end) and not raw[end:].strip():
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

    if matched := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = matched.groups()
        return f"{name}, row {number(row)} has {got} cells, expected {expected} as in its header"
    if matched := re.search(r"column #(\d+): Row #(\d+): .* invalid value '(.*)'$", message, re.DOTALL):
        column, row, value = matched.groups()
        label = header.names[int(column)]
        if not value.strip():
            return (
                f"{name}, row {number(row)}: column {shown(label)} holds blanks only, expected a number, or nothing at "
                "all where one is missing"
            )
        way_out = ""
        if re.fullmatch(r"\s*-?\d+,\d+\s*", value):
            way_out = " with a decimal point"
        elif header.columns.taken[label] not in RESERVED_COLUMNS and dialect.is_text(raw, int(column)):
            way_out = f"; a column of text can be left out with {choice.without([label])}"
        return f"{name}, row {number(row)}: column {shown(label)} holds {shown(value)}, expected a number{way_out}"
    return f"{name} is not a readable CSV file: {shown(message)}"


def _without_blank_lines(raw: bytes) -> tuple[bytes, Lines | None]:
    """CSV text without the lines that hold nothing but white space.

    Returns:
        The text, with ``\\n`` at the end of lines where it had ``\\r`` alone, and the number of the line that each line
        left had, or None where they are still 1, 2, 3 and so on.
    """
    if b"\r" in raw and raw.count(b"\r") != raw.count(b"\r\n"):  # line ends of old Macintosh programs
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = raw[: len(_MARK) + 1].removeprefix(_MARK)[:1]
    if not start.isspace() and not any(sign in raw for sign in _SIGNS):
        return raw, None
    mark = _MARK if raw.startswith(_MARK) else b""
    lines = raw.removeprefix(mark).split(b"\n")
    kept = [number for number, line in enumerate(lines) if line and not line.isspace()]
    text = mark + b"\n".join([lines[number] for number in kept]) + b"\n"
    if kept == list(range(len(kept))):
        return text if kept else b"", None
    return text, np.array(kept, dtype=np.int64) + 1
