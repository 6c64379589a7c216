"""Exercising a tracking store for real, in an experiment made for it and thrown away: what `steps.check` runs.

It works on the store that is configured, through MLflow's own client and the functions that the steps record with.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from steps.check.checklist import CheckError, in_one_line
from steps.check.store import DATABASES
from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.models import keras_file
from steps.tracking import datasets, record
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.models import fold_model, reading
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.knock import connect_once
from steps.tracking.store.tracking_uri import DATABASE_PORTS, scheme_of

_NOT_KEPT = "the store does not give back what it was given: look into the server's log, or try another store"
_METRIC, _STEP = "check_metric", 7


def study_experiment(name: str | None, experiment_id: str | None) -> tuple[str | None, str]:
    """The experiment a study would be recorded in: its ID (None before the first run) and what is to say about it.

    Args:
        name: from ``MLFLOW_EXPERIMENT_NAME``.
        experiment_id: from ``MLFLOW_EXPERIMENT_ID``; MLflow's ``Default`` counts as not chosen.

    Raises:
        CheckError: it was deleted, or the ID is unknown.
    """
    uri = mlflow.get_tracking_uri()
    if scheme_of(uri) in DATABASE_PORTS:
        connect_once(uri)
    client = MlflowClient()
    if experiment_id not in (None, "", "0"):
        try:
            chosen = client.get_experiment(experiment_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise CheckError(
                f"no experiment with ID {experiment_id}", "correct or unset MLFLOW_EXPERIMENT_ID"
            ) from error
    else:
        chosen = client.get_experiment_by_name(name or EXPERIMENT)
    if chosen is None:
        return None, f"{name or EXPERIMENT}, made by the first run"
    if chosen.lifecycle_stage == LifecycleStage.DELETED:
        raise CheckError(
            f"experiment {chosen.name!r} is deleted",
            f"restore it: mlflow experiments restore -x {chosen.experiment_id}, or choose another: --experiment-name",
        )
    runs = client.search_runs([chosen.experiment_id], max_results=1, order_by=["attributes.start_time DESC"])
    newest = time.strftime("%Y-%m-%d %H:%M", time.localtime(runs[0].info.start_time / 1000)) if runs else ""
    return str(chosen.experiment_id), f"{chosen.name}, {f'newest run of {newest}' if runs else 'no runs yet'}"


def mark_as_check(run_id: str, verdict: str, note: str) -> str:
    """Say on the run that ``mlflow run`` has made that it is a check, and what it found."""
    record.log(run_id, tags={ENTRY_POINT_TAG: "check", "check": verdict, MLFLOW_RUN_NOTE: note})
    return f"{run_id}, made by mlflow run, says that it is a check"


class Exercise:
    """One pass over everything a study asks of a store. Each method is one check and says what it found."""

    def __init__(self) -> None:
        """Choose names that nothing else has."""
        self.name = f"check-{secrets.token_hex(4)}"
        self._client = MlflowClient()
        self._experiment_id = ""
        self._run_id = ""
        self._model_uri = ""
        self._probabilities: np.ndarray = np.empty(0)
        self._registered = False

    def create_experiment(self) -> str:
        """A throw-away experiment."""
        self._experiment_id = str(self._client.create_experiment(self.name))
        experiment = self._client.get_experiment(self._experiment_id)
        return f"{self.name}, artifacts in {experiment.artifact_location}"

    def create_run(self) -> str:
        """A run."""
        self._run_id = str(self._client.create_run(self._experiment_id, run_name=self.name).info.run_id)
        _same("run name", self.name, self._client.get_run(self._run_id).info.run_name)
        return f"run {self._run_id}"

    def parameter(self) -> str:
        """A parameter, with characters that are not ASCII."""
        value = "0.5,0.43 ängstlich"
        record.log(self._run_id, params={"check_parameter": value})
        _same("parameter", value, self._client.get_run(self._run_id).data.params.get("check_parameter"))
        return "written and read back"

    def metric(self) -> str:
        """A metric with step and time stamp."""
        point = Metric(_METRIC, 0.1 + 0.2, time.time_ns() // 1_000_000, _STEP)
        record.log(self._run_id, points=[point])
        history = self._client.get_metric_history(self._run_id, _METRIC)
        points = [(p.value, p.timestamp, p.step) for p in history]
        _same("metric", [(point.value, point.timestamp, point.step)], points)
        return f"value, time stamp and step {_STEP} read back exactly"

    def tag(self) -> str:
        """A tag that can be searched for."""
        record.log(self._run_id, tags={"check_tag": self.name})
        runs = self._client.search_runs([self._experiment_id], f"tags.check_tag = '{self.name}'")
        _same("tag search", [self._run_id], [run.info.run_id for run in runs])
        return "written, found by search"

    def text_artifact(self) -> str:
        """A text file."""
        text = "subject,probability\nS01,0.5\nS02 ängstlich,0.25\n"
        record.log_files(self._run_id, {"check.csv": text.encode()})
        return self._same_file("check.csv", text.encode())

    def binary_artifact(self) -> str:
        """A binary file of one mebibyte."""
        content = np.random.default_rng(0).bytes(2**20)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "check.bin"
            path.write_bytes(content)
            record.log_path(self._run_id, path, "folder")
        return self._same_file("folder/check.bin", content)

    def _same_file(self, name: str, content: bytes) -> str:
        files = repository(self._client.get_run(self._run_id).info.artifact_uri, mlflow.get_tracking_uri())
        (listed,) = [item for item in files.list_artifacts(name.rpartition("/")[0] or None) if item.path == name]
        with tempfile.TemporaryDirectory() as folder:
            received = Path(files.download_artifacts(name, folder)).read_bytes()
        _same("size", (len(content), len(content)), (listed.file_size, len(received)))
        digest = hashlib.sha256(content).hexdigest()
        _same("digest", digest, hashlib.sha256(received).hexdigest())
        return f"{len(content)} bytes, SHA-256 {digest[:12]}… both ways"

    def dataset_input(self) -> str:
        """A dataset as artifact and as the run's input."""
        dataset = _tiny_dataset()
        with tempfile.TemporaryDirectory() as folder:
            manifest = write_artifact(dataset, Path(folder))
            record.log_path(self._run_id, Path(folder), datasets.DATASET_FOLDER)
        uri = f"runs:/{self._run_id}/{datasets.DATASET_FOLDER}"
        with mlflow.start_run(run_id=self._run_id):
            record.log_dataset_input(manifest, uri, context="check")
        inputs = self._client.get_run(self._run_id).inputs.dataset_inputs
        _same("dataset input", [manifest.digest[:32]], [logged.dataset.digest for logged in inputs])
        _same("dataset", manifest.digest, datasets.load_dataset(uri).digest())
        return f"{manifest.trials} trials, digest {manifest.digest[:12]}… read back"

    def log_model(self) -> str:
        """A tiny Keras model, logged as the folds' models are."""
        import keras

        keras.utils.set_random_seed(0)
        inputs = keras.Input((5, 2))
        hidden = keras.layers.Conv1D(3, 3, activation="relu")(inputs)
        outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling1D()(hidden))
        model = keras.Model(inputs, outputs)
        self._probabilities = np.asarray(model(_tiny_dataset().values, training=False))
        run = self._client.get_run(self._run_id)
        self._model_uri = f"models:/{fold_model.log_network(run, keras_file.as_bytes(model), (5, 2), {})}"
        return f"{model.count_params()} weights, {self._model_uri}"

    def load_model(self) -> str:
        """The same model, read back in Keras's safe mode."""
        run = self._client.get_run(self._run_id)
        model = reading.load_network(run)
        predicted = np.asarray(model(_tiny_dataset().values, training=False))
        _same("predictions", self._probabilities.tolist(), predicted.tolist())
        return f"{len(predicted)} predictions equal"

    def register_model(self) -> str:
        """A registered model under a throw-away name, with a version and an alias."""
        self._client.create_registered_model(self.name)
        self._registered = True
        model = mlflow.get_logged_model(self._model_uri.removeprefix("models:/"))
        version = self._client.create_model_version(
            self.name, model.artifact_location, run_id=self._run_id, model_id=model.model_id
        )
        self._client.set_registered_model_alias(self.name, "check", version.version)
        version_by_alias = self._client.get_model_version_by_alias(self.name, "check")
        _same("version", (version.version, self._run_id), (version_by_alias.version, version_by_alias.run_id))
        return f"version {version_by_alias.version} of {self.name}, found by its alias"

    def clean_up(self) -> str:
        """Remove everything again; says what only the owner of a server can remove for good.

        Raises:
            CheckError: something could not be removed.
        """
        failures: list[str] = []
        self._attempt(failures, "registered model", self._registered, self._delete_registered)
        self._attempt(failures, "logged model", bool(self._model_uri), self._delete_model)
        if not self._experiment_id:
            return "nothing was made"
        is_database = mlflow.get_tracking_uri().startswith(DATABASES)
        if not is_database:
            self._attempt(failures, "artifacts", bool(self._run_id), self._delete_artifacts)
        self._attempt(failures, "run", bool(self._run_id), lambda: self._client.delete_run(self._run_id))
        self._attempt(failures, "experiment", True, lambda: self._client.delete_experiment(self._experiment_id))
        if is_database and not failures:
            self._attempt(failures, "for good", True, self._collect)
        if failures:
            raise CheckError(
                f"left behind in experiment {self.name} (ID {self._experiment_id}): {'; '.join(failures)}",
                f"remove it yourself: mlflow experiments delete -x {self._experiment_id}, then {self._gc()}",
            )
        if is_database:
            return "everything removed for good"
        return (
            f"everything removed; the empty records of one run, one model and one experiment stay marked as deleted "
            f"until the server's owner runs: {self._gc()}"
        )

    def _gc(self) -> str:
        return f"mlflow gc --backend-store-uri <database> --experiment-ids {self._experiment_id}"

    @staticmethod
    def _attempt(failures: list[str], what: str, exists: bool, remove: Callable[[], object]) -> None:
        """Try one removal; if it fails, the others are still tried."""
        if not exists:
            return
        try:
            remove()
        except Exception as error:
            failures.append(f"{what} ({in_one_line(error, 100)})")

    def _delete_registered(self) -> None:
        self._client.delete_registered_model(self.name)

    def _delete_model(self) -> None:
        model = mlflow.get_logged_model(self._model_uri.removeprefix("models:/"))
        if not mlflow.get_tracking_uri().startswith(DATABASES):
            repository(model.artifact_location, mlflow.get_tracking_uri()).delete_artifacts()
        self._client.delete_logged_model(model.model_id)

    def _delete_artifacts(self) -> None:
        place = self._client.get_run(self._run_id).info.artifact_uri
        repository(place, mlflow.get_tracking_uri()).delete_artifacts()

    def _collect(self) -> None:
        """Remove the deleted experiment for good with ``mlflow gc``: MLflow itself only marks it as deleted."""
        from mlflow.cli import gc

        location = self._client.get_experiment(self._experiment_id).artifact_location
        uri = mlflow.get_tracking_uri()
        arguments = ["--backend-store-uri", uri, "--tracking-uri", uri, "--experiment-ids", self._experiment_id]
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.main(arguments, standalone_mode=False)
        left = self._client.search_experiments(view_type=ViewType.ALL, filter_string=f"name = '{self.name}'")
        _same("experiments left", [], [experiment.name for experiment in left])
        _remove_empty_folders(location)


def _remove_empty_folders(location: str) -> None:
    """Remove the empty folders that ``mlflow gc`` leaves behind."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file"):
        return
    root = Path(parts.path if parts.scheme else location)
    for folder in [*sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True), root]:
        with contextlib.suppress(OSError):  # not empty, or gone
            folder.rmdir()


def _tiny_dataset() -> Dataset:
    """Four trials of two subjects, 5 time points x 2 features."""
    values = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
    return Dataset(
        values=values,
        labels=np.array([0, 0, 1, 1], np.int8),
        subjects=np.array(["S01", "S01", "S02", "S02"]),
        trials=np.array(["1", "2", "1", "2"]),
        is_control=np.zeros(4, bool),
        features=("knee_angle_x", "knee_moment_x"),
        time=(0.0, 25.0, 50.0, 75.0, 100.0),
        time_unit="%",
        source="check",
    )


def _same(what: str, given: object, received: object) -> None:
    if given != received:
        raise CheckError(f"{what}: gave {str(given)[:80]}, got {str(received)[:80]}", _NOT_KEPT)
