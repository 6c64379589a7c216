"""Paged searches, and batches: MLflow limits how much it returns and accepts at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run


def pages(search: Callable[..., Any]) -> Iterator[Any]:
    """All that a paged search of MLflow finds."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def every_run(experiments: Sequence[str], filter_string: str, *, client: MlflowClient | None = None) -> list[Run]:
    """All runs of some experiments that fit, newest first.

    Args:
        experiments: their IDs.
        filter_string: MLflow's.
        client: of a store; of the one in use by default.
    """
    search = partial((client or MlflowClient()).search_runs, list(experiments), filter_string, max_results=1000)
    return list(pages(partial(search, order_by=["attributes.start_time DESC"])))


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items in groups of at most ``size``: MLflow refuses larger ones."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
