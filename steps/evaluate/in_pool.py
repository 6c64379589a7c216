"""Chunks of work in a pool, each on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from threadpoolctl import ThreadpoolController

from steps.compute import Pool, resident
from steps.core.metrics.chunks import Item, Mapper, T


def in_pool(pool: Pool) -> Mapper:
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
