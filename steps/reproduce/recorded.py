"""Reading back a run's parameters and results, which `steps.reproduce` runs again and compares."""

from __future__ import annotations

import os
from typing import Any

import click
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.commands import command
from steps.errors import UserError, shown
from steps.parameters import PARAMETERS, STEPS, Value
from steps.reproduce.compare import Evidence
from steps.tracking import documents, lookup, parameters_record
from steps.tracking.environment import git, repository
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import local_run_id
from steps.tracking.store import artifact_places

REPRODUCTIONS = "Fear_Classification_Reproductions"
# A fold is no entry point, but a training can be run again for one fold.
REPRODUCIBLE = (*(name for name, step in STEPS.items() if step.reproducible), "fold")
OF_A_STUDY = ("prepare", "train", "evaluate", "attribute")
_NAME, _ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"
# Packages and times are compared elsewhere, or not at all; parameters name folders and runs.
_NO_EVIDENCE = {"packages.json", "runtime.json", parameters_record.FILE}


def keep_apart() -> None:
    """Put reproductions into an experiment of their own, unless the user chose one.

    Otherwise ``latest`` would find the reproduction of a single fold as the newest training.
    """
    if os.environ.get(_ID, "0") == "0" and not os.environ.get(_NAME):
        os.environ[_NAME] = REPRODUCTIONS


def find(run_id: str, experiment_id: str) -> Run:
    """A finished run of this project.

    Args:
        run_id: its ID, or ``latest`` for the newest study.
        experiment_id: where the reproduction goes; ``latest`` is looked for there, too.

    Raises:
        UserError: there is none, it has not finished, or it is of a kind that cannot be repeated.
    """
    client = MlflowClient()
    if run_id == lookup.LATEST:
        studies_in = client.get_experiment_by_name(EXPERIMENT)
        places = dict.fromkeys([*([studies_in.experiment_id] if studies_in else []), experiment_id])
        for place in places:
            for study in lookup.finished("main", place):
                if MLFLOW_PARENT_RUN_ID not in study.data.tags:  # a re-run is nested; it is not a study of its own
                    return study
        raise UserError(f"no finished study to reproduce; first run: {command('main')}, or name a run with run_id")
    try:
        run = client.get_run(local_run_id(run_id))
    except MlflowException as error:
        raise UserError(f"no run {shown(run_id)} in this store; expected the ID of a run to reproduce") from error
    kind = run.data.tags.get(ENTRY_POINT_TAG, "something else")
    if study_run := run.data.tags.get("study_run_id"):
        raise UserError(
            f"run {shown(run_id)} only points to the study, which is run {study_run}; name that one: "
            f"{command('reproduce', run_id=study_run)}"
        )
    if kind not in REPRODUCIBLE:
        parent = run.data.tags.get(MLFLOW_PARENT_RUN_ID)
        hint = f"; its training is run {parent}" if lookup.is_final_model(run) and parent else ""
        raise UserError(f"run {shown(run_id)} is a run of {kind}, expected one of {', '.join(REPRODUCIBLE)}{hint}")
    if run.info.status != "FINISHED":
        raise UserError(f"{kind} run {run_id} is {run.info.status}, expected FINISHED")
    return run


def parameters_of(run: Run) -> dict[str, Value]:
    """The parameters of a run, typed, as this project recorded them; never those that MLflow quoted for the shell.

    Raises:
        UserError: it recorded none, or they are damaged.
    """
    kind = run.data.tags[ENTRY_POINT_TAG]
    parameters = parameters_record.load(run)
    if not parameters:
        raise UserError(f"{kind} run {run.info.run_id} did not record its parameters; it cannot be reproduced")
    known = STEPS[kind].parameters if kind in STEPS else ()
    try:
        return {name: PARAMETERS[name].parse(value) for name, value in parameters.items() if name in known}
    except click.BadParameter as error:
        raise documents.damaged(run, "record of the parameters", error.message) from error


def step_of(main: Run, step: str) -> Run | None:
    """The run of a step of a study; None where it is gone or was never there."""
    run_id = main.data.tags.get(f"{step}_run_id")
    return _run(run_id) if run_id else None


def evaluated_again(train: Run, evaluate: Run) -> bool:
    """Whether another run evaluated a training after ``evaluate`` and wrote over what that had left in its folds."""
    others = MlflowClient().search_runs(
        [train.info.experiment_id],
        f"tags.{ENTRY_POINT_TAG} = 'evaluate' and tags.train_run_id = '{train.info.run_id}' "
        f"and attributes.start_time > {evaluate.info.start_time}",
    )
    return any(other.info.run_id != evaluate.info.run_id for other in others)


def parent_of(run: Run) -> Run:
    """The training of a fold.

    Raises:
        UserError: it is gone.
    """
    parent = _run(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
    if parent is None:
        raise UserError(f"the training that fold {run.info.run_name} belongs to is gone; it cannot be reproduced")
    return parent


def prepare_of(train: Run) -> Run | None:
    """The ``prepare`` run that made a training's dataset; None where that is unknown or gone."""
    uri = train.data.tags.get("dataset_uri", "")
    return _run(uri.removeprefix("runs:/").partition("/")[0]) if uri.startswith("runs:/") else None


def evidence(run: Run) -> Evidence:
    """Metrics, curves, tables and documents of a run.

    Raises:
        UserError: a file of it is damaged.
    """
    client = MlflowClient()
    run_id = run.info.run_id
    tables, jsons = {}, {}
    for item in artifact_places.repository(run.info.artifact_uri, client.tracking_uri).list_artifacts():
        if item.is_dir or item.path in _NO_EVIDENCE:
            continue
        if item.path.endswith(".csv"):
            tables[item.path] = documents.text_table_of(run, item.path)
        elif item.path.endswith(".json"):
            jsons[item.path] = documents.json_of(run, item.path, Any)
    per_epoch = [str(name) for name in tables.get("history.csv", pd.DataFrame()) if name in run.data.metrics]
    curves = {
        name: [(point.step, point.value) for point in client.get_metric_history(run_id, name)] for name in per_epoch
    }
    metrics = dict(sorted((name, value) for name, value in run.data.metrics.items() if name not in curves))
    return Evidence(metrics, curves, tables, jsons, run.data.tags.get("dataset_digest", ""))


def packages_of(run: Run) -> dict[str, str]:
    """Name -> version of everything that was installed; empty where not recorded, or not readable any more."""
    try:
        packages: dict[str, str] = documents.json_of(run, "packages.json", documents.Packages)
    except documents.DamagedError:
        return {}
    return packages


def repository_of(run: Run) -> str:
    """A URL the code can be fetched from, without credentials; empty where only a folder is known."""
    origin = {"mlflow.gitRepoURL": git("remote", "get-url", "origin") or ""}
    return repository(run.data.tags) or repository(origin)


def can_reproduce(commit: str) -> bool:
    """False only where git knows that the commit has no entry point ``reproduce``."""
    if not git("cat-file", "-t", commit):
        return True
    return bool(git("cat-file", "-t", f"{commit}:steps/reproduce/__main__.py"))


def _run(run_id: str) -> Run | None:
    try:
        return MlflowClient().get_run(local_run_id(run_id))
    except MlflowException:
        return None


def final_model_run(train: Run) -> Run | None:
    """The run that fitted the final model of a training; None where it has none."""
    address = lookup.final_model(train)
    return _run(address.run_id) if address else None
