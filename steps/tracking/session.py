"""Where a step's record goes: the store, the experiment and the run.

``mlflow run`` has made a run before any of our code starts. When it lies in an experiment the user chose, the
step adopts it. When it lies in MLflow's ``Default`` experiment, because no name was given, the step makes its own
run in ``Fear_Classification_Experiments`` and leaves a pointer behind. Where the store is a server, all of this
happens in a spool (`steps.tracking.spool.spool`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from sqlalchemy.exc import SQLAlchemyError

from steps import commands
from steps.errors import UserError
from steps.system import storage_errors
from steps.system.sqlite_store import refusal, trouble
from steps.tracking import left_running, parameters_record, record
from steps.tracking.drawn_names import was_drawn
from steps.tracking.environment import environment_tags, git_problem, installed_packages
from steps.tracking.experiments import DEFAULT_ID, EXPERIMENT_ID, EXPERIMENT_NAME, experiment
from steps.tracking.given import RUN_ID, adopt_from_server, leave_pointer, project_tags, run_without_credentials
from steps.tracking.spool import current, recording
from steps.tracking.store import moved
from steps.tracking.store.opening import making, pin_tracking_uri
from steps.tracking.store.tracking_uri import show_uri, without_credentials_in
from steps.tracking.store.trouble import FAILURES, one_line
from steps.writing.markdown import plain

ENTRY_POINT_TAG = "entry_point"
# Why a run failed, in one line.
FAILURE_TAG = "failure"
# The steps that are long enough for MLflow's system metrics to be useful. The driver's page is for results.
_LONG = ("train",)
_REASON_LENGTH = 500


@contextmanager
def step_run(
    entry_point: str,
    parameters: Mapping[str, object],
    run_name: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Iterator[Run]:
    """The MLflow run of a step, active inside the block; it ends FINISHED, or FAILED when the block raises.

    Args:
        entry_point: name of the MLproject entry point, kept as a tag.
        parameters: logged where ``mlflow run`` has not logged them already.
        run_name: name of a run that has to be made, or that has none but MLflow's; ``entry_point`` by default.
        files: where parameters came from, recorded as they are, by their names.

    Raises:
        UserError: the experiment cannot be used.
    """
    pin_tracking_uri()
    with recording(Path.cwd()), _step_run(entry_point, parameters, run_name) as run:
        if files:
            record.log_files(run.info.run_id, files)
        yield run


@contextmanager
def _step_run(entry_point: str, parameters: Mapping[str, object], run_name: str | None) -> Iterator[Run]:
    adopt_from_server()
    client = _open_store()
    given = run_without_credentials(client, run_id) if (run_id := os.environ.pop(RUN_ID, None)) else None
    commands.remember(given.data.tags if given else None)
    parameters = {k: without_credentials_in(v) if isinstance(v, str) else v for k, v in parameters.items()}
    tags = {ENTRY_POINT_TAG: entry_point, **environment_tags()}
    by_driver = given is not None and MLFLOW_PARENT_RUN_ID in given.data.tags  # which has said it
    if "git_commit" not in tags and not by_driver and (problem := git_problem()):
        click.echo(f"warning: the commit is not recorded, only the digest of the code: {problem}", err=True)
    if given and given.info.experiment_id != DEFAULT_ID:
        run_id, experiment_id = given.info.run_id, given.info.experiment_id
        if was_drawn(given.info.run_name):
            client.update_run(run_id, name=run_name or entry_point)
    else:
        experiment_id = experiment()
        run_id = None
        tags |= project_tags(given)
    _refuse_unwritable(client.get_experiment(experiment_id).artifact_location)
    # Worker processes and child projects inherit these, not the pointer run's.
    os.environ[EXPERIMENT_ID] = experiment_id
    os.environ.pop(EXPERIMENT_NAME, None)
    is_long = entry_point in _LONG
    name = None if run_id else run_name or entry_point
    whose = left_running.process_tags()  # from the first moment on: it may be killed in the next
    with mlflow.start_run(run_id, experiment_id, run_name=name, tags=whose, log_system_metrics=is_long) as run:
        logged = client.get_run(run.info.run_id).data.params
        missing = {k: v for k, v in parameters.items() if k not in logged}
        record.log(run, params=missing, tags=tags)
        # Those that `mlflow run` has logged are quoted for the shell, and cut off when they are long.
        parameters_record.save(client, run.info.run_id, parameters)
        left_running.mark(experiment_id, run.info.run_id)
        record.log_files(run.info.run_id, {"packages.json": installed_packages()})
        if run_id is None and given:
            leave_pointer(client, given, run)
        with _failures_said(client, run.info.run_id):
            yield run


@contextmanager
def _failures_said(client: MlflowClient, run_id: str) -> Iterator[None]:
    """When the block raises, the run's description says why, first thing; the error goes on."""
    try:
        yield
    except BaseException as error:
        with suppress(*FAILURES):  # the error may be that of the store itself
            why = show_uri(_reason(error))
            client.set_tag(run_id, FAILURE_TAG, why)
            client.set_tag(run_id, MLFLOW_RUN_NOTE, f"**Failed.** {plain(why)}")
        raise


def _reason(error: BaseException) -> str:
    if isinstance(error, UserError):
        parts = [str(error)]
        if isinstance(error.__cause__, UserError):  # what a step said of itself
            parts.insert(0, str(error.__cause__))
    elif isinstance(error, KeyboardInterrupt):
        parts = ["interrupted"]
    else:
        parts = [storage_errors.in_one_line(error) or f"{type(error).__name__}: {error}"]
    return " — ".join(" ".join(part.split()) for part in parts)[:_REASON_LENGTH]


def _open_store() -> MlflowClient:
    """The store of this process.

    Raises:
        UserError: it cannot be opened or written, or its folder was moved or copied.
    """
    uri = mlflow.get_tracking_uri()
    if (path := moved.database_of(uri)) and (problem := trouble(path)):
        raise UserError(f"cannot open the tracking store: {show_uri('; '.join(problem))}")
    if current() is None:
        moved.refuse_displaced(uri)
    try:
        with making(mlflow.get_tracking_uri()):
            client = MlflowClient()
            client.get_experiment(DEFAULT_ID)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = one_line(error)
        raise UserError(f"cannot open the tracking store {show_uri(mlflow.get_tracking_uri())}: {reason}") from error
    return client


def _refuse_unwritable(location: str) -> None:
    """Refuse a place for artifacts where nothing can be written, before hours of work.

    Raises:
        UserError: it is one.
    """
    place = moved.local_path(location)
    if place and (reason := refusal(place)):
        raise UserError(
            f"{place}, where the artifacts of this experiment go, cannot be written: {reason}; type the command in a "
            "folder that can be written, name files by their whole path, or choose another --experiment-name"
        )


@contextmanager
def no_child_left_running(run: Run) -> Iterator[None]:
    """When the block raises, mark children as FAILED whose processes were killed before they could say so."""
    try:
        yield
    except BaseException:
        client = MlflowClient()
        children = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}' and attributes.status = 'RUNNING'"
        for child in client.search_runs([run.info.experiment_id], children):
            client.set_terminated(child.info.run_id, RunStatus.to_string(RunStatus.FAILED))
        raise
