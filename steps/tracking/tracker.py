"""The one way things are logged here: runs whose records are written by a thread, in order, in batches.

The steps use it, and so can a script of your own (docs/tracking.md)::

    with MLflowTracker("my experiment") as tracker:
        tracker.start_run("first", subject="S01", test_number=1)
        tracker.log_parameters({"learning_rate": 0.001})
        tracker.log_training_metrics(model.fit(...).history)
        tracker.end_run()

Nothing waits for a tracking server: where the store is one, a spool takes the records (`steps.tracking.spool`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunStatus
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.tracking import keras_model, logged, push, record
from steps.tracking.artifact_places import repository
from steps.tracking.environment import environment_tags
from steps.tracking.replicator import recording
from steps.tracking.session import EXPERIMENT, experiment_named
from steps.tracking.writer import Writer

if TYPE_CHECKING:
    import keras

LogLevel = Literal["epoch", "run", "experiment"]
Artifacts = str | Path | Mapping[str, str] | Callable[[], Mapping[str, str]]
History = pd.DataFrame | Mapping[str, Sequence[float]]


class TrackedRun:
    """A run that is being recorded; every method returns at once."""

    def __init__(self, tracker: MLflowTracker, created: Future[Run]) -> None:
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
    def started_ms(self) -> int:
        """When it began, Unix milliseconds; waits until the run has been made."""
        return int(self.run.info.start_time)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of what has been written so far has failed."""
        return self._is_whole

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
        given is looked at when it is written, so it must not change; ``tags`` of the run are made then.
        """
        level = self._tracker.log_level

        def write(run: Run) -> None:
            params = {} if level == "experiment" else parameters
            points = _points(_curves(history, timestamps_ms)) if level == "epoch" else []
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
        content = model if isinstance(model, bytes) else keras_model.as_bytes(model)
        if shape is None:
            if isinstance(model, bytes):
                raise ValueError("shape is missing, expected (timesteps, features) beside the bytes of a model")
            shape = tuple(model.input_shape[1:])
        params = dict(parameters or {})

        def write(run: Run) -> None:
            self._model_id = keras_model.log_network(run, content, shape, params, tags)

        self._submit(write)

    def log_artifacts(self, artifacts: Artifacts, artifact_path: str | None = None) -> None:
        """Log a file, a folder, or texts by file name; a function makes the texts when they are written."""
        if callable(artifacts):
            self._submit(lambda run: _log_texts(run, artifacts(), artifact_path))
        elif isinstance(artifacts, Mapping):
            texts = dict(artifacts)
            self._submit(lambda run: _log_texts(run, texts, artifact_path))
        else:
            self._submit(lambda run: _log_path(run, Path(artifacts), artifact_path))

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

    def is_on_server(self) -> None:
        """Say that the server has all of this run that was logged so far (`steps.tracking.push`)."""
        self._submit(lambda run: push.note_copied(MlflowClient(), run.info.run_id))

    def _submit(self, write: Callable[[Run], object]) -> None:
        def attempt() -> object:
            try:
                return write(self.run)
            except BaseException:
                self._is_whole = False
                raise

        self._tracker.submit(attempt)


class MLflowTracker:
    """Logs runs of one experiment."""

    def __init__(
        self,
        experiment_name: str | None = None,
        *,
        log_level: LogLevel = "epoch",
        autolog: bool = False,
        parent_run_id: str | None = None,
        experiment_id: str | None = None,
        spooled: bool = True,
    ) -> None:
        """Open the store; the experiment is made when it is missing.

        Args:
            experiment_name: ``Fear_Classification_Experiments`` by default.
            log_level: how fine: ``epoch`` (curves too), ``run`` (results of each run) or ``experiment`` (runs hold
                what later steps need, no more).
            autolog: let MLflow log your own ``fit`` calls as well; what it has logged is not logged again.
            parent_run_id: runs are nested under this one.
            experiment_id: instead of a name.
            spooled: False writes to a server directly, for who can do without it; `flush` raises when it fails.

        Raises:
            UserError: the experiment cannot be used.
        """
        self.log_level = log_level
        self._autolog = autolog
        self._parent_run_id = parent_run_id
        self._stack = ExitStack()
        if spooled:
            self._stack.enter_context(recording(Path.cwd()))
        self._experiment_id = experiment_id or experiment_named(experiment_name or EXPERIMENT)
        self._writer = Writer("tracker")
        self._run: TrackedRun | None = None
        if autolog:
            mlflow.keras.autolog(log_models=False, log_datasets=False, silent=True)
            self._stack.callback(mlflow.keras.autolog, disable=True)

    def start_run(
        self,
        run_name: str,
        subject: str | None = None,
        test_number: int | None = None,
        tags: Mapping[str, object] | None = None,
        started_ms: int | None = None,
    ) -> TrackedRun:
        """Begin a run, which the methods of this class then mean.

        Args:
            run_name: its name; with a subject and a test number it becomes ``{run_name}_{subject}_{test_number}``.
            subject: who is tested.
            test_number: which repeat this is.
            tags: more tags.
            started_ms: Unix milliseconds; now, when left out.
        """
        name = "_".join(str(part) for part in (run_name, subject, test_number) if part is not None)
        known = {"subject": subject, "test_number": test_number, MLFLOW_PARENT_RUN_ID: self._parent_run_id}
        every = {**environment_tags(), **{k: v for k, v in known.items() if v is not None}, **(tags or {})}
        texts = {k: str(v) for k, v in every.items()}
        started = started_ms or time.time_ns() // 1_000_000

        def create() -> Run:
            return MlflowClient().create_run(self._experiment_id, start_time=started, tags=texts, run_name=name)

        self._run = TrackedRun(self, self.submit(create))
        if self._autolog:  # MLflow logs to the run that is active
            mlflow.start_run(run_id=self._run.run_id, nested=True)
        return self._run

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """`TrackedRun.log_parameters` of the run begun last."""
        self._current().log_parameters(parameters)

    def log_training_metrics(self, history: History, timestamps_ms: Sequence[int] | None = None) -> None:
        """`TrackedRun.log_training_metrics` of the run begun last."""
        self._current().log_training_metrics(history, timestamps_ms)

    def log_evaluation_metrics(self, results: Mapping[str, float], inference_time: float | None = None) -> None:
        """`TrackedRun.log_evaluation_metrics` of the run begun last."""
        self._current().log_evaluation_metrics(results, inference_time)

    def log_model(self, model: keras.Model | bytes, shape: tuple[int, int] | None = None) -> None:
        """`TrackedRun.log_model` of the run begun last."""
        self._current().log_model(model, shape)

    def log_artifacts(self, artifacts: Artifacts, artifact_path: str | None = None) -> None:
        """`TrackedRun.log_artifacts` of the run begun last."""
        self._current().log_artifacts(artifacts, artifact_path)

    def end_run(self, status: str = "FINISHED") -> None:
        """`TrackedRun.end_run` of the run begun last."""
        run = self._current()
        if self._autolog:
            mlflow.end_run(status)
        run.end_run(status)
        self._run = None

    def give_way_while(self, is_wanted: Callable[[], bool]) -> None:
        """`Writer.give_way_while`: write when others do not want the core, for some seconds at a time."""
        self._writer.give_way_while(is_wanted)

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Let the writing thread do something, after what it was given before."""
        return self._writer.submit(write)

    def not_yet(self, run: Run, kind: Literal["params", "metrics"], values: dict[str, Any]) -> dict[str, Any]:
        """Without what autologging has logged to the run before."""
        if not self._autolog:
            return values
        present = getattr(MlflowClient().get_run(run.info.run_id).data, kind)
        return {name: value for name, value in values.items() if name not in present}

    def flush(self) -> None:
        """Wait until everything given so far is written.

        Raises:
            Exception: what the store raised; a server that fails is no reason, a full disk here is.
        """
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and let go of the store."""
        with self._stack:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self.end_run("FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED")
        self.close()

    def _current(self) -> TrackedRun:
        if self._run is None:
            raise RuntimeError("no run has been started: call start_run first")
        return self._run


def _curves(history: History, timestamps_ms: Sequence[int] | None) -> dict[str, list[Metric]]:
    """The points of each metric."""
    frame = history if isinstance(history, pd.DataFrame) else _from_one(pd.DataFrame(dict(history)))
    epochs, stamps = frame.index.astype(int).tolist(), timestamps_ms or [time.time_ns() // 1_000_000] * len(frame)
    return {
        # Not linked with the model: what it is, its curves do not say, and linking doubles the work.
        str(name): [
            Metric(str(name), value, stamp, epoch)
            for value, stamp, epoch in zip(frame[name].astype(float).tolist(), stamps, epochs, strict=True)
        ]
        for name in frame.columns
    }


def _points(curves: Mapping[str, list[Metric]]) -> list[Metric]:
    return [point for points in curves.values() for point in points]


def _from_one(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def _artifacts_of(run: Run) -> ArtifactRepository:
    """The run's place for files; MLflow's client would ask the store for it every time."""
    return repository(run.info.artifact_uri, mlflow.get_tracking_uri())


def _log_texts(run: Run, texts: Mapping[str, str], artifact_path: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        _log_path(run, Path(folder), artifact_path)


def _log_path(run: Run, path: Path, artifact_path: str | None) -> None:
    if path.is_dir():
        _artifacts_of(run).log_artifacts(str(path), artifact_path)
        logged.note(run.info.run_id, logged.files_in(path, artifact_path))
    else:
        _artifacts_of(run).log_artifact(str(path), artifact_path)
        logged.note(run.info.run_id, [f"{artifact_path}/{path.name}" if artifact_path else path.name])
