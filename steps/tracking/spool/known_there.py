"""What a store has already of studies that are brought to it: by an earlier time, by another file, or from the start.

A spool that steps record to has notes of what was copied. Studies that were carried here have none, so the store is
asked, before anything is written; what it has is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, LoggedModel, LoggedModelStatus, Run, RunStatus, ViewType

from steps.tracking.spool.copy import Names
from steps.tracking.spool.experiments import Experiments
from steps.tracking.spool.marks import ADOPTED, COPY_OF, DELETED, MODEL_ID, RUN_ID, STATE, origin, state_of
from steps.tracking.spool.remembered import lacks, runs_on_server
from steps.tracking.spool.spool import Spool
from steps.tracking.spool.versions import Versions
from steps.tracking.store.paging import pages


def recognise(spool: Spool) -> None:
    """Note in a spool of carried studies what its target has of them.

    Raises:
        Exception: whatever a server that fails makes MLflow's client raise.
    """
    local, server = spool.client(), spool.target_client()
    experiments = Experiments(local, server)
    every = [experiment.experiment_id for experiment in local.search_experiments()]
    runs = list(pages(partial(local.search_runs, every, max_results=1000)))
    found = {one: there for one in every if (there := experiments.find(one))}
    places = sorted({there.experiment_id for there in found.values()})
    known = _known_runs(server, places, runs)
    names = {run_id: there.info.run_id for run_id, there in known.items()}
    models = [model for one in every for model in pages(partial(local.search_logged_models, [one]))]
    known_models = _known_models(server, places, models, set(names.values()))
    for model in models:
        if there := known_models.get(model.model_id):
            local.set_logged_model_tags(model.model_id, {MODEL_ID: there.model_id})
            names[model.model_id] = there.model_id
    for run in runs:
        if there_run := known.get(run.info.run_id):
            _note(local, run, there_run, known_models)
    Versions(local, server, Names(names)).recognise()


def _note(local: MlflowClient, run: Run, there: Run, models: dict[str, LoggedModel]) -> None:
    is_original = there.info.run_id == origin(run.data.tags, run.info.run_id)
    tags = {RUN_ID: there.info.run_id, **({ADOPTED: "true"} if is_original else {})}
    if there.info.lifecycle_stage == LifecycleStage.DELETED:
        tags[DELETED] = "true"
    elif RunStatus.is_terminated(RunStatus.from_string(there.info.status)):  # which is the last that is copied
        run.data.tags.update(tags)
        if not lacks(run, there, models):
            tags[STATE] = state_of(run)
    for name, value in tags.items():
        local.set_tag(run.info.run_id, name, value)


def _known_runs(server: MlflowClient, places: list[str], runs: Iterable[Run]) -> dict[str, Run]:
    """The runs that the target has, by their identifiers here: the originals themselves, or else copies of them."""
    origins = {origin(run.data.tags, run.info.run_id): run.info.run_id for run in runs}
    known: dict[str, Run] = {}
    copies = (
        pages(partial(server.search_runs, places, f"tags.{COPY_OF} LIKE '%'", ViewType.ALL, 1000)) if places else ()
    )
    for copy in copies:
        run_id = origins.get(copy.data.tags[COPY_OF])
        if run_id and (run_id not in known or copy.info.lifecycle_stage == LifecycleStage.ACTIVE):
            known[run_id] = copy
    rest = [one for one, run_id in origins.items() if run_id not in known]
    return known | {origins[run.info.run_id]: run for run in runs_on_server(server, places, rest)}


def _known_models(
    server: MlflowClient, places: list[str], models: Iterable[LoggedModel], runs: set[str]
) -> dict[str, LoggedModel]:
    """The same of models that are whole and whose runs the target has."""
    origins = {origin(model.tags, model.model_id): model.model_id for model in models}
    there = pages(partial(server.search_logged_models, places)) if places else ()
    return {
        origins[known_by]: model
        for model in there
        if (known_by := origin(model.tags, model.model_id)) in origins
        and model.status == LoggedModelStatus.READY
        and model.source_run_id in runs
    }
