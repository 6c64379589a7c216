"""A run that is being recorded: what can be logged to it, and how that is written."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunStatus

from steps.errors import shown
from steps.tracking import record
from steps.tracking.models import fold_model

if TYPE_CHECKING:
    import keras

LogLevel = Literal["epoch", "run", "experiment"]
Artifacts = str | Path | Mapping[str, str] | Callable[[], Mapping[str, str]]
History = pd.DataFrame | Mapping[str, Sequence[float]]
_FIRST_SECTION = "curves"


class Recording(Protocol):
    """What a run needs of its tracker."""

    log_level: LogLevel

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Let the writing thread do something, after what it was given before."""

    def not_yet(self, run: Run, kind: Literal["params", "metrics"], values: dict[str, Any]) -> dict[str, Any]:
        """Without what autologging has logged to the run before."""


class TrackedRun:
    """A run that is being recorded; every method returns at once."""

    def __init__(self, tracker: Recording, created: Future[Run]) -> None:
        self._tracker = tracker
        self._created = created
        self._model_id: str | None = None
        self._is_whole = True

    @property
    def run(self) -> Run:
        """The run as it was made; waits until it has been."""
        return self._created.result()

    @property
    def run_id(self) -> str:
        """The run's ID; waits until the run has been made."""
        return str(self.run.info.run_id)

    @property
    def model_id(self) -> str | None:
        """ID of the model, once it has been written."""
        return self._model_id

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """Log hyperparameters, seeds, shapes; left out at log level ``experiment``."""
        if self._tracker.log_level != "experiment":
            values = dict(parameters)
            self._submit(lambda run: record.log(run, params=self._tracker.not_yet(run, "params", values)))

    def log_tags(self, tags: Mapping[str, object]) -> None:
        """Log tags."""
        values = dict(tags)
        self._submit(lambda run: record.log(run, tags=values))

    def log_training_metrics(self, history: History, timestamps_ms: Sequence[int] | None = None) -> None:
        """Log curves, at log level ``epoch``.

        Args:
            history: a value per epoch of each metric, as ``model.fit(...).history`` or as a table with a row per
                epoch. Epochs count from 1, or as the table's index does.
            timestamps_ms: end of each epoch in Unix milliseconds; now, when left out.
        """
        if self._tracker.log_level == "epoch":
            curves = _curves(history, timestamps_ms)
            self._submit(lambda run: record.log(run, points=_points(self._tracker.not_yet(run, "metrics", curves))))

    def log_evaluation_metrics(
        self, results: Mapping[str, float], inference_time: float | None = None, *, needed: bool = False
    ) -> None:
        """Log results.

        Args:
            results: value of each metric; left out at log level ``experiment`` unless ``needed``.
            inference_time: milliseconds per trial, logged as ``inference_ms_per_trial``.
            needed: log whatever the level.
        """
        if self._tracker.log_level == "experiment" and not needed:
            return
        values = dict(results)
        if inference_time is not None:
            values["inference_ms_per_trial"] = inference_time
        self._submit(lambda run: record.log(run, metrics=values, model_id=self._model_id))

    def log_fit(
        self,
        parameters: Mapping[str, object],
        results: Mapping[str, float],
        history: History,
        timestamps_ms: Sequence[int],
        ended_ms: int,
        tags: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`log_parameters`, `log_evaluation_metrics` (needed) and `log_training_metrics` in one call of the store.

        All time stamps are those of the fit, so that logging it again, in another store, makes the same points. What is
        given is looked at when it is written, so it must not change; ``tags`` of the run are made then. The loss is
        logged a second time, as ``curves/loss`` and ``curves/val_loss``, for the run's page to open on it.
        """
        level = self._tracker.log_level

        def write(run: Run) -> None:
            params = {} if level == "experiment" else parameters
            points = _points(_with_first_section(_curves(history, timestamps_ms))) if level == "epoch" else []
            record.log(
                run,
                params=params,
                tags=tags(),
                metrics=results,
                points=points,
                model_id=self._model_id,
                at_ms=ended_ms,
            )

        self._submit(write)

    def log_model(
        self,
        model: keras.Model | bytes,
        shape: tuple[int, int] | None = None,
        parameters: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log a network; metrics logged to this run from now on are linked with it.

        Args:
            model: a Keras model from ``(trials, timesteps, features)`` to ``(trials, 1)``, or the content of its
                ``.keras`` file.
            shape: of a trial, ``(timesteps, features)``; needed with bytes.
            parameters: what the model was made with.
            tags: of the model.

        Raises:
            ValueError: bytes without a shape.
        """
        content = model if isinstance(model, bytes) else fold_model.as_bytes(model)
        if shape is None:
            if isinstance(model, bytes):
                raise ValueError("shape is missing, expected (timesteps, features) beside the bytes of a model")
            shape = tuple(model.input_shape[1:])
        params = dict(parameters or {})

        def write(run: Run) -> None:
            self._model_id = fold_model.log_network(run, content, shape, params, tags)

        self._submit(write)

    def log_artifacts(self, artifacts: Artifacts, artifact_path: str | None = None) -> None:
        """Log a file, a folder, or texts by file name; a function makes the texts when they are written.

        Raises:
            ValueError: the name of a text is no path below the run's artifacts, such as ``notes/first.txt``.
        """
        if callable(artifacts):
            self._submit(lambda run: _log_texts(run, artifacts(), artifact_path))
        elif isinstance(artifacts, Mapping):
            texts = dict(artifacts)
            _check_names(texts)
            self._submit(lambda run: _log_texts(run, texts, artifact_path))
        else:
            self._submit(lambda run: record.log_path(run, Path(artifacts), artifact_path))

    def log_datasets(self, inputs: Sequence[record.DatasetPart]) -> None:
        """Log the parts of a dataset that the run used, each with its context."""
        parts = list(inputs)
        self._submit(lambda run: record.log_dataset_parts(run.info.run_id, parts))

    def end_run(self, status: str = "FINISHED", end_time_ms: int | None = None) -> None:
        """End the run: FINISHED, FAILED or KILLED. A run that lacks something is not FINISHED, but FAILED.

        Raises:
            ValueError: another status.
        """
        if not RunStatus.is_terminated(RunStatus.from_string(status)):
            raise ValueError(f"status is {status!r}, expected FINISHED, FAILED or KILLED")

        def write(run: Run) -> None:
            seen = status if self._is_whole or status == "KILLED" else "FAILED"
            MlflowClient().set_terminated(run.info.run_id, seen, end_time_ms)

        self._submit(write)

    def _submit(self, write: Callable[[Run], object]) -> None:
        def attempt() -> object:
            try:
                return write(self.run)
            except BaseException:
                self._is_whole = False
                raise

        self._tracker.submit(attempt)


def _curves(history: History, timestamps_ms: Sequence[int] | None) -> dict[str, list[Metric]]:
    """The points of each metric."""
    frame = history if isinstance(history, pd.DataFrame) else _from_one(pd.DataFrame(dict(history)))
    epochs, stamps = frame.index.astype(int).tolist(), timestamps_ms or [time.time_ns() // 1_000_000] * len(frame)
    return {
        # Not linked with the model: its curves do not describe it, and linking doubles the work.
        str(name): [
            Metric(str(name), value, stamp, epoch)
            for value, stamp, epoch in zip(frame[name].astype(float).tolist(), stamps, epochs, strict=True)
        ]
        for name in frame.columns
    }


def _with_first_section(curves: Mapping[str, list[Metric]]) -> dict[str, list[Metric]]:
    """The curves, and once more those of the loss in a section that MLflow's page of a run shows first.

    It sorts sections by name and puts what has none last, below all ``threshold_...``; no tag changes that (3.17.2).
    Not all curves: a point takes 300 bytes of an SQLite store.
    """
    shown = {
        f"{_FIRST_SECTION}/{name}": [Metric(f"{_FIRST_SECTION}/{name}", p.value, p.timestamp, p.step) for p in points]
        for name, points in curves.items()
        if name in ("loss", "val_loss")
    }
    return {**curves, **shown}


def _points(curves: Mapping[str, list[Metric]]) -> list[Metric]:
    return [point for points in curves.values() for point in points]


def _from_one(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def _log_texts(run: Run, texts: Mapping[str, str], artifact_path: str | None) -> None:
    _check_names(texts)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        record.log_path(run, Path(folder), artifact_path)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
            raise ValueError(f"an artifact is called {shown(name)}, expected a path such as notes/first.txt")
