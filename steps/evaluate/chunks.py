"""Much of the same, worked on in chunks: here, or in a pool.

Products of matrices of other shapes are rounded differently. So chunks depend on how much there is, never on who works,
and whoever works gets the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from threadpoolctl import ThreadpoolController

from steps.compute import Pool, resident

Item = TypeVar("Item")
T = TypeVar("T")
ELEMENTS = 2_000_000  # per temporary array, 16 MB


class Run(Protocol):
    """Where to work."""

    def __call__(self, function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        """``function`` of every item, in their order."""


def chunks(rows: int, columns: int) -> list[slice]:
    """Cut ``rows`` of so many ``columns`` into chunks of a bounded size; at least one chunk."""
    size = max(1, ELEMENTS // max(1, columns))
    return [slice(start, start + size) for start in range(0, max(1, rows), size)]


def here(function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Work in this process."""
    return [function(item) for item in items]


def in_pool(pool: Pool) -> Run:
    """Work in a pool; each of its processes computes on one thread."""

    def run(function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        tasks = [pool.submit(_on_one_thread, function, item) for item in items]
        return [task.result() for task in tasks]

    return run


def _on_one_thread(function: Callable[[Item], T], item: Item) -> T:
    with _threads().limit(limits=1):
        return function(item)


@resident
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
