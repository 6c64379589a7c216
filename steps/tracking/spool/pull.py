"""Bringing runs from the server into the spool, where steps read: trainings of colleagues, of other machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import click
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.errors import UserError
from steps.tracking.spool import marks, push
from steps.tracking.spool.copy import Copy, DigestError, Names
from steps.tracking.spool.marks import COPY_OF, SYNC
from steps.tracking.spool.remembered import runs_on_server
from steps.tracking.spool.spool import Spool, current
from steps.tracking.store.allowed import PlaceError
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.paging import every_run
from steps.tracking.store.trouble import FAILURES, reachable

_LOCK_S = 120.0


def local_run_id(run_id: str) -> str:
    """The run's ID in the store this process reads; a run that only the server has is fetched with its children.

    An ID that nobody knows is returned as it is.

    Raises:
        UserError: the server keeps its artifacts where it may not send us, or sends other files than it lists.
    """
    spool = current()
    if spool is None or _known(spool, run_id):
        return run_id
    if copy_id := _copy_of(spool, run_id):
        return copy_id
    if not reachable(spool.target):
        return run_id
    try:
        return _Pull(spool).run(spool.target_client().get_run(run_id))
    except (PlaceError, StoreError) as error:
        raise UserError(f"run {run_id} cannot be fetched: {error}") from error
    except DigestError as error:
        raise UserError(f"run {run_id} cannot be fetched: {error}; give the same command again") from error
    except FAILURES:
        return run_id


def deleted_on_server(run: Run) -> str:
    """Name of the run, or else of one of its folds, whose copy somebody has deleted on the server; empty for none.

    The server is the place of the record, so what was deleted there is not used any more. While the server cannot be
    asked, it counts what it said last.
    """
    spool = current()
    if spool is None:
        return ""
    folds = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}' and tags.entry_point = 'fold'"
    local = spool.client()
    every = [run, *every_run([run.info.experiment_id], folds, client=local)]
    deleted = {one.data.tags[marks.RUN_ID] for one in every if marks.DELETED in one.data.tags}
    server_ids = {one.data.tags[marks.RUN_ID]: one for one in every if marks.RUN_ID in one.data.tags}
    if reachable(spool.target):
        with suppress(*FAILURES):
            place = local.get_experiment(run.info.experiment_id).tags.get(marks.EXPERIMENT_ID)
            runs = runs_on_server(spool.target_client(), [place] if place else [], server_ids)
            deleted = {one.info.run_id for one in runs if one.info.lifecycle_stage == LifecycleStage.DELETED}
    return next((str(one.info.run_name) for server_id, one in server_ids.items() if server_id in deleted), "")


def fetch(experiment_id: str, filter_string: str, most: int = 1) -> None:
    """Fetch the newest runs of the server's experiment of the same name that fit, unless the spool has them.

    What cannot be fetched is no reason to stop, but where the server may not send us is said.

    Args:
        experiment_id: the spool's.
        filter_string: MLflow's.
        most: how many runs.
    """
    spool = current()
    if spool is None or not reachable(spool.target):
        return
    server = spool.target_client()
    try:
        name = spool.client().get_experiment(experiment_id).name
        experiment = server.get_experiment_by_name(name)
        if experiment is None:
            return
        newest = ["attributes.start_time DESC"]
        for run in server.search_runs([experiment.experiment_id], filter_string, order_by=newest, max_results=most):
            if run.data.tags.get(COPY_OF) is None or not _known(spool, run.data.tags[COPY_OF]):
                local_run_id(run.info.run_id)
    except UserError as error:
        click.echo(f"note: {error}", err=True)
    except FAILURES:  # the step can go on without the server's runs
        return


class _Pull:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._local, self._server = spool.client(), spool.target_client()

    def run(self, run: Run) -> str:
        """Copy a run and its children into the spool; returns the ID in the spool."""
        # The replicator must not take a half-fetched run for one that has changed.
        with self._spool.lock.acquire(timeout=_LOCK_S):
            known = push.Push(self._spool).names().identifiers
            names = Names({server: local for local, server in known.items()})
            every = [run, *self._children(run)]
            try:
                for one in every:
                    self._make(one, names)
                for one in every:
                    self._fill(one, names)
            except BaseException:
                for one in every:  # half a run would pass for a whole one
                    if one.info.run_id in names.identifiers and one.info.run_id not in known.values():
                        self._local.delete_run(names.identifiers[one.info.run_id])
                raise
        return names.identifiers[run.info.run_id]

    def _children(self, run: Run) -> Iterator[Run]:
        """Children, theirs, and so on."""
        children = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'"
        for child in every_run([run.info.experiment_id], children, client=self._server):
            yield child
            yield from self._children(child)

    def _make(self, run: Run, names: Names) -> None:
        if run.info.run_id in names.identifiers:
            return
        experiment = self._server.get_experiment(run.info.experiment_id)
        made = self._local.create_run(
            self._spool.experiment(experiment.name),
            start_time=run.info.start_time,
            tags=marks.stands_for(run.info.run_id),
            run_name=run.info.run_name,
        )
        names.identifiers[run.info.run_id] = made.info.run_id

    def _fill(self, run: Run, names: Names) -> None:
        local_id = names.identifiers[run.info.run_id]
        local = self._local.get_run(local_id).info
        experiment_id, names.places[run.info.artifact_uri] = local.experiment_id, local.artifact_uri
        copy = Copy(self._server, self._local, names)
        filter_string = f"source_run_id = '{run.info.run_id}'"
        owners: dict[str, str] = {}
        for model in self._server.search_logged_models([run.info.experiment_id], filter_string):
            copied = copy.model(model, experiment_id, local_id)
            self._local.set_logged_model_tags(copied, {marks.MODEL_ID: model.model_id})
            owners |= {metric.key: copied for metric in model.metrics or [] if metric.run_id == run.info.run_id}
        copy.values(run, local_id, lambda name: name.startswith(SYNC) or name == COPY_OF)
        copy.metrics(run, local_id, owners, set())
        copy.links(run, local_id)
        copy.artifacts(run, None)
        if RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
            self._local.set_terminated(local_id, run.info.status, run.info.end_time)
        marks.note_copied(self._local, local_id)


def _known(spool: Spool, run_id: str) -> bool:
    return bool(_search(spool.client(), f"attributes.run_id = '{run_id}'"))


def _copy_of(spool: Spool, run_id: str) -> str | None:
    copies = _search(spool.client(), f"tags.`{marks.RUN_ID}` = '{run_id}'")
    return str(copies[0].info.run_id) if copies else None


def _search(client: MlflowClient, filter_string: str) -> list[Run]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, filter_string, max_results=1))
