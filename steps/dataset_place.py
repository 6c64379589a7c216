"""What work in other processes is told of the dataset."""

from __future__ import annotations

from typing import Protocol

from steps.dataset import Dataset


class DatasetPlace(Protocol):
    """Where a process of the pool finds the dataset; equal places compare and hash as equal."""

    def load(self) -> Dataset:
        """The dataset, its digest checked."""
