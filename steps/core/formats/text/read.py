"""A text of a known dialect as named columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from steps.core.formats.file_table import Doubles, FileTable, Lines, RawFile
from steps.core.formats.text.container import unpacked
from steps.core.formats.text.dialect import Dialect, recognise_text
from steps.core.formats.text.encoding import decoded
from steps.core.formats.text.head import COMMENT_LINES
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.parse import parsed_rows
from steps.core.formats.text.times import seconds_of
from steps.core.formats.time_column import is_time
from steps.errors import UserError, shown

TIME_MADE: Final = "Time in seconds was made"
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
            f"{name} says in its header that it has {layout.rows} rows, but holds {table.num_rows}: it seems to be cut "
            "off; copy or export it again"
        )
    notes = list(layout.notes)
    table, dialect = _with_seconds(table, dialect)
    table = _with_time(table, layout, notes, name)
    table = _without_unseen(table, layout, notes)
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
            "numbers; where there are no names, give them: columns=time,knee,hip"
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
    return parsed_rows(body, layout, lines, name), lines


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
        if (cells and line.count(mark) == cells)  # of empty cells, too: between tabs they look like a blank line
        or (line.strip() and not (has_comments and COMMENT_LINES.match(b"\n" + line)))
    ]
    if not kept:
        raise UserError(f"{name} holds a header only, expected a row per time point")
    if len(layout.names) == 1:
        for before, after in pairwise(kept):
            if any(not line.strip() for line in lines[before + 1 : after]):
                raise UserError(
                    f"{name}, row {layout.first + before + 2} is empty: in a file of one column that may be a missing "
                    "value; write NaN there or delete the line"
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


def _without_unseen(table: pa.Table, layout: Layout, notes: list[str]) -> pa.Table:
    """With points at 0, 0, 0 as missing values: no marker lies there, programs write it of one that was not seen."""
    unseen = 0
    for i in range(0, len(layout.points), 3):
        point = layout.points[i : i + 3]
        if not all(pa.types.is_floating(table[column].type) for column in point):
            continue
        is_unseen = (np.stack([table[column].to_numpy() for column in point]) == 0).all(axis=0)
        unseen += int(is_unseen.sum())
        for column in point if is_unseen.any() else ():
            cells = pc.if_else(pa.array(is_unseen), pa.scalar(None, pa.float64()), table[column])
            table = table.set_column(table.column_names.index(column), column, cells)
    if unseen:
        notes.append("Points at 0, 0, 0 were not seen; they are missing values.")
    return table


def _with_seconds(table: pa.Table, dialect: Dialect) -> tuple[pa.Table, Dialect]:
    """With times of day as seconds, in columns for time."""
    for i, column in enumerate(table.column_names):
        if is_time(column) and pa.types.is_string(table[column].type) and (seconds := seconds_of(table[column])):
            table, dialect = table.set_column(i, column, seconds), replace(dialect, has_times=True)
    return table, dialect


def _with_time(table: pa.Table, layout: Layout, notes: list[str], name: str) -> pa.Table:
    """With seconds, where the file says a sampling rate and has no column for time; or counted from where it says."""
    times = [column for column in table.column_names if is_time(column) and column not in layout.left_out]
    if times and layout.start and pa.types.is_floating(table[times[0]].type):
        at = table.column_names.index(times[0])
        return table.set_column(at, times[0], pc.add(table[times[0]], layout.start))
    if layout.rate is None or times:
        return table
    count = _counted(table, layout, name)
    notes.append(f"{TIME_MADE} from the sampling rate that the file says, {layout.rate:g} per second.")
    return table.add_column(0, "time", pa.array(count / layout.rate + layout.start))


def _counted(table: pa.Table, layout: Layout, name: str) -> Doubles:
    """Which sample each row is, shape ``(rows,)``: by the file's own counters where it has them."""
    counters = []
    for column in filter(None, (layout.counter, layout.sub_counter)):
        values = table[column]
        if not pa.types.is_floating(values.type) or not np.isfinite(values.to_numpy()).all():
            raise UserError(
                f"{name}: column {shown(column)} holds more than numbers, expected which sample each row is"
            )
        counters.append(values.to_numpy())
    if not counters:
        return np.arange(table.num_rows, dtype=np.float64)
    counter = counters[0]
    if layout.wraps:
        return np.concatenate([[0.0], np.cumsum(np.mod(np.diff(counter), layout.wraps))])
    sub = counters[1] if layout.sub_counter else np.zeros(table.num_rows)
    count: Doubles = counter * (np.max(sub, initial=0.0) + 1) + sub
    return count
