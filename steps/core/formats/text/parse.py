"""Rows of a text as columns, by Arrow's reader of CSV: numbers as float64, whatever else as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from steps.core.formats.file_table import Lines
from steps.core.formats.text.head import split
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import COMMA
from steps.core.formats.text.separators import is_numeric
from steps.errors import UserError, shown

_NAMES: Final = ("subject", "label", "trial", "test_number", "group")  # always text: 007 is no 7
_MISSING: Final = pa.array(pa.csv.ConvertOptions().null_values)
_DECIMAL_COMMA: Final = r"^([+-]?\d*),(\d*(?:[eE][+-]?\d+)?)$"
_DECIMAL_POINT: Final = r"^[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?$"
_SAMPLE: Final = 20
_SMALL: Final = 1 << 20  # bytes that one thread reads faster than several


def parsed_rows(body: bytes, layout: Layout, lines: Lines | None, name: str) -> pa.Table:
    """All columns of a layout.

    Args:
        body: rows of numbers only, each ended by a line feed.
        layout: what its columns are called, and what separates them.
        lines: number of each row in messages; None where they follow each other.
        name: what messages call the file.

    Raises:
        UserError: rows of different lengths, or decimal points among decimal commas.
    """
    names = _as_wide(layout, body)
    sample = [split(line.decode("utf-8", "replace"), layout.separator) for line in body.split(b"\n", _SAMPLE)[:_SAMPLE]]
    columns = list(zip(*[row for row in sample if len(row) == len(names)], strict=True)) or [()] * len(names)
    types = {
        column: pa.float64() if is_numeric(cells) or not any(cells) else pa.string()
        for column, cells in zip(names, columns, strict=True)
    }
    types |= {column: pa.string() for column in names if column.casefold() in _NAMES}
    try:
        table = _arrow(body, names, types, layout)
    except pa.ArrowInvalid as error:
        _check_width(body, names, layout, lines, name)
        try:
            table = _numbers_where_there_are(
                _arrow(body, names, dict.fromkeys(names, pa.string()), layout), types, layout, lines, name
            )
        except pa.ArrowInvalid:
            raise UserError(f"{name} is not a readable table: {shown(str(error))}") from error
    if layout.decimal == COMMA:
        for i, column in enumerate(names):
            if types[column] == pa.string() and column.casefold() not in _NAMES:
                table = table.set_column(i, column, _with_points(table[column]))
    whole = [column for column in names if types[column] == pa.float64() and _is_whole(table[column])]
    for column in _with_leading_zeros(body, names, whole, layout):
        table = table.set_column(
            names.index(column), column, _arrow(body, names, {column: pa.string()}, layout, [column])[0]
        )
    return table


def _as_wide(layout: Layout, body: bytes) -> tuple[str, ...]:
    """The names, and one more where rows end in a separator but the row of names does not."""
    end = body.find(b"\n")
    width = len(split(body[:end].decode("utf-8", "replace"), layout.separator))
    if (
        width == len(layout.names) + 1
        and layout.separator
        and body[:end].rstrip(b" ").endswith(layout.separator.encode())
    ):
        return (*layout.names, f"Unnamed: {len(layout.names)}")
    return layout.names


def _arrow(
    body: bytes,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    layout: Layout,
    wanted: Sequence[str] | None = None,
    *,
    use_threads: bool = True,
) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(body),
        read_options=pa.csv.ReadOptions(column_names=names, use_threads=use_threads and len(body) > _SMALL),
        parse_options=pa.csv.ParseOptions(delimiter=layout.separator or "\x1f"),
        convert_options=pa.csv.ConvertOptions(
            column_types=types,
            include_columns=wanted,
            decimal_point=COMMA if layout.decimal == COMMA else ".",
        ),
    )


def _check_width(body: bytes, names: Sequence[str], layout: Layout, lines: Lines | None, name: str) -> None:
    try:
        _arrow(body, names, dict.fromkeys(names, pa.string()), layout, use_threads=False)
    except pa.ArrowInvalid as error:
        if matched := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error)):
            row, expected, got = map(int, matched.groups())
            number = layout.first + row if lines is None else int(lines[row - 1])
            raise UserError(f"{name}, row {number} has {got} cells, expected {expected} as in its header") from error
        raise UserError(f"{name} is not a readable table: {shown(str(error))}") from error


def _numbers_where_there_are(
    table: pa.Table, types: Mapping[str, pa.DataType], layout: Layout, lines: Lines | None, name: str
) -> pa.Table:
    """Columns of text, those as numbers that hold nothing else."""
    for i, column in enumerate(table.column_names):
        if types[column] == pa.float64():
            cells = pc.utf8_trim_whitespace(table[column])
            cells = pc.if_else(pc.is_in(cells, _MISSING), pa.scalar(None, pa.string()), cells)
            if layout.decimal == COMMA:
                _check_no_point(cells, column, layout, lines, name)
                cells = _with_points(cells)
            try:
                table = table.set_column(i, column, cells.cast(pa.float64()))
            except pa.ArrowInvalid:
                table = table.set_column(i, column, cells)
    return table


def _with_points(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.replace_substring_regex(cells, _DECIMAL_COMMA, r"\1.\2")


def _check_no_point(cells: pa.ChunkedArray, column: str, layout: Layout, lines: Lines | None, name: str) -> None:
    with_point = pc.index(pc.match_substring_regex(cells, _DECIMAL_POINT), True).as_py()
    if with_point >= 0:
        row = layout.first + 1 + with_point if lines is None else int(lines[with_point])
        raise UserError(
            f"{name}, row {row}: column {shown(column)} holds {shown(cells[with_point].as_py())}, but other numbers "
            "have decimal commas; expected one decimal mark: save it again with decimal points"
        )


def _is_whole(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(column.type):
        return False
    with np.errstate(invalid="ignore"):
        values = column.to_numpy()
        return all(bool((np.floor(part) == part)[~np.isnan(part)].all()) for part in (values[:256], values))


def _with_leading_zeros(body: bytes, names: Sequence[str], columns: Sequence[str], layout: Layout) -> list[str]:
    """Columns of whole numbers of which some begin with a zero, as names do."""
    if not columns or not re.search(rb"(?<![\d.,eE+-])0\d", body):
        return []
    table = _arrow(body, names, dict.fromkeys(columns, pa.string()), layout, columns)
    return [column for column in columns if pc.any(pc.match_substring_regex(table[column], r"^\s*0\d+\s*$")).as_py()]
