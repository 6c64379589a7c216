"""Where a step's record goes: the store, the experiment and the run.

``mlflow run`` has made a run before any of our code starts. When it lies in an experiment the user chose, the
step adopts it. When it lies in MLflow's ``Default`` experiment, because no name was given, the step makes its own
run in ``Fear_Classification_Experiments`` and leaves a pointer behind. Where the store is a server, all of this
happens in a spool (`steps.tracking.spool.spool`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from sqlalchemy.exc import SQLAlchemyError

from steps import commands
from steps.errors import UserError, shown
from steps.system import storage_errors
from steps.system.sqlite_store import refusal, trouble
from steps.tracking import left_running, parameters_record, record
from steps.tracking.environment import environment_tags, git_problem, installed_packages
from steps.tracking.spool import current, recording, stand_in_experiment, stand_in_run
from steps.tracking.store import moved
from steps.tracking.store.opening import making, pin_tracking_uri
from steps.tracking.store.tracking_uri import show_uri, without_credentials_in
from steps.tracking.store.trouble import FAILURES, reachable
from steps.writing.markdown import plain

EXPERIMENT = "Fear_Classification_Experiments"
ENTRY_POINT_TAG = "entry_point"
# Why a run failed, in one line.
FAILURE_TAG = "failure"
_DEFAULT_EXPERIMENT_ID = "0"
# The step that runs long enough for MLflow's system metrics to say something; the driver's page is for results.
_LONG = ("train",)
_REASON_LENGTH = 500
_SAMPLING_S = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
# Lets MLflow's pages open with runs, metrics and models instead of with language model traces.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_RUN_ID, _EXPERIMENT_ID, _EXPERIMENT_NAME = "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"
# Tells a child of a driver that the identifiers in its environment are the spool's already.
_ADOPTED = "FEAR_SPOOL_ADOPTED"


@contextmanager
def step_run(entry_point: str, parameters: Mapping[str, object], run_name: str | None = None) -> Iterator[Run]:
    """The MLflow run of a step, active inside the block; it ends FINISHED, or FAILED when the block raises.

    Args:
        entry_point: name of the MLproject entry point, kept as a tag.
        parameters: logged where ``mlflow run`` has not logged them already.
        run_name: name of a run that has to be made; ``entry_point`` by default.

    Raises:
        UserError: the experiment cannot be used.
    """
    pin_tracking_uri()
    with recording(Path.cwd()), _step_run(entry_point, parameters, run_name) as run:
        yield run


@contextmanager
def _step_run(entry_point: str, parameters: Mapping[str, object], run_name: str | None) -> Iterator[Run]:
    adopt_from_server()
    client = _open_store()
    given = _without_credentials(client, run_id) if (run_id := os.environ.pop(_RUN_ID, None)) else None
    commands.remember(given.data.tags if given else None)
    parameters = {k: without_credentials_in(v) if isinstance(v, str) else v for k, v in parameters.items()}
    tags = {ENTRY_POINT_TAG: entry_point, **environment_tags()}
    by_driver = given is not None and MLFLOW_PARENT_RUN_ID in given.data.tags  # which has said it
    if "git_commit" not in tags and not by_driver and (problem := git_problem()):
        click.echo(f"warning: the commit is not recorded, only the digest of the code: {problem}", err=True)
    if given and given.info.experiment_id != _DEFAULT_EXPERIMENT_ID:
        run_id, experiment_id = given.info.run_id, given.info.experiment_id
    else:
        experiment_id = experiment()
        run_id = None
        tags |= _project_tags(given)
    _refuse_unwritable(client.get_experiment(experiment_id).artifact_location)
    # Worker processes and child projects inherit these, not the pointer run's.
    os.environ[_EXPERIMENT_ID] = experiment_id
    os.environ.pop(_EXPERIMENT_NAME, None)
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
            _leave_pointer(client, given, run)
        with _failures_said(client, run.info.run_id):
            yield run


@contextmanager
def _failures_said(client: MlflowClient, run_id: str) -> Iterator[None]:
    """When the block raises, the run's description says why, first thing; the error goes on."""
    try:
        yield
    except BaseException as error:
        with suppress(*FAILURES):  # a store that fails is this very error
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
    if (path := moved.database_of(uri)) and (found := trouble(path)):
        raise UserError(f"cannot open the tracking store: {show_uri('; '.join(found))}")
    if current() is None:
        moved.refuse_displaced(uri)
    try:
        with making(mlflow.get_tracking_uri()):
            client = MlflowClient()
            client.get_experiment(_DEFAULT_EXPERIMENT_ID)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = show_uri(str(error).strip().splitlines()[0])
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


def experiment() -> str:
    """ID of the experiment to work in: what the environment names, else the study's own, made when missing."""
    chosen = os.environ.get(_EXPERIMENT_ID)
    if chosen and chosen != _DEFAULT_EXPERIMENT_ID:
        return _chosen_experiment(chosen)
    return experiment_named(os.environ.get(_EXPERIMENT_NAME) or EXPERIMENT)


def _chosen_experiment(experiment_id: str) -> str:
    try:
        found = MlflowClient().get_experiment(experiment_id)
    except MlflowException as error:
        raise _no_experiment(experiment_id, mlflow.get_tracking_uri()) from error
    _refuse_deleted(found)
    return experiment_id


def _no_experiment(experiment_id: str, store: str) -> UserError:
    return UserError(
        f"{_EXPERIMENT_ID} is {shown(experiment_id)}, which is no experiment of {show_uri(store)}; unset it, or name "
        f"one with {_EXPERIMENT_NAME}"
    )


def _no_run(run_id: str, store: str) -> UserError:
    return UserError(f"{_RUN_ID} is {shown(run_id)}, which is no run of {show_uri(store)}; unset it, and a run is made")


def _refuse_deleted(found: Experiment) -> None:
    if found.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(
            f"experiment {shown(found.name)} was deleted; restore it with "
            f"'mlflow experiments restore -x {found.experiment_id}' or choose another with --experiment-name"
        )


def experiment_named(name: str) -> str:
    """ID of the experiment, made when missing.

    Raises:
        UserError: it was deleted.
    """
    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None and (spool := current()):
        return spool.experiment(name, _KIND)
    if found is None:
        try:
            tags = _KIND | moved.place_tags(mlflow.get_tracking_uri())
            return str(client.create_experiment(name, _place_for_artifacts(name), tags=tags))
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    _refuse_deleted(found)
    return str(found.experiment_id)


def _place_for_artifacts(name: str) -> str | None:
    """Where a new experiment of this name keeps its artifacts; None for MLflow's choice, ``mlruns/`` in this folder.

    Where this folder is read-only and the store is a SQLite file elsewhere: beside that file.
    """
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///(/[^?]+)(\?.*)?", mlflow.get_tracking_uri())
    if match is None or os.access(Path.cwd(), os.W_OK):
        return None
    return (Path(match[1]).parent / "mlruns" / hashlib.sha256(name.encode()).hexdigest()[:10]).as_uri()


def adopt_from_server() -> None:
    """Where ``mlflow run`` made a run on a server: make its counterpart in the spool, and let the environment name it.

    The server may have gone since; then the spool goes by the identifiers alone.
    """
    spool = current()
    if spool is None or os.environ.get(_ADOPTED) == spool.uri:
        return
    os.environ[_ADOPTED] = spool.uri
    run_id, experiment_id = os.environ.pop(_RUN_ID, None), os.environ.pop(_EXPERIMENT_ID, None)
    given, name = None, None
    if (run_id or experiment_id) and reachable(spool.target):
        server = spool.target_client()
        with suppress(*FAILURES), _known_or(_no_run(run_id or "", spool.target)):
            given = server.get_run(run_id) if run_id else None
            experiment_id = given.info.experiment_id if given else experiment_id
        with suppress(*FAILURES), _known_or(_no_experiment(experiment_id or "", spool.target)):
            name = server.get_experiment(experiment_id).name
    if experiment_id in (None, _DEFAULT_EXPERIMENT_ID):
        local_id = _DEFAULT_EXPERIMENT_ID
    else:
        local_id = os.environ[_EXPERIMENT_ID] = stand_in_experiment(spool, str(experiment_id), name)
        os.environ.pop(_EXPERIMENT_NAME, None)
    if run_id:
        run_name = given.info.run_name if given else None
        os.environ[_RUN_ID] = stand_in_run(spool, run_id, local_id, _project_tags(given), run_name)


@contextmanager
def _known_or(refusal: UserError) -> Iterator[None]:
    """A server that says it does not have what it was asked for is not a server that fails."""
    try:
        yield
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise refusal from error
        raise


def _without_credentials(client: MlflowClient, run_id: str) -> Run:
    """The run that ``mlflow run`` made; a token in the URL of the project's repository is taken out of its tags."""
    try:
        given = client.get_run(run_id)
    except MlflowException as error:
        raise _no_run(run_id, mlflow.get_tracking_uri()) from error
    if given.info.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(f"{_RUN_ID} is {shown(run_id)}, a run that was deleted; unset it, and a run is made")
    for name, value in given.data.tags.items():
        if (kept := without_credentials_in(value)) != value:
            client.set_tag(run_id, name, kept)
    return client.get_run(run_id)


def _project_tags(given: Run | None) -> dict[str, str]:
    """What ``mlflow run`` recorded about source, commit and entry point on the run it made."""
    if given is None:
        return {}
    wanted = ("mlflow.project.", "mlflow.source.", "mlflow.gitRepoURL", "mlflow.user", MLFLOW_PARENT_RUN_ID)
    return {k: without_credentials_in(v) for k, v in given.data.tags.items() if k.startswith(wanted)}


def _leave_pointer(client: MlflowClient, given: Run, run: Run) -> None:
    note = (
        f"`mlflow run` without `--experiment-name` starts here. The study is run `{run.info.run_id}` "
        f"in experiment {plain(client.get_experiment(run.info.experiment_id).name)}."
    )
    client.set_tag(given.info.run_id, "study_run_id", run.info.run_id)
    client.set_tag(given.info.run_id, MLFLOW_RUN_NOTE, note)


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
