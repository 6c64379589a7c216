"""A table whose cells are text that HTML, Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from steps.writing.estimates import estimate_text

UNDEFINED = "–"


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and where sorting needs it the number behind the text.

    Attributes:
        text: what is read.
        value: what sorting compares and a number column aligns by.
        share: drawn as a bar from 0 to 1 beside the text.
        wrong: whether it is a decision that differs from the truth.
    """

    text: str
    value: float | None = None
    share: float | None = None
    wrong: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a header."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    sortable: bool = False

    @classmethod
    def of(cls, columns: tuple[str, ...], rows: Collection[Collection[Cell | str]], caption: str = "") -> Table:
        """A table whose cells may be plain text."""
        cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
        return cls(columns, cells, caption)


def estimate_cell(estimate: Mapping[str, float] | None) -> str:
    """An estimate with its interval, or a dash where it is undefined."""
    return estimate_text(estimate) if estimate else UNDEFINED


def difference_cell(estimate: Mapping[str, float] | None) -> str:
    """A difference with its sign and interval, or a dash where it is undefined."""
    return estimate_text(estimate, sign="+") if estimate else UNDEFINED
