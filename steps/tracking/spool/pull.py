"""Bringing runs from the server into the spool, where steps read: trainings of colleagues, of other machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import click
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.errors import UserError
from steps.tracking.spool import push
from steps.tracking.spool.copy import COPY_OF, SYNC, Copy, Names
from steps.tracking.spool.remembered import runs_there
from steps.tracking.spool.spool import Spool, current
from steps.tracking.store.artifact_places import PlaceError
from steps.tracking.store.trouble import FAILURES, reachable

_LOCK_S = 120.0


def local_run_id(run_id: str) -> str:
    """The run's ID in the store this process reads; a run that only the server has is fetched with its children.

    An ID that nobody knows is returned as it is.

    Raises:
        UserError: the server keeps its artifacts where it may not send us.
    """
    spool = current()
    if spool is None or _known(spool, run_id):
        return run_id
    if found := _copy_of(spool, run_id):
        return found
    if not reachable(spool.target):
        return run_id
    try:
        return _Pull(spool).run(spool.target_client().get_run(run_id))
    except PlaceError as error:
        raise UserError(f"run {run_id} cannot be fetched: {error}") from error
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
    here = spool.client()
    every = [run, *push.pages(partial(here.search_runs, [run.info.experiment_id], folds, max_results=1000))]
    deleted = {one.data.tags[push.RUN_ID] for one in every if push.DELETED in one.data.tags}
    there_ids = {one.data.tags[push.RUN_ID]: one for one in every if push.RUN_ID in one.data.tags}
    if reachable(spool.target):
        with suppress(*FAILURES):
            place = here.get_experiment(run.info.experiment_id).tags.get(push.EXPERIMENT_ID)
            found = runs_there(spool.target_client(), [place] if place else [], there_ids)
            deleted = {one.info.run_id for one in found if one.info.lifecycle_stage == LifecycleStage.DELETED}
    return next((str(one.info.run_name) for there_id, one in there_ids.items() if there_id in deleted), "")


def fetch(experiment_id: str, filter_string: str) -> None:
    """Fetch the newest run of the server's experiment of the same name that fits, unless the spool has it.

    What cannot be fetched is no reason to stop, but where the server may not send us is said.
    """
    spool = current()
    if spool is None or not reachable(spool.target):
        return
    there = spool.target_client()
    try:
        name = spool.client().get_experiment(experiment_id).name
        experiment = there.get_experiment_by_name(name)
        if experiment is None:
            return
        newest = ["attributes.start_time DESC"]
        for run in there.search_runs([experiment.experiment_id], filter_string, order_by=newest, max_results=1):
            if run.data.tags.get(COPY_OF) is None or not _known(spool, run.data.tags[COPY_OF]):
                local_run_id(run.info.run_id)
    except UserError as error:
        click.echo(f"note: {error}", err=True)
    except FAILURES:  # the server's runs are a help, not a condition
        return


class _Pull:
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._here, self._there = spool.client(), spool.target_client()

    def run(self, run: Run) -> str:
        """Copy a run and its children into the spool; returns the ID there."""
        # The replicator must not take a half-fetched run for one that has changed.
        with self._spool.lock.acquire(timeout=_LOCK_S):
            known = push.Push(self._spool).names().identifiers
            names = Names({there: here for here, there in known.items()})
            every = [run, *self._children(run)]
            try:
                for one in every:
                    self._make(one, names)
                for one in every:
                    self._fill(one, names)
            except BaseException:
                for one in every:  # half a run would pass for a whole one
                    if one.info.run_id in names.identifiers and one.info.run_id not in known.values():
                        self._here.delete_run(names.identifiers[one.info.run_id])
                raise
        return names.identifiers[run.info.run_id]

    def _children(self, run: Run) -> Iterator[Run]:
        """Children, theirs, and so on."""
        children = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'"
        for child in push.pages(partial(self._there.search_runs, [run.info.experiment_id], children, max_results=1000)):
            yield child
            yield from self._children(child)

    def _make(self, run: Run, names: Names) -> None:
        if run.info.run_id in names.identifiers:
            return
        experiment = self._there.get_experiment(run.info.experiment_id)
        made = self._here.create_run(
            self._spool.experiment(experiment.name),
            start_time=run.info.start_time,
            tags={push.RUN_ID: run.info.run_id, push.ADOPTED: "true"},
            run_name=run.info.run_name,
        )
        names.identifiers[run.info.run_id] = made.info.run_id

    def _fill(self, run: Run, names: Names) -> None:
        here_id = names.identifiers[run.info.run_id]
        here = self._here.get_run(here_id).info
        experiment_id, names.places[run.info.artifact_uri] = here.experiment_id, here.artifact_uri
        copy = Copy(self._there, self._here, names)
        filter_string = f"source_run_id = '{run.info.run_id}'"
        owners: dict[str, str] = {}
        for model in self._there.search_logged_models([run.info.experiment_id], filter_string):
            copied = copy.model(model, experiment_id, here_id)
            self._here.set_logged_model_tags(copied, {push.MODEL_ID: model.model_id})
            owners |= {metric.key: copied for metric in model.metrics or [] if metric.run_id == run.info.run_id}
        copy.values(run, here_id, lambda name: name.startswith(SYNC) or name == COPY_OF)
        copy.metrics(run, here_id, owners, set())
        copy.links(run, here_id)
        copy.artifacts(run, None)
        if RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
            self._here.set_terminated(here_id, run.info.status, run.info.end_time)
        push.note_copied(self._here, here_id)


def _known(spool: Spool, run_id: str) -> bool:
    return bool(_search(spool.client(), f"attributes.run_id = '{run_id}'"))


def _copy_of(spool: Spool, run_id: str) -> str | None:
    found = _search(spool.client(), f"tags.`{push.RUN_ID}` = '{run_id}'")
    return str(found[0].info.run_id) if found else None


def _search(client: MlflowClient, filter_string: str) -> list[Run]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, filter_string, max_results=1))
