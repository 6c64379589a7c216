"""What the server calls runs of a spool, and what stands in a spool for what the server had first."""

from __future__ import annotations

from collections.abc import Mapping

import filelock
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from steps.tracking.spool.experiments import placeholder
from steps.tracking.spool.marks import EXPERIMENT_ID, RUN_ID, STATE, stands_for, state_of
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool
from steps.tracking.store.trouble import FAILURES, reachable

_WAIT_S = 60.0  # how long the replicator may be at a pass over a large study


def id_on_server(spool: Spool, run_id: str) -> str | None:
    """What the server calls a run of the spool, once it has all of it; None when the server fails.

    The replicator copies at its leisure, so what is missing is copied now.
    """
    if not reachable(spool.target):
        return None
    try:
        with spool.lock.acquire(timeout=_WAIT_S):
            server_run_id = _copied(spool, run_id)
            if server_run_id is None:
                Push(spool).once()
                server_run_id = _copied(spool, run_id)
            return server_run_id
    except (filelock.Timeout, *FAILURES):
        return None


def _copied(spool: Spool, run_id: str) -> str | None:
    """What the server calls a run of the spool, if it has all of it: the server is asked, it may be a new one."""
    run = spool.client().get_run(run_id)
    if run.data.tags.get(STATE) != state_of(run):
        return None
    server_run_id = str(run.data.tags[RUN_ID])
    try:
        copy = spool.target_client().get_run(server_run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return server_run_id if copy.info.lifecycle_stage == LifecycleStage.ACTIVE else None


def stand_in_experiment(spool: Spool, server_experiment_id: str, name: str | None) -> str:
    """ID of the spool's experiment for one that the server had first, made when missing.

    Args:
        spool: the spool.
        server_experiment_id: the server's.
        name: its name; None where the server could not be asked.
    """
    return spool.experiment(name or placeholder(server_experiment_id), {EXPERIMENT_ID: server_experiment_id})


def stand_in_run(
    spool: Spool, server_run_id: str, experiment_id: str, tags: Mapping[str, str], run_name: str | None
) -> str:
    """Make a run of the spool that stands for one which the server had first; returns its ID.

    Args:
        spool: the spool.
        server_run_id: the server's.
        experiment_id: the spool's experiment.
        tags: of the run.
        run_name: its name; None where the server could not be asked.
    """
    run = spool.client().create_run(experiment_id, tags={**tags, **stands_for(server_run_id)}, run_name=run_name)
    return str(run.info.run_id)
