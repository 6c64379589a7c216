"""The header of a text that says nothing of where it ends: the rows above the first row of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from steps.core.formats.text.head import COMMENT, Head, Row, split
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import POINT, is_any_number, is_missing, is_number, is_rate
from steps.core.formats.text.separators import SEPARATORS, Separation
from steps.core.formats.text.unit_names import are_units, bare
from steps.core.formats.time_column import is_time

_AFTER: Final = 3  # rows of numbers that have to follow the first one
_TABLE: Final = 10  # rows of numbers above the header that are a table of their own
_LONGEST: Final = 300  # letters of a line that says the rate
_MOST_NAME_ROWS: Final = 6
_RESERVED: Final = ("subject", "label", "trial", "test_number", "group")
_RATE: Final = re.compile(
    r"(?:sampl\w*[ _-]?(?:rate|freq\w*)|(?:update|output|data|frame|scan)[ _-]?rate|^\W*frequency|\bfs|\bsrate)"
    r"(?:\s*[\[(](?:hz|1/s)[\])])?[\"']?\s*[:=,;\t ]+\s*[\"']?(\d+(?:[.,]\d+)?)(?!\d*[-:/])(?:\s*(k?hz|/s|sps))?",
    re.IGNORECASE,
)


def find_layout(head: Head, rows: Sequence[Row], separation: Separation) -> Layout | None:
    """Where the numbers begin, and which rows above them are the header.

    Returns:
        The layout; without names where no row above is a header. None where rows of numbers stand among those above, so
        that something else is the matter.
    """
    cells = [split(row.text, separation.separator) for row in rows]
    start = _first_row_of_numbers(cells, separation)
    if start is None:
        return None
    above = cells[:start]
    if any(_is_data(row, separation) and is_any_number(row[0]) for row in above) or _holds_a_table(above):
        return None
    commented = [split(row.text, separation.separator) for row in head.comments() if row.line < rows[start].line]
    if separation.separator != " " and any(_is_data(row, separation) for row in commented if any(row[1:])):
        return None  # rows of somebody called #12
    width = separation.width
    trails = all(not row[-1] for row in cells[start:] if len(row) == width) and width > 1
    rate = _rate([*(row.text for row in rows[:start]), *(row.text for row in head.comments())])
    layout = Layout(separation.separator, (), rows[start].line, rate=rate, header_rows=0)
    last = start - 1
    unit_cells: list[str] = []
    if (
        last > 0
        and are_units(above[last])
        and _fitted(above[last - 1], width, trails)
        and not are_units(above[last - 1])
    ):
        unit_cells = _fitted(above[last], width, trails) or []
        last -= 1 if unit_cells else 0
    stack: list[list[str]] = []
    while last - len(stack) >= 0 and len(stack) < _MOST_NAME_ROWS:
        fitted = _fitted(above[last - len(stack)], width, trails)
        if fitted is None or (stack and _is_about_all(fitted, stack[0], separation, last - len(stack))):
            break
        stack.insert(0, fitted)
    if stack and last and (width < 2 or any(map(_is_no_name, stack[-1]))) and _fitted(above[last - 1], width, trails):
        return None  # a damaged row of numbers holds no names
    if stack:
        names, used = joined(stack)
        return _named(layout, names, rows[last].line, used, unit_cells, has_block=last + 1 > len(stack))
    other = _otherwise_split(head, rows, start, separation)
    if other:
        return _named(layout, other[0], other[1], 1, has_block=start > 1)
    if row_names := _after_row_names(cells, start, separation):
        named = _named(layout, row_names, rows[last].line, 1, has_block=start > 1)
        return replace(named, left_out=(row_names[0],), notes=("Left out the names of rows.",))
    return layout


def _holds_a_table(above: Sequence[Sequence[str]]) -> bool:
    """Whether many rows of numbers of one width follow each other, which would be passed over."""
    count = width = 0
    for row in above:
        is_like = len(row) == width and any(row)
        count = 0 if not all(is_any_number(cell) or is_missing(cell) for cell in row) else count + 1 if is_like else 1
        width = len(row)
        if count == _TABLE:
            return True
    return False


def _is_about_all(row: Sequence[str], below: Sequence[str], separation: Separation, above: int) -> bool:
    """Whether a row above one of names says something of the whole file: a title, a key and its value, a sentence.

    Args:
        row: the row.
        below: names that need no more.
        separation: how rows are split.
        above: how many rows stand above it: a key and its value seldom stand alone.
    """
    if sum(map(bool, row)) < 2 or any(map(_is_no_name, filter(None, row))):
        return True
    is_enough = all(below) and different(below)
    are_pairs = separation.width == 2 and above > 0
    return is_enough and (are_pairs or separation.separator == " " or not all(row))


def _is_no_name(cell: str) -> bool:
    return cell[:1].isdigit() or is_any_number(cell) or (bool(cell) and is_missing(cell))


def joined(stack: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Names of columns from several rows of names, from top to bottom, and how many rows they took.

    Rows that say the same of every column are left out; a cell that stands above several columns counts for all.
    """
    rows = [list(row) for row in stack]
    bottom = rows[-1]
    filled = [name for name in bottom if name]
    needed = not different(filled)
    kept = []
    for row in rows[:-1]:
        if len(row) > 2 and all(row[1:]) and len(set(row[1:])) == 1:
            continue
        if not all(row[1:]):
            if not needed:
                continue
            for i in range(1, len(row)):
                row[i] = row[i] or (row[i - 1] if bottom[i] and not is_time(bottom[i]) else "")
        kept.append(row)
    kept.append(bottom)
    names = []
    for column in zip(*kept, strict=True):
        parts = list(dict.fromkeys(part for part in column if part))
        known = [part for part in parts if part.casefold() in _RESERVED or is_time(part)]
        names.append(known[0] if known else "_".join(parts))
    return names, len(kept)


def different(names: Sequence[str]) -> bool:
    """Whether no two names are the same."""
    return len(set(names)) == len(names)


def _named(
    layout: Layout, names: Sequence[str], line: int, used: int, units: Sequence[str] = (), *, has_block: bool = False
) -> Layout:
    called = tuple(name or f"Unnamed: {i}" for i, name in enumerate(names))
    said = {name: bare(unit) for name, unit in zip(called, units, strict=False) if bare(unit)}
    first = called[0]
    if COMMENT.match(first) and (rest := COMMENT.sub("", first, count=1).strip()):
        called = (rest, *called[1:])
    return replace(layout, names=called, header=line, header_rows=used, units=said, has_block=has_block)


def _first_row_of_numbers(cells: Sequence[Sequence[str]], separation: Separation) -> int | None:
    data = [_is_data(row, separation) for row in cells]
    for i in range(len(cells)):
        after = data[i : i + _AFTER + 1]
        if all(after) and not (i == 0 and _all_words(cells[0], separation)):
            return i
    return None


def _is_data(row: Sequence[str], separation: Separation) -> bool:
    """Whether at least half of the cells that should hold numbers do, as far as they are not missing."""
    if len(row) != separation.width:
        return False
    present = [row[i] for i in separation.numeric if not is_missing(row[i])]
    return 2 * sum(map(is_any_number, present)) >= len(present)


def _all_words(row: Sequence[str], separation: Separation) -> bool:
    return not any(is_any_number(row[i]) for i in separation.numeric if i < len(row))


def _fitted(row: Sequence[str], width: int, trails: bool) -> list[str] | None:
    """A row of names as wide as the rows of numbers: with or without a separator at its end; else None."""
    if len(row) == width + 1 and not row[-1]:
        row = row[:-1]
    elif len(row) == width - 1 and trails:
        row = [*row, ""]
    return list(row) if len(row) == width and any(row) else None


def _otherwise_split(
    head: Head, rows: Sequence[Row], start: int, separation: Separation
) -> tuple[list[str], int] | None:
    """Names in a comment just above the numbers, or split by something else; and their line."""
    last = rows[start - 1].line if start else -1
    above = [row for row in head.comments() if last < row.line < rows[start].line]
    found = [(COMMENT.sub("", above[-1].text, count=1), above[-1].line)] if above else []
    if start:
        found.append((rows[start - 1].text, last))
    for text, line in found:
        for separator in (separation.separator, *SEPARATORS):
            names = split(text.strip(), separator)
            if len(names) == separation.width and len(set(names)) == len(names) and all(names):
                return (names, line) if not any(is_number(name, POINT) for name in names) else None
    return None


def _after_row_names(cells: Sequence[Sequence[str]], start: int, separation: Separation) -> list[str] | None:
    """Names of a table whose rows have names, or numbers, that the header has none for."""
    if not start or len(cells[start - 1]) != separation.width - 1 or not all(cells[start - 1]):
        return None
    if any(map(is_any_number, cells[start - 1])):
        return None
    first = [row[0] for row in cells[start:] if len(row) == separation.width]
    counts = [str(i) for i in range(len(first) + 1)]
    if first in (counts[:-1], counts[1:]) or 0 not in separation.numeric:
        return ["row names", *cells[start - 1]]
    return None


def _rate(lines: Sequence[str]) -> float | None:
    """Samples per second, where the lines above the numbers say one number."""
    said = set()
    for line in lines:
        for matched in _RATE.finditer(line[:_LONGEST]):
            said.add(float(matched[1].replace(",", ".")) * (1000 if (matched[2] or "").lower() == "khz" else 1))
    return said.pop() if len(said) == 1 and all(map(is_rate, said)) else None
