"""Where the processes of a pool find a dataset. Places travel to them and tell one dataset from another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steps.dataset import Dataset


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset artifact in a folder that the processes can read."""

    folder: Path

    def load(self) -> Dataset:
        """The dataset, its digest checked."""
        return Dataset.load(self.folder)
