"""Much of the same, worked on in chunks: one after another, or in a pool.

Products of matrices of other shapes are rounded differently. So chunks depend on how much there is, never on who works,
and whoever works gets the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")
T = TypeVar("T")
ELEMENTS = 2_000_000  # per temporary array, 16 MB


class Mapper(Protocol):
    """Where to work."""

    def __call__(self, function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        """``function`` of every item, in their order."""


def chunks(rows: int, columns: int) -> list[slice]:
    """Cut ``rows`` of so many ``columns`` into chunks of a bounded size; at least one chunk."""
    size = max(1, ELEMENTS // max(1, columns))
    return [slice(start, start + size) for start in range(0, max(1, rows), size)]


def serial(function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Work in this process."""
    return [function(item) for item in items]
