"""A text of a known dialect as named columns, by Arrow's reader of CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from steps.core.formats.file_table import FileTable, Lines, RawFile
from steps.core.formats.text.container import unpacked
from steps.core.formats.text.dialect import Dialect, recognise_text
from steps.core.formats.text.encoding import decoded
from steps.core.formats.text.head import COMMENT_LINES, split
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import COMMA
from steps.core.formats.text.separators import is_numeric
from steps.core.formats.text.times import seconds_of
from steps.core.formats.time_column import is_time
from steps.errors import UserError, shown

TIME_MADE: Final = "Time in seconds was made"
_NAMES: Final = ("subject", "label", "trial", "test_number", "group")  # always text: 007 is no 7
_MISSING: Final = pa.array(pa.csv.ConvertOptions().null_values)
_DECIMAL_COMMA: Final = r"^([+-]?\d*),(\d*(?:[eE][+-]?\d+)?)$"
_DECIMAL_POINT: Final = r"^[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?$"
_SAMPLE: Final = 20
_SMALL: Final = 1 << 20  # bytes that one thread reads faster than several
_BLANK_LINES: Final = re.compile(rb"\n[ \t,;]*\n")


def read(raw: bytes, dialect: Dialect, name: str) -> FileTable:
    """A text as named columns: numbers as float64, other columns as text.

    Raises:
        UserError: rows of different lengths, or anything else that is no table.
    """
    return read_text(decoded(raw, name)[0], dialect, name)


def read_text(text: bytes, dialect: Dialect, name: str) -> FileTable:
    """As `read`, of a text that is in UTF-8 with ``\\n`` at the ends of lines."""
    layout = dialect.layout
    table, lines = _table(text, layout, dialect.has_comments, name)
    units = dict(layout.units)
    for more in layout.more:
        table = _beside(table, _table(text, more, dialect.has_comments, name)[0], layout, name)
        units |= more.units
    if layout.rows is not None and table.num_rows < layout.rows:
        raise UserError(
            f"{name} says in its header that it has {layout.rows} rows, but holds {table.num_rows}: it seems to be "
            "cut off; "
            "copy or export it again"
        )
    notes = list(layout.notes)
    table, dialect = _with_seconds(table, dialect)
    table = _with_time(table, layout, notes)
    there = set(table.column_names)
    return FileTable(
        table.drop_columns([column for column in layout.left_out if column in there]),
        units={column: unit for column, unit in units.items() if column in there},
        read_as=dialect.described,
        first_row=layout.first + 1,
        lines=lines,
        notes=tuple(notes),
        events=layout.events,
    )


def read_any(raw: bytes, name: str, columns: Sequence[str] = ()) -> tuple[FileTable, Dialect] | None:
    """A text of whatever dialect as named columns, and what was recognised; None where nothing was, or no names.

    Raises:
        UserError: as `recognise` and `read` say.
    """
    text, encoding = decoded(raw, name)
    dialect = recognise_text(text, encoding, name, columns)
    if dialect is None or not dialect.layout.names:
        return None
    table = read_text(text, dialect, name)
    return table, dialect if table.read_as == dialect.described else replace(dialect, has_times=True)


def read_text_file(file: RawFile) -> FileTable:
    """A file of text, perhaps compressed, as named columns.

    Raises:
        UserError: nothing is recognised in it, or it has no names of columns; and as `read_any` says.
    """
    read = read_any(unpacked(file.raw, file.name), file.name, file.columns)
    if read is None:
        raise UserError(
            f"{file.name} holds no table that is known: expected a row with the names of the columns above rows of "
            "numbers; "
            "where there are no names, give them: columns=time,knee,hip"
        )
    return read[0]


def header_of(raw: bytes, name: str, dialect: Dialect) -> bytes:
    """What stands above the numbers of a text, in UTF-8."""
    text, _ = decoded(raw, name)
    return text[: _line_start(text, dialect.layout.first)]


def _table(text: bytes, layout: Layout, has_comments: bool, name: str) -> tuple[pa.Table, Lines | None]:
    body, lines = _body(text, layout, has_comments, name)
    if layout.separator == " ":
        body = _with_single_blanks(body)
    return _parsed(body, layout, lines, name), lines


def _beside(table: pa.Table, more: pa.Table, layout: Layout, name: str) -> pa.Table:
    """Two tables of one file with the same counter, side by side."""
    for column in (layout.counter, layout.sub_counter):
        if column and not table[column].equals(more[column]):
            raise UserError(f"{name} has sections with different numbers in {shown(column)}, expected the same in all")
    return pa.table(
        dict(zip(table.column_names, table.columns, strict=True))
        | dict(zip(more.column_names, more.columns, strict=True))
    )


def _body(text: bytes, layout: Layout, has_comments: bool, name: str) -> tuple[bytes, Lines | None]:
    """The rows of numbers, and the number of each in the file where they are not one after the other."""
    start = _line_start(text, layout.first)
    end = len(text) if layout.end is None else _line_start(text, layout.end)
    body = text[start:end].rstrip(b"\n") + b"\n"
    is_even = not _BLANK_LINES.search(body) and not (has_comments and COMMENT_LINES.search(b"\n" + body))
    last = body[body.rfind(b"\n", 0, -1) + 1 :]
    if is_even and last.strip(b" \t,;\n"):
        return body, None
    lines = body.split(b"\n")
    while lines and not lines[-1].strip(b" \t,;"):
        lines.pop()
    mark = b"" if layout.separator == " " else layout.separator.encode()
    cells = lines[0].count(mark) if mark and lines else 0  # what has as many is a row: subject #12
    kept = [
        number
        for number, line in enumerate(lines)
        if line.strip()
        and not (has_comments and COMMENT_LINES.match(b"\n" + line) and not (cells and line.count(mark) == cells))
    ]
    if not kept:
        raise UserError(f"{name} holds a header only, expected a row per time point")
    if len(layout.names) == 1:
        for before, after in pairwise(kept):
            if any(not line.strip() for line in lines[before + 1 : after]):
                raise UserError(
                    f"{name}, row {layout.first + before + 2} is empty: in a file of one column that may be a missing "
                    "value; "
                    "write NaN there or delete the line"
                )
    return b"\n".join([lines[number] for number in kept]) + b"\n", np.array(kept, dtype=np.int64) + layout.first + 1


def _line_start(text: bytes, line: int) -> int:
    at = 0
    for _ in range(line):
        at = text.find(b"\n", at) + 1
        if not at:
            return len(text)
    return at


def _with_single_blanks(body: bytes) -> bytes:
    """Rows whose cells are separated by one blank, none at their ends."""
    body = body.replace(b"\t", b" ")
    for count in (64, 16, 8, 4, 3, 2):
        body = body.replace(b" " * count, b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    return body.replace(b"\n ", b"\n").replace(b" \n", b"\n").removeprefix(b" ")


def _parsed(body: bytes, layout: Layout, lines: Lines | None, name: str) -> pa.Table:
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
            "have "
            "decimal commas; expected one decimal mark: save it again with decimal points"
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


def _with_seconds(table: pa.Table, dialect: Dialect) -> tuple[pa.Table, Dialect]:
    """With times of day as seconds, in columns for time."""
    for i, column in enumerate(table.column_names):
        if is_time(column) and pa.types.is_string(table[column].type) and (seconds := seconds_of(table[column])):
            table, dialect = table.set_column(i, column, seconds), replace(dialect, has_times=True)
    return table, dialect


def _with_time(table: pa.Table, layout: Layout, notes: list[str]) -> pa.Table:
    """With seconds, where the file says a sampling rate and has no column for time; or counted from where it says."""
    times = [column for column in table.column_names if is_time(column) and column not in layout.left_out]
    if times and layout.start and pa.types.is_floating(table[times[0]].type):
        at = table.column_names.index(times[0])
        return table.set_column(at, times[0], pc.add(table[times[0]], layout.start))
    if layout.rate is None or times:
        return table
    count = np.arange(table.num_rows, dtype=np.float64)
    if layout.counter and pa.types.is_floating(table[layout.counter].type):
        counter = table[layout.counter].to_numpy()
        if layout.sub_counter:
            sub = table[layout.sub_counter].to_numpy()
            count = counter * (np.max(sub, initial=0.0) + 1) + sub
        elif not layout.wraps:
            count = counter
        elif np.isfinite(counter).all():
            count = np.concatenate([[0.0], np.cumsum(np.mod(np.diff(counter), layout.wraps))])
    notes.append(f"{TIME_MADE} from the sampling rate that the file says, {layout.rate:g} per second.")
    return table.add_column(0, "time", pa.array(count / layout.rate + layout.start))
