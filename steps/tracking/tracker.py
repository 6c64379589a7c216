"""The one way things are logged here: runs whose records are written by a thread, in order, in batches.

The steps use it, and so can a script of your own (docs/tracking.md)::

    with MLflowTracker("my experiment") as tracker:
        tracker.start_run("first", subject="S01", test_number=1)
        tracker.log_parameters({"learning_rate": 0.001})
        tracker.log_training_metrics(model.fit(...).history)
        tracker.end_run()

Without ``with``, `MLflowTracker.end_run` waits until the run is written, and what is left when the script ends is
written then. Nothing waits for a tracking server: where the store is one, a spool takes the records
(`steps.tracking.spool.spool`).
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.tracking.environment import environment_tags
from steps.tracking.experiments import EXPERIMENT, experiment_named
from steps.tracking.spool import recording
from steps.tracking.tracked_run import Artifacts, History, LogLevel, TrackedRun
from steps.tracking.writer import Writer

if TYPE_CHECKING:
    import keras


# Trackers that are not closed, and the processes that opened them.
_open: dict[MLflowTracker, int] = {}
_registered: list[int] = []


def _close_at_exit(tracker: MLflowTracker) -> None:
    _open[tracker] = os.getpid()
    if os.getpid() not in _registered:
        _registered.append(os.getpid())
        # `atexit` comes too late to copy files to a server: MLflow uses thread pools, which take no work by then.
        getattr(threading, "_register_atexit", atexit.register)(_close_all)


def _close_all() -> None:
    for tracker in [one for one, process in _open.items() if process == os.getpid()]:
        tracker.close_at_exit()


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
    ) -> None:
        """Open the store; the experiment is made when it is missing.

        Args:
            experiment_name: ``Fear_Classification_Experiments`` by default.
            log_level: how fine: ``epoch`` (curves too), ``run`` (results of each run) or ``experiment`` (runs hold
                what later steps need, no more).
            autolog: let MLflow log your own ``fit`` calls as well; what it has logged is not logged again.
            parent_run_id: runs are nested under this one.
            experiment_id: instead of a name.

        Raises:
            UserError: the experiment cannot be used.
        """
        self.log_level = log_level
        self._autolog = autolog
        self._parent_run_id = parent_run_id
        self._stack = ExitStack()
        self._stack.enter_context(recording(Path.cwd()))
        self._experiment_id = experiment_id or experiment_named(experiment_name or EXPERIMENT)
        self._writer = Writer("tracker")
        self._run: TrackedRun | None = None
        _close_at_exit(self)
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
        *,
        environment: bool = True,
    ) -> TrackedRun:
        """Begin a run, which the methods of this class then mean.

        Args:
            run_name: its name; with a subject and a test number it becomes ``{run_name}_{subject}_{test_number}``.
            subject: who is tested.
            test_number: which repeat this is.
            tags: more tags.
            started_ms: Unix milliseconds; now, when left out.
            environment: whether its tags say what it is computed with; a run above it may have said it.
        """
        name = "_".join(str(part) for part in (run_name, subject, test_number) if part is not None)
        known = {"subject": subject, "test_number": test_number, MLFLOW_PARENT_RUN_ID: self._parent_run_id}
        surroundings = environment_tags() if environment else {}
        every = {**surroundings, **{k: v for k, v in known.items() if v is not None}, **(tags or {})}
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
        """`TrackedRun.end_run` of the run begun last, and `flush`: then the run is recorded.

        Raises:
            ValueError: another status.
            Exception: what the store raised.
        """
        self._end(status)
        self.flush()

    def _end(self, status: str) -> None:
        run = self._current()
        if self._autolog:
            mlflow.end_run(status)
        run.end_run(status)
        self._run = None

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
        """Write what is left and let go of the store; doing it again changes nothing."""
        _open.pop(self, None)
        with self._stack:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._end("FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED")
        self.close()

    def close_at_exit(self) -> None:
        """`close`, for a script that ends without having done so; a run that is open ends first."""
        if self._run is not None:
            failed = getattr(sys, "last_type", None) is not None  # Python has printed a traceback
            status = "FAILED" if failed else "FINISHED"
            print(f"the script ended with a run still open: it is recorded as {status}", file=sys.stderr)
            self._end(status)
        self.close()

    def _current(self) -> TrackedRun:
        if self._run is None:
            raise RuntimeError("no run has been started: call start_run first")
        return self._run
