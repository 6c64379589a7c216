"""MLflow gives and takes no more than so much at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def pages(search: Callable[..., Any]) -> Iterator[Any]:
    """All that a paged search of MLflow finds."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items in groups of at most ``size``: MLflow refuses larger ones."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
