"""Runs such as a training makes."""

from __future__ import annotations

import json

from mlflow.entities import Run

from steps.tracking.tracker import MLflowTracker


def fold_run(train: Run, subject: str, *, model: bytes | None = None, status: str = "FINISHED") -> str:
    """The run of a fold that tests ``subject``; returns its ID."""
    with MLflowTracker(parent_run_id=train.info.run_id, experiment_id=train.info.experiment_id) as tracker:
        run = tracker.start_run("fear", subject, 1, {"entry_point": "fold"})
        if model:
            run.log_model(model, (5, 2))
        run.log_artifacts({"split.json": json.dumps({"training": [], "validation": [], "test": [subject]})})
        tracker.end_run(status)
        return run.run_id
