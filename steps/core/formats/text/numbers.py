"""Which cells of a text are numbers, with decimal points or decimal commas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_FASTEST: Final = 1e7
POINT, COMMA = ".", ","
# As Arrow reads them when it reads CSV.
MISSING: Final = frozenset(
    ("", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "n/a", "na", "null", "nan")
)
_INFINITE: Final = frozenset(("inf", "-inf", "+inf", "infinity", "-infinity"))
_NUMBER: Final[Mapping[str, re.Pattern[str]]] = {
    decimal: re.compile(rf"[+-]?(?:\d+{mark}?\d*|{mark}\d+)(?:[eE][+-]?\d+)?", re.ASCII)
    for decimal, mark in ((POINT, r"\."), (COMMA, ","))
}
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_BOTH: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d*|[+-]?\d{1,3}(?:\.\d{3})+,\d*")


def whole(text: str) -> int | None:
    """A count that a header says; None for anything else."""
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else None


def is_rate(number: float) -> bool:
    """Whether a number may be a sampling rate, in samples per second."""
    return 0 < number <= _FASTEST


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell, without blanks around it, is a number in this notation."""
    return _NUMBER[decimal].fullmatch(cell) is not None


def is_any_number(cell: str) -> bool:
    """Whether a cell is a number with a decimal point, a decimal comma or none."""
    return is_number(cell, POINT) or is_number(cell, COMMA)


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no number, or none that is finite."""
    return cell.lower() in MISSING or cell.lower() in _INFINITE


def decimal_of(cells: Iterable[str]) -> str | None:
    """The decimal mark of numbers: a point, a comma, None where there is none, "" where both occur."""
    marks = {mark for cell in cells for mark in (POINT, COMMA) if mark in cell}
    return marks.pop() if len(marks) == 1 else "" if marks else None


def may_be_thousands(cell: str) -> bool:
    """Whether the commas of a number may stand between thousands: 1,234 but neither 0,123 nor 1,23."""
    return _THOUSANDS.fullmatch(cell) is not None


def has_both(cell: str) -> bool:
    """Whether a number has marks between its thousands and a decimal mark: 1,234.5 or 1.234,5."""
    return _BOTH.fullmatch(cell) is not None
