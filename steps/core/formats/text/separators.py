"""What separates the cells of a text, and what its decimal mark is: told by the rows that hold numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from steps.core.formats.text.head import Row, split
from steps.core.formats.text.numbers import is_any_number, is_missing

# In the order in which they are preferred where several would do equally well.
SEPARATORS: Final[Mapping[str, str]] = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
_SHARE: Final = 0.6  # of rows that have the usual number of cells
_NUMERIC: Final = 0.8  # of a column's cells that are numbers; others may be damaged
_ROWS: Final = 60  # no more are needed to tell
_LETTERS: Final = 1 << 20
_FEW: Final = 3


@dataclass(frozen=True)
class Separation:
    """How rows are split into cells.

    Attributes:
        separator: "" where there is one column.
        width: cells of a row.
        numeric: columns of numbers, by their places.
    """

    separator: str
    width: int
    numeric: tuple[int, ...]


def find_separation(rows: Sequence[Row], only: str = "") -> Separation | None:
    """How most of the rows below a header are split; None where they seem to hold no numbers.

    Args:
        rows: of the head of the file.
        only: the separator, where it is known.
    """
    count = len(rows)
    # The last rows are surely below the header. Where one of few is damaged, more may tell.
    most = max(_FEW, _LETTERS // (1 + max((len(row.text) for row in rows), default=0)))
    for below in (rows[-max(count // 4, min(_FEW, count // 2), 1) :], rows[count // 2 :]):
        if below and (best := _best(below[-min(_ROWS, most) :], only)):
            return best
    return None


def _best(rows: Sequence[Row], only: str) -> Separation | None:
    readings = [_reading(rows, separator) for separator in ([only] if only else SEPARATORS)]
    several = [reading for reading in readings if reading and reading.width > 1 and reading.numeric]
    if several:
        return max(several, key=lambda reading: len(reading.numeric))
    single = _reading(rows, "")
    return single if single and single.numeric else None


def _reading(rows: Sequence[Row], separator: str) -> Separation | None:
    cells = [split(row.text, separator) for row in rows]
    width, count = Counter(map(len, cells)).most_common(1)[0]
    if count < _SHARE * len(cells) or (count == 1 and len(cells) > 1):
        return None
    columns = list(zip(*[row for row in cells if len(row) == width], strict=True))
    numeric = tuple(i for i, column in enumerate(columns) if is_numeric(column))
    return Separation(separator, width, numeric)


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers, but for a few cells."""
    present = [cell for cell in cells if not is_missing(cell)]
    numbers = sum(map(is_any_number, present))
    return bool(present) and numbers >= _NUMERIC * len(present)
