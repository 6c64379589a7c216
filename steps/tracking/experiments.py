"""The experiment that a step or a script works in: what the environment names, else the studies' own."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException

from steps.errors import UserError, shown
from steps.tracking.spool import current
from steps.tracking.store import moved
from steps.tracking.store.cloud import check_installed
from steps.tracking.store.tracking_uri import show_uri

EXPERIMENT: Final = "Fear_Classification_Experiments"
# MLflow's `Default`, in which `mlflow run` begins when it is given no name.
DEFAULT_ID: Final = "0"
# Names of environment variables.
EXPERIMENT_ID: Final = "MLFLOW_EXPERIMENT_ID"
EXPERIMENT_NAME: Final = "MLFLOW_EXPERIMENT_NAME"
# With it MLflow's pages open on runs, metrics and models instead of on traces of language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}


def experiment() -> str:
    """ID of the experiment to work in: what the environment names, else the study's own, made when missing."""
    chosen = os.environ.get(EXPERIMENT_ID)
    if chosen and chosen != DEFAULT_ID:
        return _chosen_experiment(chosen)
    return experiment_named(os.environ.get(EXPERIMENT_NAME) or EXPERIMENT)


def _chosen_experiment(experiment_id: str) -> str:
    try:
        chosen = MlflowClient().get_experiment(experiment_id)
    except MlflowException as error:
        raise no_experiment(experiment_id, mlflow.get_tracking_uri()) from error
    _refuse_unusable(chosen)
    return experiment_id


def _refuse_unusable(chosen: Experiment) -> None:
    if chosen.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(
            f"experiment {shown(chosen.name)} was deleted; restore it with "
            f"'mlflow experiments restore -x {chosen.experiment_id}' or choose another with --experiment-name"
        )
    check_installed(chosen.artifact_location)  # before hours of work, not when the first file is recorded


def experiment_named(name: str) -> str:
    """ID of the experiment, made when missing.

    Raises:
        UserError: it was deleted, or the package for where its artifacts are is missing.
    """
    client = MlflowClient()
    chosen = client.get_experiment_by_name(name)
    if chosen is None and (spool := current()):
        return spool.experiment(name, _KIND)
    if chosen is None:
        try:
            tags = _KIND | moved.place_tags(mlflow.get_tracking_uri())
            return str(client.create_experiment(name, _place_for_artifacts(name), tags=tags))
        except MlflowException:  # another process was faster
            chosen = client.get_experiment_by_name(name)
            if chosen is None:
                raise
    _refuse_unusable(chosen)
    return str(chosen.experiment_id)


def _place_for_artifacts(name: str) -> str | None:
    """Where a new experiment of this name keeps its artifacts; None for MLflow's choice, ``mlruns/`` in this folder.

    Where this folder is read-only and the store is a SQLite file elsewhere: beside that file.
    """
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///(/[^?]+)(\?.*)?", mlflow.get_tracking_uri())
    if match is None or os.access(Path.cwd(), os.W_OK):
        return None
    return (Path(match[1]).parent / "mlruns" / hashlib.sha256(name.encode()).hexdigest()[:10]).as_uri()


def no_experiment(experiment_id: str, store: str) -> UserError:
    """The error for an ID that the environment names and the store does not know."""
    return UserError(
        f"{EXPERIMENT_ID} is {shown(experiment_id)}, which is no experiment of {show_uri(store)}; unset it, or name "
        f"one with {EXPERIMENT_NAME}"
    )
