"""What the decimal mark of a text is: told by its numbers, and refused where these can be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from steps.core.formats.text.head import Row, split
from steps.core.formats.text.numbers import (
    COMMA,
    POINT,
    decimal_of,
    has_both,
    is_any_number,
    is_number,
    may_be_thousands,
)
from steps.core.formats.text.separators import Separation
from steps.errors import UserError, shown

# A number whose comma stands between no thousands: 0,123 or 1,23 or 1234,5.
_SETTLES: Final = re.compile(rb"(?<![\d,])(?:0\d*,\d|\d{4,},\d|\d{1,3},(?!\d{3}(?!\d))\d|\d{1,3},\d{3}[eE])")
# The same of points; and a whole number of four digits, which has no point between its thousands.
_SETTLES_POINTS: Final = re.compile(
    rb"(?<![\d.])(?:0\d*\.\d|\d{4,}(?!\d)|\d{1,3}\.(?!\d{3}(?!\d))\d|\d{1,3}\.\d{3}[eE])"
)
_WITH_COMMA: Final = re.compile(rb"\d,\d")
_WITH_POINT: Final = re.compile(rb"\d\.\d")
_WITH_POINTS: Final = re.compile(rb"[\d.]*\d\.\d[\d.]*")
_Cell = tuple[int, str]  # its row as a message says it, and what it holds


def decimal_mark(text: bytes, rows: Sequence[Row], separation: Separation, name: str) -> str | None:
    """The decimal mark of a text; None where no number has one.

    Args:
        text: all of it.
        rows: of its head, those of numbers.
        separation: how they are split.
        name: what messages call the file.

    Raises:
        UserError: decimal points and decimal commas, marks between thousands, or commas that may be either.
    """
    marked: dict[str, _Cell] = {}
    for row in rows:
        if both := next((cell for cell in split(row.text, separation.separator) if has_both(cell)), None):
            raise UserError(
                f"{name}, row {row.line + 1} holds {shown(both)}, with marks between thousands; expected numbers with "
                "a decimal mark only: save it without thousands separators"
            )
    for number, cell in _cells(rows, separation):
        if is_any_number(cell) and (mark := decimal_of([cell])):
            marked.setdefault(mark, (number, cell))
    if len(marked) == 2:
        (point_row, point), (comma_row, comma) = marked[POINT], marked[COMMA]
        raise UserError(
            f"{name} has numbers with decimal points (row {point_row}: {shown(point)}) and with decimal commas (row "
            f"{comma_row}: {shown(comma)}), expected one decimal mark: save it again with decimal points"
        )
    if not marked and separation.separator != COMMA:  # whole numbers so far
        has_comma, has_point = _WITH_COMMA.search(text), _WITH_POINT.search(text)
        mark = None if bool(has_comma) == bool(has_point) else COMMA if has_comma else POINT
    else:
        if COMMA in marked:
            _check_thousands(text, rows, separation, name)
        mark = next(iter(marked), None)
    if mark == POINT and separation.separator != COMMA:
        _check_points(text, rows, separation, name)
    return mark


def _cells(rows: Sequence[Row], separation: Separation) -> Iterator[_Cell]:
    for row in rows:
        cells = split(row.text, separation.separator)
        if len(cells) == separation.width:
            yield from ((row.line + 1, cells[i]) for i in separation.numeric)


def _check_thousands(text: bytes, rows: Sequence[Row], separation: Separation, name: str) -> None:
    """Refuse numbers all of whose commas may stand between thousands."""
    numbers = [one for one in _cells(rows, separation) if COMMA in one[1] and is_number(one[1], COMMA)]
    if not all(may_be_thousands(cell) for _, cell in numbers) or _SETTLES.search(text):
        return
    row, cell = numbers[0]
    raise UserError(
        f"{name} can be read in two ways: in row {row}, {shown(cell)} is {cell.replace(COMMA, POINT)} with a decimal "
        f"comma, or {cell.replace(COMMA, '')} with a comma between thousands, and no other number tells; save it with "
        "decimal points and without thousands separators"
    )


def _check_points(text: bytes, rows: Sequence[Row], separation: Separation, name: str) -> None:
    """Refuse points that may all stand between thousands, where smaller numbers of their column are whole."""
    columns: dict[int, list[_Cell]] = {}
    for row in rows:
        cells = split(row.text, separation.separator)
        for i in separation.numeric if len(cells) == separation.width else ():
            if is_number(cells[i], POINT):
                columns.setdefault(i, []).append((row.line + 1, cells[i]))
    pointed = {i: [cell for cell in cells if POINT in cell[1]] for i, cells in columns.items()}
    found: _Cell | None = next((own[0] for i, own in pointed.items() if 0 < len(own) < len(columns[i])), None)
    if any(pointed.values()) and not found:
        return
    body = b"\n".join(text.split(b"\n")[rows[0].line :])
    if _SETTLES_POINTS.search(body):
        return
    if not found and (later := _WITH_POINTS.search(body)):
        found = (rows[0].line + 1 + body.count(b"\n", 0, later.start()), later[0].decode())
    if found:
        number, cell = found
        raise UserError(
            f"{name} can be read in two ways: in row {number}, {shown(cell)} is {cell} with a decimal point, or "
            f"{cell.replace(POINT, '')} with a point between thousands, as smaller numbers are whole; save it without "
            "thousands separators"
        )
