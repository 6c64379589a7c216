"""The run that ``mlflow run`` has made before any of our code starts, and what it recorded of the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from steps.errors import UserError, shown
from steps.tracking.experiments import DEFAULT_ID, EXPERIMENT_ID, EXPERIMENT_NAME, no_experiment
from steps.tracking.spool import current, stand_in_experiment, stand_in_run
from steps.tracking.store.tracking_uri import show_uri, without_credentials_in
from steps.tracking.store.trouble import FAILURES, reachable
from steps.writing.markdown import plain

# Name of the environment variable by which `mlflow run` hands over the run it has made.
RUN_ID: Final = "MLFLOW_RUN_ID"
# For children of a driver: the identifiers in the environment are those of the spool already.
_ADOPTED = "FEAR_SPOOL_ADOPTED"


def adopt_from_server() -> None:
    """Where ``mlflow run`` made a run on a server: make its counterpart in the spool, and let the environment name it.

    The server may have gone since; then the spool goes by the identifiers alone.
    """
    spool = current()
    if spool is None or os.environ.get(_ADOPTED) == spool.uri:
        return
    os.environ[_ADOPTED] = spool.uri
    run_id, experiment_id = os.environ.pop(RUN_ID, None), os.environ.pop(EXPERIMENT_ID, None)
    given, name = None, None
    if (run_id or experiment_id) and reachable(spool.target):
        server = spool.target_client()
        with suppress(*FAILURES), _known_or(_no_run(run_id or "", spool.target)):
            given = server.get_run(run_id) if run_id else None
            experiment_id = given.info.experiment_id if given else experiment_id
        with suppress(*FAILURES), _known_or(no_experiment(experiment_id or "", spool.target)):
            name = server.get_experiment(experiment_id).name
    if experiment_id in (None, DEFAULT_ID):
        local_id = DEFAULT_ID
    else:
        local_id = os.environ[EXPERIMENT_ID] = stand_in_experiment(spool, str(experiment_id), name)
        os.environ.pop(EXPERIMENT_NAME, None)
    if run_id:
        run_name = given.info.run_name if given else None
        os.environ[RUN_ID] = stand_in_run(spool, run_id, local_id, project_tags(given), run_name)


@contextmanager
def _known_or(refusal: UserError) -> Iterator[None]:
    """Raise ``refusal`` if the server answers inside the block that it does not have what it was asked for."""
    try:
        yield
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise refusal from error
        raise


def run_without_credentials(client: MlflowClient, run_id: str) -> Run:
    """The run that ``mlflow run`` made; a token in the URL of the project's repository is taken out of its tags."""
    try:
        given = client.get_run(run_id)
    except MlflowException as error:
        raise _no_run(run_id, mlflow.get_tracking_uri()) from error
    if given.info.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(f"{RUN_ID} is {shown(run_id)}, a run that was deleted; unset it, and a run is made")
    for name, value in given.data.tags.items():
        if (kept := without_credentials_in(value)) != value:
            client.set_tag(run_id, name, kept)
    return client.get_run(run_id)


def project_tags(given: Run | None) -> dict[str, str]:
    """What ``mlflow run`` recorded about source, commit and entry point on the run it made."""
    if given is None:
        return {}
    wanted = ("mlflow.project.", "mlflow.source.", "mlflow.gitRepoURL", "mlflow.user", MLFLOW_PARENT_RUN_ID)
    return {k: without_credentials_in(v) for k, v in given.data.tags.items() if k.startswith(wanted)}


def leave_pointer(client: MlflowClient, given: Run, run: Run) -> None:
    """Say on the run that ``mlflow run`` made in ``Default`` where the study is recorded."""
    note = (
        f"`mlflow run` without `--experiment-name` starts here. The study is run `{run.info.run_id}` "
        f"in experiment {plain(client.get_experiment(run.info.experiment_id).name)}."
    )
    client.set_tag(given.info.run_id, "study_run_id", run.info.run_id)
    client.set_tag(given.info.run_id, MLFLOW_RUN_NOTE, note)


def _no_run(run_id: str, store: str) -> UserError:
    return UserError(f"{RUN_ID} is {shown(run_id)}, which is no run of {show_uri(store)}; unset it, and a run is made")
