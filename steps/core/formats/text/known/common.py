"""What several known headers have in common."""

from __future__ import annotations

from collections.abc import Sequence

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.numbers import decimal_of, is_any_number

_ROWS = 20


def decimal_below(head: Head, line: int, separator: str) -> str | None:
    """The decimal mark of the numbers from a line on; None where they have none, or both."""
    cells = [cell for text in head.lines[line : line + _ROWS] for cell in split(text, separator)]
    numbers = [cell for cell in cells if is_any_number(cell)]
    return decimal_of(numbers) or None


def spread(cells: Sequence[str]) -> list[str]:
    """A row of titles, each of which counts for the empty cells to its right."""
    row: list[str] = []
    for cell in cells:
        row.append(cell or (row[-1] if row else ""))
    return row


def widened(cells: Sequence[str], width: int) -> list[str]:
    """A row with empty cells at its end, or without those that are too many."""
    return [*cells, *[""] * (width - len(cells))][:width]
