"""Does the server still hold what the spool's notes say? The server may have been replaced, so it is asked, in pages.

A server can be set up anew at the same address, restored from an older backup, or have lost what somebody deleted. What
it has forgotten is copied again; what was deleted there on purpose stays deleted, which is said.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, LoggedModel, LoggedModelStatus, Run, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER

from steps.tracking.spool.experiments import Experiments
from steps.tracking.spool.marks import ADOPTED, COPY_OF, DELETED, FILES, MODEL_ID, RUN_ID, STATE, SYNC, origin, state_of
from steps.tracking.store.paging import batches, pages
from steps.tracking.store.tracking_uri import show_uri

_PAGE = 500
_NAMED = 3


@dataclass
class Reviewed:
    """What came of asking.

    Attributes:
        runs: the server's runs, by their IDs in the spool.
        models: the server's models, by their IDs in the spool.
        notes: what has to be said, a line each.
        changed: whether something has to be copied again.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    models: dict[str, LoggedModel] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    changed: bool = False


def review(
    local: MlflowClient, server: MlflowClient, experiments: Experiments, runs: Sequence[Run], models: list[LoggedModel]
) -> Reviewed:
    """Ask the server for all that was copied, and forget in the spool what it has forgotten.

    Args:
        local: client of the spool.
        server: client of the server.
        experiments: the server's.
        runs: all runs of the spool.
        models: all models of the spool.
    """
    experiments.forget()
    places = [experiment.experiment_id for experiment in experiments.visible(_experiments_of(runs))]
    runs = [run for run in runs if run.info.experiment_id not in experiments.forbidden]
    models = [model for model in models if model.experiment_id not in experiments.forbidden]
    reviewed = Reviewed()
    copied = {model.model_id for model in models if MODEL_ID in model.tags and DELETED not in model.tags}
    forgotten, outdated, deleted = _review_runs(local, server, places, runs, copied, reviewed)
    lost_models, deleted_models = _review_models(local, server, places, models, reviewed)
    address = show_uri(server.tracking_uri)
    if forgotten:
        what = f"{_counted(forgotten, 'run')}, copied there before: it is new or restored, or removed them for good"
        reviewed.notes.append(f"{address} no longer has {what}; copied again")
    if outdated:
        reviewed.notes.append(f"{address} has {_counted(outdated, 'run')} in an older state; copied again")
    if lost_models:
        reviewed.notes.append(f"{address} no longer has {_counted(lost_models, 'model')}; copied again")
    if deleted:
        restore = f"MLFLOW_TRACKING_URI={address} mlflow runs restore --run-id {deleted[0].data.tags[RUN_ID]}"
        names = [run.info.run_name for run in deleted]
        reviewed.notes.append(f"deleted on {address} and left so: {_counted(names, 'run')}; to restore: {restore}")
    if deleted_models:
        reviewed.notes.append(f"deleted on {address} and left so: {_counted(deleted_models, 'model')}")
    if reviewed.changed:
        # Other runs may mention what gets a new ID, and tags are sent without a look at older values.
        for run in runs:
            _drop(run, partial(local.delete_tag, run.info.run_id), STATE)
    return reviewed


def lacks(run: Run, copy: Run, copied: Container[str]) -> str:
    """What a copy on the server has not got of a run, as far as a search tells; empty when it has all.

    Args:
        run: of the spool.
        copy: of the server.
        copied: the models of the spool that the server has; runs there cannot be linked with others.
    """
    if run.info.status != copy.info.status:
        return f"status {copy.info.status} instead of {run.info.status}"
    is_adopted = ADOPTED in run.data.tags
    for kind, wanted, present in (
        ("parameter", run.data.params, copy.data.params),
        ("metric", run.data.metrics, copy.data.metrics),
        ("tag", [name for name in run.data.tags if not stays_behind(name, is_adopted)], copy.data.tags),
    ):
        for name in wanted:
            if name not in present:
                return f"no {kind} {name}"
    for name, value in run.data.metrics.items():
        # A run that was fetched may have got more on the server since.
        if not is_adopted and str(copy.data.metrics[name]) != str(value):
            return f"metric {name} is {copy.data.metrics[name]} instead of {value}"
    for kind, local, server in (
        ("dataset", _inputs(run, "dataset_inputs"), _inputs(copy, "dataset_inputs")),
        ("used model", _inputs(run, "model_inputs"), _inputs(copy, "model_inputs")),
        ("model", [model for model in _outputs(run) if model in copied], _outputs(copy)),
    ):
        if len(local) > len(server):
            return f"{len(server)} {kind}s instead of {len(local)}"
    return ""


def stays_behind(name: str, is_adopted: bool) -> bool:
    """Whether a tag is not copied: our own notes; what `mlflow run` wrote on a run of its own is the server's."""
    return name.startswith(SYNC) or name == COPY_OF or (is_adopted and name in (MLFLOW_RUN_NAME, MLFLOW_USER))


def runs_on_server(server: MlflowClient, experiments: Sequence[str], run_ids: Iterable[str]) -> Iterator[Run]:
    """Those of the runs that the server has, deleted ones, too."""
    wanted = sorted(run_ids)
    seen: set[str] = set()
    for run in _search_runs(server, experiments, wanted):
        seen.add(run.info.run_id)
        yield run
    if rest := [run_id for run_id in wanted if run_id not in seen]:  # an experiment may have got another name
        every = [one.experiment_id for one in pages(partial(server.search_experiments, ViewType.ALL))]
        yield from _search_runs(server, [one for one in every if one not in experiments], rest)


def _search_runs(server: MlflowClient, experiments: Sequence[str], run_ids: Sequence[str]) -> Iterator[Run]:
    for batch in batches(run_ids, _PAGE) if experiments else []:
        wanted = "attributes.run_id IN ({})".format(", ".join(f"'{run_id}'" for run_id in batch))
        yield from pages(partial(server.search_runs, list(experiments), wanted, ViewType.ALL, _PAGE))


def _experiments_of(runs: Iterable[Run]) -> list[str]:
    return sorted({run.info.experiment_id for run in runs})


def _review_runs(
    local: MlflowClient,
    server: MlflowClient,
    places: list[str],
    runs: Iterable[Run],
    copied: Container[str],
    reviewed: Reviewed,
) -> tuple[list[str], list[str], list[Run]]:
    """Names of the runs that the server has forgotten and has in an older state; those it holds as deleted."""
    remembered = {run.data.tags[RUN_ID]: run for run in runs if RUN_ID in run.data.tags}
    copies = {run.info.run_id: run for run in runs_on_server(server, places, remembered)}
    forgotten, outdated, deleted = [], [], list[Run]()
    for server_id, run in remembered.items():
        run_id, tags, copy = run.info.run_id, run.data.tags, copies.get(server_id)
        drop = partial(_drop, run, partial(local.delete_tag, run_id))
        if copy is None or (ADOPTED not in tags and copy.data.tags.get(COPY_OF, run_id) != origin(tags, run_id)):
            forgotten.append(run.info.run_name)
            drop(RUN_ID, ADOPTED, DELETED, FILES, STATE)
            continue
        reviewed.runs[run_id] = copy
        if copy.info.lifecycle_stage == LifecycleStage.DELETED:
            deleted.append(run)
            if DELETED not in tags:
                local.set_tag(run_id, DELETED, "true")
                tags[DELETED] = "true"
            continue
        drop(DELETED)
        if STATE in tags and lacks(run, copy, copied) and tags[STATE] == state_of(run):  # unchanged since it was copied
            outdated.append(run.info.run_name)
            drop(FILES, STATE)
    reviewed.changed |= bool(forgotten or outdated)
    return forgotten, outdated, deleted


def _review_models(
    local: MlflowClient, server: MlflowClient, places: list[str], models: Iterable[LoggedModel], reviewed: Reviewed
) -> tuple[list[str], list[str]]:
    """Names of the models that the server has forgotten, and of those that were deleted there."""
    remembered = {model.tags[MODEL_ID]: model for model in models if MODEL_ID in model.tags}
    copies: dict[str, LoggedModel] = {}
    for batch in batches(sorted(remembered), _PAGE) if places else []:
        wanted = "model_id IN ({})".format(", ".join(f"'{model_id}'" for model_id in batch))
        every = pages(partial(server.search_logged_models, places, wanted, max_results=_PAGE))
        copies |= {model.model_id: model for model in every}
    lost, deleted = [], []
    for server_id, model in remembered.items():
        drop = partial(_drop, model, partial(local.delete_logged_model_tag, model.model_id))
        run = reviewed.runs.get(model.source_run_id or "")
        copy = copies.get(server_id)
        if run is not None and copy is not None and copy.status == LoggedModelStatus.READY:
            reviewed.models[model.model_id] = copy
            drop(DELETED)
        elif copy is None and run is not None and server_id in _outputs(run):
            # The run still says that it made it: somebody has deleted the model alone, or both.
            deleted.append(str(model.name))
            if DELETED not in model.tags:
                local.set_logged_model_tags(model.model_id, {DELETED: "true"})
                model.tags[DELETED] = "true"
        else:
            drop(MODEL_ID, DELETED)
            if run is not None:
                lost.append(str(model.name))
                reviewed.changed = True
    return lost, deleted


def _drop(of: Run | LoggedModel, delete: Callable[[str], None], *names: str) -> None:
    tags = of.data.tags if isinstance(of, Run) else of.tags
    for name in names:
        if tags.pop(name, None) is not None:
            delete(name)


def _inputs(run: Run, kind: str) -> list[object]:
    return list(getattr(run.inputs, kind) or []) if run.inputs else []


def _outputs(run: Run) -> list[str]:
    return [model.model_id for model in run.outputs.model_outputs] if run.outputs else []


def _counted(names: Sequence[str], kind: str) -> str:
    """``3 runs (a, b, c)``."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} {kind}{'s' if len(names) > 1 else ''} ({', '.join(names[:_NAMED])}{more})"
