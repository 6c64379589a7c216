"""One pass from a spool to its server: every run, model and registered version there exactly once.

What has been copied, and where to, stands in tags ``sync.*`` in the spool (`marks`). A pass that was cut
off anywhere is made good by the next one. Before anything is written, the server is asked whether it still has what
those tags say (`steps.tracking.spool.remembered`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModel, LoggedModelStatus, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.tracking.spool import duplicates, logged, verify
from steps.tracking.spool.copy import Copy, DigestError, Names, metric_owners
from steps.tracking.spool.experiments import Experiments
from steps.tracking.spool.marks import (
    ADOPTED,
    COPY_OF,
    DELETED,
    EXPERIMENT_ID,
    FILES,
    MODEL_ID,
    RUN_ID,
    STATE,
    origin,
    state_of,
)
from steps.tracking.spool.remembered import Reviewed, review, stays_behind
from steps.tracking.spool.result import SyncResult
from steps.tracking.spool.spool import Spool
from steps.tracking.spool.versions import NotOursError, Versions
from steps.tracking.store.allowed import PlaceError
from steps.tracking.store.paging import pages
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import is_forbidden, one_line, trouble_with
from steps.tracking.store.ui import WORKFLOW

_DEFAULT = "0"
_MODEL_FILE = "MLmodel"
# Refusals of one run; anything else means that the server cannot be worked with.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "INVALID_STATE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
}


class Push:
    """Copies a spool to its server; keeps between passes what would be slow to find out again."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._local, self._server = spool.client(), spool.target_client()
        self._places: dict[str, str] = {}
        self._before = spool.carried or {}
        self._sent: dict[str, set[Any]] = defaultdict(set)
        self._experiments = Experiments(self._local, self._server)
        self._is_sure = False  # that the server still has what the spool's notes say

    def pending(self) -> int:
        """Runs and registered versions that the server does not have as they are in the spool, and has not deleted."""
        return self._waiting(list(self._runs()))

    def names(self) -> Names:
        """How the server calls what has been copied."""
        return Names(_named(self._runs()))

    def page_of(self, run_id: str) -> str | None:
        """Address of a run's page on an HTTP server; None when it does not have the run as the spool has it."""
        run = self._local.get_run(run_id)
        if RUN_ID not in run.data.tags or run.data.tags.get(STATE) != state_of(run):
            return None
        experiment_id = self._local.get_experiment(run.info.experiment_id).tags.get(EXPERIMENT_ID, _DEFAULT)
        page = f"#/experiments/{experiment_id}/runs/{run.data.tags[RUN_ID]}{WORKFLOW}"
        return f"{show_uri(self._spool.target).rstrip('/')}/{page}"

    def note_files(self) -> None:
        """Note which files there are of what is still to be copied, however they were logged."""
        noted = logged.noted_files(self._spool.folder)
        for run in self._runs():
            if _is_waiting(run):
                files = logged.files_in(_folder(run.info.artifact_uri))
                logged.note_files(run.info.run_id, {*files} - noted[run.info.run_id], self._spool.folder)

    def once(self, *, thorough: bool = False) -> SyncResult:
        """One pass.

        Args:
            thorough: also look for copies made twice, and for what the server has forgotten since the last look; that
                is looked for in any case when this is the first pass, or the last one failed or was refused something.

        Raises:
            Exception: whatever a server that fails makes MLflow's client raise.
        """
        result, runs, models = SyncResult(), list(self._runs()), list(self._models())
        if thorough or not self._is_sure:
            self._review(runs, models, result)
        self._is_sure = False
        copy = Copy(self._local, self._server, Names(_named(runs), self._places, self._before))
        versions = Versions(self._local, self._server, copy.names, gives_way=self._spool.carried is not None)
        result.waiting = self._waiting(runs)
        changed = [run for run in runs if _is_waiting(run)]
        noted = logged.noted_files(self._spool.folder) if changed else {}
        refusable = partial(self._refusable, result)
        for run in runs:
            refusable(f"run {run.info.run_name}", partial(self._ensure, run, copy.names), run.info.experiment_id)
        deleted = {run.info.run_id for run in runs if DELETED in run.data.tags}
        for model in models:
            if DELETED not in model.tags and model.source_run_id not in deleted:
                action = partial(self._model, model, copy, noted, result)
                refusable(f"model {model.name}", action, model.experiment_id)
        if self._spool.carried is not None:  # runs of theirs go by the numbers of versions
            result.versions = versions.push(refusable)
            copy.names.versions.update(versions.numbers())
        owners = metric_owners(models, copy.names)
        for run in changed:
            action = partial(self._run, run, copy, owners, noted, result)
            refusable(f"run {run.info.run_name}", action, run.info.experiment_id)
        result.versions += versions.push(refusable)
        result.notes += versions.kept_aliases()
        forbidden = self._experiments.forbidden
        if changed and all(run.info.experiment_id in forbidden for run in changed):
            raise forbidden[changed[0].info.experiment_id]
        if thorough:
            names, places = copy.names.identifiers, self._places_of(runs)
            copied = [run for run in runs if ADOPTED not in run.data.tags]
            of_runs = {origin(run.data.tags, run.info.run_id): names.get(run.info.run_id) for run in copied}
            of_models = {origin(model.tags, model.model_id): names.get(model.model_id) for model in models}
            kept = {known_by: copy_id for known_by, copy_id in (of_runs | of_models).items() if copy_id}
            result.duplicates = duplicates.remove_duplicates(self._local, self._server, places, kept)
        self._is_sure = not result.refused
        return result

    def unverified(self) -> list[str]:
        """What the server, asked for all of it, does not hold of the spool, a line each; none when it holds everything.

        What can be mended by copying it again will be, by the next pass.

        Raises:
            Exception: whatever a server that fails makes MLflow's client raise.
        """
        self._is_sure = False
        runs, models = list(self._runs()), list(self._models())
        reviewed = self._review(runs, models, SyncResult())
        names = Names(
            _named(runs) | {model_id: copy.model_id for model_id, copy in reviewed.models.items()},
            self._places,
            self._before,
        )
        check = verify.Check(Copy(self._local, self._server, names), reviewed, logged.noted_files(self._spool.folder))
        adopted = {run.info.run_id for run in runs if ADOPTED in run.data.tags}
        lines = []
        for run in runs:
            if reason := check.run(run):
                lines.append(f"run {run.info.run_name}: {reason}")
                for tag in {STATE, FILES} & run.data.tags.keys() if run.info.run_id not in adopted else ():
                    self._local.delete_tag(run.info.run_id, tag)
        for model in models:
            is_adopted = model.source_run_id in adopted
            if reason := check.model(model, is_adopted):
                lines.append(f"model {model.name} of run {model.source_run_id}: {reason}")
                if MODEL_ID in model.tags and DELETED not in model.tags and not is_adopted:
                    self._local.delete_logged_model_tag(model.model_id, MODEL_ID)
        return [*lines, *Versions(self._local, self._server, names).missing()]

    def _review(self, runs: list[Run], models: list[LoggedModel], result: SyncResult) -> Reviewed:
        """Ask the server what it still has; the tags of ``runs`` and ``models`` follow."""
        reviewed = review(self._local, self._server, self._experiments, runs, models)
        of_runs = {
            run.info.artifact_uri: reviewed.runs[run.info.run_id].info.artifact_uri
            for run in runs
            if run.info.run_id in reviewed.runs
        }
        of_models = {
            model.artifact_location: reviewed.models[model.model_id].artifact_location
            for model in models
            if model.model_id in reviewed.models
        }
        self._places = of_runs | of_models
        names = Names({model_id: model.model_id for model_id, model in reviewed.models.items()})
        result.notes += reviewed.notes
        result.notes += Versions(self._local, self._server, names).review(reviewed.changed)
        if reviewed.changed:
            self._sent.clear()
        return reviewed

    def _runs(self) -> Iterator[Run]:
        experiments = [experiment.experiment_id for experiment in self._local.search_experiments()]
        # Oldest first: the server's lists then show the same order.
        oldest_first = ["attributes.start_time ASC"]
        yield from pages(partial(self._local.search_runs, experiments, order_by=oldest_first, max_results=1000))

    def _models(self) -> Iterator[LoggedModel]:
        for experiment in self._local.search_experiments():
            for model in pages(partial(self._local.search_logged_models, [experiment.experiment_id])):
                if model.status == LoggedModelStatus.READY:
                    yield model

    def _waiting(self, runs: Iterable[Run]) -> int:
        def deleted_models() -> set[str]:
            deleted = {run.info.run_id for run in runs if DELETED in run.data.tags}
            return {m.model_id for m in self._models() if DELETED in m.tags or m.source_run_id in deleted}

        versions = Versions(self._local, self._server, Names())
        return len([run for run in runs if _is_waiting(run)]) + versions.waiting(deleted_models)

    def _refusable(self, result: SyncResult, what: str, action: Callable[[], None], experiment_id: str = "") -> None:
        forbidden = self._experiments.forbidden
        try:
            if experiment_id in forbidden:
                raise forbidden[experiment_id]
            action()
        except (DigestError, PlaceError, NotOursError) as error:
            result.refused.append(f"{what}: {error}")
        except MlflowException as error:
            if experiment_id and is_forbidden(error):  # others may be ours
                forbidden[experiment_id] = error
                trouble = trouble_with(error)
                result.refused.append(f"{what}: {trouble.reason}: {trouble.mend}")
            elif error.error_code in _REFUSALS:
                result.refused.append(f"{what}: {one_line(error)}")
            else:
                raise

    def _places_of(self, runs: Iterable[Run]) -> list[str]:
        """The server's experiments that the runs are in; in its default one are only runs that `mlflow run` made."""
        names = sorted({run.info.experiment_id for run in runs} - {_DEFAULT})
        return [experiment.experiment_id for experiment in self._experiments.visible(names)]

    def _ensure(self, run: Run, names: Names) -> None:
        """Make the run on the server when it is not yet there."""
        run_id = run.info.run_id
        if run_id in names.identifiers:
            return
        experiment_id = self._experiments.of(run.info.experiment_id)
        known_by = origin(run.data.tags, run_id)
        # An earlier pass may have made it and been cut off before it could note that.
        copies = self._server.search_runs([experiment_id], f"tags.{COPY_OF} = '{known_by}'", max_results=1)
        server_run = (
            copies[0]
            if copies
            else self._server.create_run(
                experiment_id, start_time=run.info.start_time, tags={COPY_OF: known_by}, run_name=run.info.run_name
            )
        )
        self._local.set_tag(run_id, RUN_ID, server_run.info.run_id)
        names.places[run.info.artifact_uri] = server_run.info.artifact_uri
        names.identifiers[run_id] = server_run.info.run_id

    def _model(self, model: LoggedModel, copy: Copy, noted: Mapping[str, set[str]], result: SyncResult) -> None:
        if server_id := model.tags.get(MODEL_ID):
            copy.names.identifiers[model.model_id] = server_id
            return
        run_id = copy.names.identifiers.get(model.source_run_id or "")
        if run_id is None:  # its run is younger than this pass
            return
        folder = _folder(model.artifact_location)
        if lost := logged.missing({_MODEL_FILE, *noted.get(model.model_id, ())}, folder):
            raise DigestError(f"{logged.lost_text(lost, folder)} (model of run {model.source_run_id})")
        server_id = copy.model(model, self._experiments.of(model.experiment_id), run_id)
        self._local.set_logged_model_tags(model.model_id, {MODEL_ID: server_id})
        result.models += 1

    def _run(
        self,
        run: Run,
        copy: Copy,
        owners: Mapping[str, Mapping[str, str]],
        noted: Mapping[str, set[str]],
        result: SyncResult,
    ) -> None:
        run_id, state, adopted = run.info.run_id, state_of(run), ADOPTED in run.data.tags
        if run_id not in copy.names.identifiers:
            return  # refused before
        server_id = copy.names.identifiers[run_id]
        if run.info.artifact_uri not in copy.names.places:
            copy.names.places[run.info.artifact_uri] = self._server.get_run(server_id).info.artifact_uri
        copy.values(run, server_id, lambda name: stays_behind(name, adopted))
        copy.metrics(run, server_id, owners.get(run_id, {}), self._sent[run_id])
        copy.links(run, server_id)
        files = copy.artifacts(run, run.data.tags.get(FILES))
        if run.info.status != self._server.get_run(server_id).info.status:
            if RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
                self._server.set_terminated(server_id, run.info.status, run.info.end_time)
            else:
                self._server.update_run(server_id, status=run.info.status)
        self._local.set_tag(run_id, FILES, files)
        folder = _folder(run.info.artifact_uri)
        lost = logged.missing(noted.get(run_id, ()), folder)
        if lost and FILES in run.data.tags:  # the server may have had them before the spool lost them
            place = copy.place_of(run.info.artifact_uri)
            folders = {name.rpartition("/")[0] for name in lost}
            known = {item.path for name in folders for item in place.list_artifacts(name or None)}
            lost = [name for name in lost if name not in known]
        if lost:
            raise DigestError(logged.lost_text(lost, folder))
        self._local.set_tag(run_id, STATE, state)
        result.runs += 1


def _named(runs: Iterable[Run]) -> dict[str, str]:
    return {run.info.run_id: run.data.tags[RUN_ID] for run in runs if RUN_ID in run.data.tags}


def _is_waiting(run: Run) -> bool:
    """Whether the server does not have a run as the spool has it, though nobody has deleted it there."""
    return DELETED not in run.data.tags and run.data.tags.get(STATE) != state_of(run)


def _folder(uri: str) -> Path:
    return Path(local_file_uri_to_path(uri))
