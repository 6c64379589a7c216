"""What becomes of a fold's record: a run of its own, nested under the training's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from steps.dataset import Manifest
from steps.tracking import record
from steps.tracking.tracker import MLflowTracker, TrackedRun
from steps.train.splits import Fold
from steps.train.worker import FoldRecord

if TYPE_CHECKING:
    from mlflow.entities import Run

# Wall times of a fold's phases in seconds, and the memory of its process, in `runtime.csv`.
_RUNTIME = ("epochs_trained", "training_time_s", "model_saving_s", "peak_memory_mib")


class FoldRecorder:
    """Records folds as they are begun and finished, while others are being trained."""

    def __init__(self, run: Run, parameters: Mapping[str, Any], manifest: Manifest, dataset_uri: str) -> None:
        self._name = parameters["run_name"]
        self._manifest, self._uri = manifest, dataset_uri
        self._tags = {
            "model": parameters["model"],
            "dataset_uri": dataset_uri,
            "dataset_digest": manifest.digest,
        }
        self._tracker = MLflowTracker(
            log_level=parameters["log_level"], parent_run_id=run.info.run_id, experiment_id=run.info.experiment_id
        )
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, int], TrackedRun] = {}
        self.done: dict[tuple[str, int], dict[str, float]] = {}

    def begin(self, fold: Fold) -> None:
        """Make the run of a fold that is begun, from any thread."""
        with self._lock:
            self._run_of(fold)

    def record(self, found: FoldRecord) -> None:
        """Record a finished fold and end its run."""
        with self._lock:  # word of a short fold's beginning may come after its end
            run = self._run_of(found.fold)
        run.log_model(found.network, found.shape)
        self._log(run, found)
        run.end_run(end_time_ms=found.ended_ms)
        self.done[_key(found.fold)] = found.metrics

    def record_deployable(self, found: FoldRecord, training: Mapping[str, Any]) -> dict[str, str]:
        """Record the model fitted on everybody, after all else; returns tags that lead to it."""
        run = self._tracker.start_run(
            f"{self._name}_{found.fold.name}", tags={"entry_point": "deployable", **self._tags}
        )
        self._log(run, found)
        self._tracker.flush()
        uri = record.log_deployable_model(run.run_id, found.network, found.shape, training)
        run.end_run(end_time_ms=found.ended_ms)
        self._tracker.flush()
        return {"deployable_run_id": run.run_id, "deployable_model_uri": uri}

    def _run_of(self, fold: Fold) -> TrackedRun:
        if _key(fold) not in self._begun:
            tags = {"label": fold.label, "entry_point": "fold", **self._tags}
            self._begun[_key(fold)] = self._tracker.start_run(self._name, fold.name, fold.test_number, tags)
        return self._begun[_key(fold)]

    def _log(self, run: TrackedRun, found: FoldRecord) -> None:
        # Whoever takes over this fold after an interruption needs the metrics, at whatever level.
        run.log_fit(found.parameters, found.metrics, found.history, found.timestamps_ms)
        parts = {context: subjects for context, subjects in _contexts(found.fold).items() if subjects}
        run.log_datasets(
            [
                record.DatasetPart(self._manifest.source, self._manifest.digest, self._uri, subjects, context)
                for context, subjects in parts.items()
            ]
        )
        run.log_artifacts(
            {
                "split.json": json.dumps(found.split, indent=2) + "\n",
                "history.csv": found.history.to_csv(lineterminator="\n"),
                "model_summary.txt": found.model_summary,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._tracker.close()


def runtime_table(folds: Iterable[tuple[tuple[str, int], Mapping[str, float]]]) -> pd.DataFrame:
    """A row per fold: epochs, seconds of each phase, peak memory of its process in MiB."""
    rows = [
        {"fold": name, "test_number": number, **{key: metrics.get(key) for key in _RUNTIME}}
        for (name, number), metrics in sorted(folds)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(_RUNTIME, float))


def _contexts(fold: Fold) -> dict[str, tuple[str, ...]]:
    return {"train": fold.training_subjects, "validation": fold.validation_subjects, "test": fold.test_subjects}


def _key(fold: Fold) -> tuple[str, int]:
    return fold.name, fold.test_number
