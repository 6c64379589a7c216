"""Recording folds: each becomes a run of its own, nested under the training's run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from steps.core.data.fold import Fold
from steps.core.data.fold_record import FoldRecord
from steps.core.data.manifest import CONTROL, Manifest
from steps.core.data.training_reference import LeftOutScores
from steps.tracking import lookup, record
from steps.tracking.environment import machine_tags
from steps.tracking.models.final_model import log_final_model
from steps.tracking.store import digests
from steps.tracking.tracked_run import LogLevel, TrackedRun
from steps.tracking.tracker import MLflowTracker
from steps.writing.spreadsheet import to_csv

if TYPE_CHECKING:
    from mlflow.entities import Run


class FoldRecorder:
    """Records folds as they are begun and finished, while others are being trained."""

    def __init__(
        self, run: Run, manifest: Manifest, dataset_uri: str, *, model: str, run_name: str, log_level: LogLevel
    ) -> None:
        """Open the store for the folds of a training.

        Args:
            run: of the training, which theirs are nested under.
            manifest: of the dataset.
            dataset_uri: of the dataset artifact.
            model: name of the network.
            run_name: how the names of the folds' runs begin.
            log_level: how fine to log.
        """
        self._run_name, self._manifest, self._dataset_uri = run_name, manifest, dataset_uri
        self._tags = {"model": model, "dataset_uri": dataset_uri, "dataset_digest": manifest.digest}
        self._tracker = MLflowTracker(
            log_level=log_level,
            parent_run_id=run.info.run_id,
            experiment_id=run.info.experiment_id,
        )
        self._reference: Mapping[str, Any] | None = None
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, int], TrackedRun] = {}
        self.done: dict[tuple[str, int], dict[str, float]] = {}

    def begin(self, fold: Fold) -> None:
        """Make the run of a fold that is begun, from any thread."""
        with self._lock:
            self._run_of(fold)

    def record(self, fitted: FoldRecord) -> None:
        """Record a finished fold and end its run."""
        with self._lock:  # the message that a short fold began may arrive after its record
            run = self._run_of(fitted.fold, fitted.started_ms)
        if fitted.machine != machine_tags():
            run.log_tags(fitted.machine)
        run.log_model(fitted.network, fitted.shape)
        files = self._log_fit(run, fitted)
        self._log_datasets(run, fitted.fold)
        run.log_artifacts(files)
        run.end_run(end_time_ms=fitted.ended_ms)
        self.done[fitted.fold.key] = fitted.metrics

    def flush(self) -> None:
        """Wait until all is written.

        Raises:
            Exception: what the store raised.
        """
        self._tracker.flush()

    def begin_final_model(self, fold: Fold, training: Callable[[], Mapping[str, Any]]) -> None:
        """While the final model is trained: write what is waiting, and what is known of it.

        Args:
            fold: of the refit.
            training: makes what it is trained on, as `steps.core.models.refit.training_summary` says.

        Raises:
            OSError: its files cannot be written.
            Exception: as `flush`.
        """
        run = self._final_model_run(fold)
        self._log_datasets(run, fold)
        run.log_artifacts(_split_file(fold))
        self._reference = training()
        self.flush()

    def record_final_model(self, fitted: FoldRecord) -> dict[str, str]:
        """Record the final model, begun before, after all else; returns tags that lead to it.

        Raises:
            RuntimeError: it was not begun.
            Exception: as `flush`.
        """
        if self._reference is None:
            raise RuntimeError("the final model was not begun: call begin_final_model first")
        run = self._final_model_run(fitted.fold)
        if fitted.machine != machine_tags():
            run.log_tags(fitted.machine)
        run.log_artifacts(self._log_fit(run, fitted))
        self.flush()
        uri = log_final_model(run.run, fitted.network, {**self._reference, **self._left_out_scores(fitted)})
        run.end_run(end_time_ms=fitted.ended_ms)
        self.flush()
        return lookup.FinalModelAddress(run.run_id, uri).tags()

    def close(self) -> None:
        """Write what is left and let go of the store."""
        self._tracker.close()

    def _run_of(self, fold: Fold, started_ms: int | None = None) -> TrackedRun:
        """The fold's run, made if it was not begun before."""
        if fold.key not in self._begun:
            tags = {"label": fold.label, "entry_point": "fold", **self._tags}
            self._begun[fold.key] = self._tracker.start_run(
                self._run_name, fold.name, fold.test_number, tags, started_ms
            )
        return self._begun[fold.key]

    def _final_model_run(self, fold: Fold) -> TrackedRun:
        if fold.key not in self._begun:
            tags = {"entry_point": lookup.FINAL_MODEL, **self._tags}
            self._begun[fold.key] = self._tracker.start_run(f"{self._run_name}_{fold.name}", tags=tags)
        return self._begun[fold.key]

    def _left_out_scores(self, fitted: FoldRecord) -> dict[str, Any]:
        if fitted.left_out is None or self._reference is None:
            return {}
        controls = [entry.name for entry in self._manifest.subjects if entry.group == CONTROL]
        scores = LeftOutScores.of(fitted.left_out, self._reference["subjects"], controls)
        return {"left_out_scores": scores.model_dump()}

    def _log_fit(self, run: TrackedRun, fitted: FoldRecord) -> Callable[[], dict[str, str]]:
        """Log the results of the fit and the digests of the run's files; returns a function that makes these files."""

        @cache
        def files() -> dict[str, str]:
            return {**_split_file(fitted.fold), **_fit_files(fitted)}

        def tags() -> dict[str, str]:
            checked_later = {digests.SPLIT, digests.HISTORY, digests.LEFT_OUT} & files().keys()
            return digests.digest_tags(
                {digests.MODEL: fitted.network, **{name: files()[name] for name in sorted(checked_later)}}
            )

        # A training that takes this fold over after an interruption needs the metrics, at every log level.
        run.log_fit(fitted.parameters, fitted.metrics, fitted.history, fitted.timestamps_ms, fitted.ended_ms, tags)
        return files

    def _log_datasets(self, run: TrackedRun, fold: Fold) -> None:
        source, digest = self._manifest.source, self._manifest.digest
        run.log_datasets(
            [
                record.DatasetPart(source, digest, self._dataset_uri, subjects, context)
                for context, subjects in _contexts(fold).items()
                if subjects
            ]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _contexts(fold: Fold) -> dict[str, tuple[str, ...]]:
    return {"train": fold.training_subjects, "validation": fold.validation_subjects, "test": fold.test_subjects}


def _split_file(fold: Fold) -> dict[str, str]:
    return {digests.SPLIT: json.dumps(fold.split, indent=2) + "\n"}


def _fit_files(fitted: FoldRecord) -> dict[str, str]:
    files = {digests.HISTORY: to_csv(fitted.history, index=True), "model_summary.txt": fitted.model_summary}
    return files if fitted.left_out is None else {**files, digests.LEFT_OUT: to_csv(fitted.left_out)}
