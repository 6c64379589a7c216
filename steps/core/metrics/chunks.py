"""Working on a large array in chunks, one after another or in a pool.

Matrix products of other shapes are rounded differently. So the size of chunks depends on the array alone, and the
numbers are the same to the last bit wherever the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
T = TypeVar("T")
ELEMENTS = 2_000_000  # per temporary array, 16 MB


class Mapper(Protocol):
    """Where to work: calls a function of every item."""

    def __call__(self, function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        """``function`` of every item, in their order."""


def serial(function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Work in this process."""
    return [function(item) for item in items]


def chunks(rows: int, columns: int, elements: int = ELEMENTS) -> list[slice]:
    """Cut ``rows`` of so many ``columns`` into chunks of at most so many ``elements``; at least one chunk."""
    size = max(1, elements // max(1, columns))
    return [slice(start, start + size) for start in range(0, max(1, rows), size)]


@dataclass(frozen=True)
class Chunked:
    """Work on the rows of an array, some at a time.

    Attributes:
        mapper: where.
        elements: how many numbers a temporary array may hold; other chunks may change the last digits.
    """

    mapper: Mapper = serial
    elements: int = ELEMENTS

    def __call__(
        self, function: Callable[[npt.NDArray[np.generic]], T], rows: npt.NDArray[np.generic], columns: int
    ) -> list[T]:
        """``function`` of every chunk of ``rows``, in their order.

        Args:
            function: takes some of the rows.
            rows: what is cut.
            columns: numbers that the function holds for each row.
        """
        return self.mapper(function, [rows[part] for part in chunks(len(rows), columns, self.elements)])


AT_ONCE = Chunked()
"""In this process, in chunks of the usual size."""
