"""Runs such as a training makes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Run

from steps.tracking.tracker import MLflowTracker

if TYPE_CHECKING:
    import keras


def as_bytes(model: keras.Model) -> bytes:
    """The content of the model's ``.keras`` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        model.save(path)
        return path.read_bytes()


def fold_run(train: Run, subject: str, *, model: bytes | None = None, status: str = "FINISHED") -> str:
    """The run of a fold that tests ``subject``; returns its ID."""
    with MLflowTracker(parent_run_id=train.info.run_id, experiment_id=train.info.experiment_id) as tracker:
        run = tracker.start_run("fear", subject, 1, {"entry_point": "fold"})
        if model:
            run.log_model(model, (5, 2))
        run.log_artifacts({"split.json": json.dumps({"test": [subject]})})
        tracker.end_run(status)
        return run.run_id
