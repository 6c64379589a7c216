"""The tracker of fear-classification as one object, for scripts that have MLflow and nothing of that project::

    from mlflow_tracker import mlflow_tracker

    mlflow_tracker.start_run("mine", subject="S01", test=1)  # the run mine_S01_1
    mlflow_tracker.log_parameters({"epochs": 3})
    mlflow_tracker.log_evaluation_metrics({"test_accuracy": 0.9}, inference_time=0.2)
    mlflow_tracker.end_run()

Runs, tags and metrics are called as the project's own `MLflowTracker` calls them. It writes at once, to the store that
MLflow is set to (``MLFLOW_TRACKING_URI``); a spool, for servers that fail, has only the project's.
"""

from __future__ import annotations

from collections.abc import Mapping

import mlflow

_STATUSES = ("FINISHED", "FAILED", "KILLED")


class Tracker:
    """One run at a time."""

    def __init__(self) -> None:
        self._run_id: str | None = None

    def start_run(self, name: str, subject: str | None = None, test: int | None = None) -> str:
        """Begin a run, ``{name}_{subject}_{test}``, and return its ID.

        Args:
            name: of the run.
            subject: who is tested: the tag ``subject``.
            test: which repeat this is: the tag ``test_number``.

        Raises:
            RuntimeError: one is open.
        """
        if self._run_id is not None:
            raise RuntimeError(f"run {self._run_id} is still open: call end_run first")
        known = {"subject": subject, "test_number": test}
        tags = {key: str(value) for key, value in known.items() if value is not None}
        whole = "_".join(str(part) for part in (name, subject, test) if part is not None)
        run = mlflow.start_run(run_name=whole, tags=tags, nested=mlflow.active_run() is not None)
        self._run_id = str(run.info.run_id)
        return self._run_id

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """Log parameters of the run.

        Raises:
            RuntimeError: no run is open.
        """
        mlflow.log_params(dict(parameters), run_id=self._open())

    def log_evaluation_metrics(self, results: Mapping[str, float], inference_time: float | None = None) -> None:
        """Log metrics of the run.

        Args:
            results: by name.
            inference_time: milliseconds per trial: the metric ``inference_ms_per_trial``.

        Raises:
            RuntimeError: no run is open.
        """
        metrics = {name: float(value) for name, value in results.items()}
        if inference_time is not None:
            metrics["inference_ms_per_trial"] = float(inference_time)
        mlflow.log_metrics(metrics, run_id=self._open())

    def end_run(self, status: str = "FINISHED") -> None:
        """End the run.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.

        Raises:
            RuntimeError: no run is open.
            ValueError: another status.
        """
        if status not in _STATUSES:
            raise ValueError(f"status is {status!r}, expected one of {', '.join(_STATUSES)}")
        run_id, active = self._open(), mlflow.active_run()
        self._run_id = None
        if active is not None and active.info.run_id == run_id:
            mlflow.end_run(status)
        else:  # a script has ended it by MLflow's own means, or begun another
            mlflow.MlflowClient().set_terminated(run_id, status)

    def _open(self) -> str:
        if self._run_id is None:
            raise RuntimeError("no run has been started: call start_run first")
        return self._run_id


mlflow_tracker = Tracker()
