"""One pass from a spool to its server: every run, model and registered version there exactly once.

What has been copied, and where to, stands in tags ``sync.*`` in the spool. A pass that was cut off anywhere is made
good by the next one.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage, LoggedModel, LoggedModelStatus, Run, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_USER

from steps.tracking.copy import COPY_OF, SYNC, Copy, DigestError, Names
from steps.tracking.spool import Spool, show_uri
from steps.tracking.ui import WORKFLOW

RUN_ID = f"{SYNC}run_id"
ADOPTED = f"{SYNC}adopted"
EXPERIMENT_ID = f"{SYNC}experiment_id"
MODEL_ID, STATE = f"{SYNC}model_id", f"{SYNC}state"
_VERSION, _FILES = f"{SYNC}version", f"{SYNC}artifacts"
# On a run that a cluster's worker made on the server: the training in the spool, which has to claim it.
WORKED_FOR = "worked_for"
_DEFAULT = "0"
# Refusals of one run; anything else means that the server cannot be worked with.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "INVALID_STATE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
}


@dataclass
class Passed:
    """What a pass did.

    Attributes:
        runs: runs that were new or had changed.
        models: models that were copied.
        versions: registered versions that were made.
        doubles: copies removed, because an answer was lost and a request was carried out twice.
        refused: what the server did not take, with its reason.
    """

    runs: int = 0
    models: int = 0
    versions: int = 0
    doubles: int = 0
    refused: list[str] = field(default_factory=list)


class Push:
    """Copies a spool to its server; keeps between passes what would be slow to find out again."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._here, self._there = spool.client(), spool.target_client()
        self._experiments: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._sent: dict[str, set[Any]] = defaultdict(set)

    def pending(self) -> int:
        """Runs and registered versions that the server does not have as they are here."""
        versions = self._here.search_model_versions()
        runs = [run for run in self._runs() if state_of(run) != run.data.tags.get(STATE)]
        return len(runs) + len([version for version in versions if _VERSION not in version.tags])

    def names(self) -> Names:
        """How the server calls what has been copied."""
        runs = {run.info.run_id: run.data.tags[RUN_ID] for run in self._runs() if RUN_ID in run.data.tags}
        return Names(runs)

    def page_of(self, run_id: str) -> str | None:
        """Address of a run's page on an HTTP server; None when it does not have the run as it is here."""
        run = self._here.get_run(run_id)
        if RUN_ID not in run.data.tags or run.data.tags.get(STATE) != state_of(run):
            return None
        experiment_id = self._here.get_experiment(run.info.experiment_id).tags.get(EXPERIMENT_ID, _DEFAULT)
        page = f"#/experiments/{experiment_id}/runs/{run.data.tags[RUN_ID]}{WORKFLOW}"
        return f"{show_uri(self._spool.target).rstrip('/')}/{page}"

    def once(self, *, thorough: bool = False) -> Passed:
        """One pass.

        Args:
            thorough: also look for copies made twice.

        Raises:
            Exception: whatever a server that fails makes MLflow's client raise.
        """
        passed = Passed()
        runs = list(self._runs())
        models = [model for experiment in self._all_experiments() for model in self._models(experiment)]
        names = Names(places=dict(self._places))
        for run in runs:
            self._refusable(passed, f"run {run.info.run_name}", partial(self._ensure, run, names))
        changed = [
            run for run in runs if run.info.run_id in names.identifiers and state_of(run) != run.data.tags.get(STATE)
        ]
        for model in models:
            self._refusable(passed, f"model {model.name}", partial(self._model, model, names, passed))
        owners = _metric_owners(models, names)
        copy = Copy(self._here, self._there, names)
        for run in changed:
            self._refusable(passed, f"run {run.info.run_name}", partial(self._run, run, copy, owners, passed))
        self._versions(names, passed)
        if thorough:
            self._remove_doubles(names, passed)
            self._remove_unclaimed(passed)
        return passed

    def _all_experiments(self) -> list[Experiment]:
        return list(self._here.search_experiments())

    def _runs(self) -> Iterator[Run]:
        experiments = [experiment.experiment_id for experiment in self._all_experiments()]
        # Oldest first: the server's lists then show the same order.
        oldest_first = ["attributes.start_time ASC"]
        yield from pages(partial(self._here.search_runs, experiments, order_by=oldest_first, max_results=1000))

    def _models(self, experiment: Experiment) -> Iterator[LoggedModel]:
        models = pages(partial(self._here.search_logged_models, [experiment.experiment_id]))
        return (model for model in models if model.status == LoggedModelStatus.READY)

    def _refusable(self, passed: Passed, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except DigestError as error:
            passed.refused.append(f"{what}: {error}")
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
                raise
            passed.refused.append(f"{what}: {str(error).splitlines()[0]}")

    def _experiment(self, experiment_id: str) -> str:
        """ID of the same experiment on the server, made when missing."""
        if experiment_id in self._experiments:
            return self._experiments[experiment_id]
        here = self._here.get_experiment(experiment_id)
        there_id = here.tags.get(EXPERIMENT_ID)
        if there_id is None:
            found = self._there.get_experiment_by_name(here.name)
            if found and found.lifecycle_stage == LifecycleStage.DELETED:
                raise MlflowException.invalid_parameter_value(f"experiment {here.name!r} was deleted on the server")
            tags = {k: v for k, v in here.tags.items() if not k.startswith(SYNC)}
            there_id = found.experiment_id if found else self._there.create_experiment(here.name, tags=tags)
            self._here.set_experiment_tag(experiment_id, EXPERIMENT_ID, there_id)
        self._experiments[experiment_id] = str(there_id)
        return str(there_id)

    def _ensure(self, run: Run, names: Names) -> None:
        """Make the run on the server when it is not there yet."""
        run_id = run.info.run_id
        there_id = run.data.tags.get(RUN_ID)
        if there_id is None:
            experiment_id = self._experiment(run.info.experiment_id)
            # An earlier pass may have made it and been cut off before it could note that.
            found = self._there.search_runs([experiment_id], f"tags.{COPY_OF} = '{run_id}'", max_results=1)
            there = (
                found[0]
                if found
                else self._there.create_run(
                    experiment_id,
                    start_time=run.info.start_time,
                    tags={COPY_OF: run_id},
                    run_name=run.info.run_name,
                )
            )
            there_id = str(there.info.run_id)
            self._here.set_tag(run_id, RUN_ID, there_id)
            self._places[run.info.artifact_uri] = there.info.artifact_uri
            names.places[run.info.artifact_uri] = there.info.artifact_uri
        names.identifiers[run_id] = there_id

    def _model(self, model: LoggedModel, names: Names, passed: Passed) -> None:
        if there_id := model.tags.get(MODEL_ID):
            names.identifiers[model.model_id] = there_id
            return
        run_id = names.identifiers.get(model.source_run_id or "")
        if run_id is None:  # its run is younger than this pass
            return
        files = local_file_uri_to_path(model.artifact_location)
        copy = Copy(self._here, self._there, names)
        there_id = copy.model(model, self._experiment(model.experiment_id), run_id, files)
        self._places[model.artifact_location] = names.places[model.artifact_location]
        self._here.set_logged_model_tags(model.model_id, {MODEL_ID: there_id})
        passed.models += 1

    def _run(self, run: Run, copy: Copy, owners: dict[str, dict[str, str]], passed: Passed) -> None:
        run_id, state = run.info.run_id, state_of(run)
        there_id = copy.names.identifiers[run_id]
        adopted = ADOPTED in run.data.tags

        def stays_behind(name: str) -> bool:
            # What `mlflow run` wrote on a run of its own is the server's business.
            return name.startswith(SYNC) or (adopted and name in (MLFLOW_RUN_NAME, MLFLOW_USER))

        if run.info.artifact_uri not in copy.names.places:
            place = self._there.get_run(there_id).info.artifact_uri
            self._places[run.info.artifact_uri] = copy.names.places[run.info.artifact_uri] = place
        copy.values(run, there_id, stays_behind)
        copy.metrics(run, there_id, owners.get(run_id, {}), self._sent[run_id])
        copy.links(run, there_id)
        files = copy.artifacts(run, there_id, run.data.tags.get(_FILES))
        if run.info.status != self._there.get_run(there_id).info.status:
            if RunStatus.is_terminated(RunStatus.from_string(run.info.status)):
                self._there.set_terminated(there_id, run.info.status, run.info.end_time)
            else:
                self._there.update_run(there_id, status=run.info.status)
        self._here.set_tag(run_id, _FILES, files)
        self._here.set_tag(run_id, STATE, state)
        passed.runs += 1

    def _versions(self, names: Names, passed: Passed) -> None:
        """Registered versions, with their evidence and aliases."""
        for registered in self._here.search_registered_models():
            name = registered.name
            versions = self._here.search_model_versions(f"name = '{name}'")
            for version in sorted(versions, key=lambda item: int(item.version)):
                tags = {k: names.translate(v) for k, v in version.tags.items() if not k.startswith(SYNC)}
                aliases = sorted(alias for alias, of in registered.aliases.items() if int(of) == int(version.version))
                state = _hash([tags, version.description, aliases])
                if version.tags.get(STATE) == state or _model_of(version) not in names.identifiers:
                    continue
                number = version.tags.get(_VERSION) or self._version(registered, version, names, passed)
                for key, value in tags.items():
                    self._there.set_model_version_tag(name, number, key, value)
                self._there.update_model_version(name, number, description=names.translate(version.description or ""))
                for alias in aliases:
                    self._there.set_registered_model_alias(name, alias, number)
                self._here.set_model_version_tag(name, version.version, _VERSION, number)
                self._here.set_model_version_tag(name, version.version, STATE, state)

    def _version(self, registered: Any, version: Any, names: Names, passed: Passed) -> str:
        name, original = registered.name, _model_of(version)
        if not self._there.search_registered_models(f"name = '{name}'"):
            self._there.create_registered_model(name, description=registered.description)
        model_id = names.identifiers[original]
        for known in self._there.search_model_versions(f"name = '{name}'"):
            if known.tags.get(COPY_OF) == original or _model_of(known) == model_id:
                return str(known.version)
        made = self._there.create_model_version(
            name,
            self._there.get_logged_model(model_id).artifact_location,
            run_id=names.identifiers.get(version.run_id),
            tags={COPY_OF: original},
            model_id=model_id,
            await_creation_for=0,  # MLflow's own stores make it at once
        )
        passed.versions += 1
        return str(made.version)

    def _remove_doubles(self, names: Names, passed: Passed) -> None:
        """Remove what a server made a second time after we had given up waiting for its answer."""
        kept = set(names.identifiers.values())
        for experiment in self._all_experiments():
            if experiment.experiment_id == _DEFAULT:
                continue  # only runs that `mlflow run` made are there
            there = [self._experiment(experiment.experiment_id)]
            for run in pages(partial(self._there.search_runs, there, max_results=1000)):
                if run.data.tags.get(COPY_OF) in names.identifiers and run.info.run_id not in kept:
                    self._there.delete_run(run.info.run_id)
                    passed.doubles += 1
            for model in pages(partial(self._there.search_logged_models, there)):
                if model.tags.get(COPY_OF) in names.identifiers and model.model_id not in kept:
                    self._there.delete_logged_model(model.model_id)
                    passed.doubles += 1
        for registered in self._here.search_registered_models():
            versions = self._here.search_model_versions(f"name = '{registered.name}'")
            ours = {_model_of(version): version.tags.get(_VERSION) for version in versions}
            for version in self._there.search_model_versions(f"name = '{registered.name}'"):
                original = version.tags.get(COPY_OF)
                if original in ours and str(version.version) != ours[original]:
                    self._there.delete_model_version(registered.name, version.version)
                    passed.doubles += 1

    def _remove_unclaimed(self, passed: Passed) -> None:
        """Remove what a worker left on the server when it was killed or its result never came back here."""
        running = RunStatus.to_string(RunStatus.RUNNING)
        ended = {run.info.run_id for run in self._runs() if run.info.status != running}
        claimed = set(self.names().identifiers.values())  # a training that has ended claims nothing more
        for experiment in self._all_experiments():
            if experiment.experiment_id == _DEFAULT:
                continue
            there = self._experiment(experiment.experiment_id)
            by_workers = f"tags.{WORKED_FOR} LIKE '%'"
            for run in list(pages(partial(self._there.search_runs, [there], by_workers, max_results=1000))):
                if run.data.tags[WORKED_FOR] not in ended or run.info.run_id in claimed:
                    continue
                for model in self._there.search_logged_models([there], f"source_run_id = '{run.info.run_id}'"):
                    self._there.delete_logged_model(model.model_id)
                self._there.delete_run(run.info.run_id)
                passed.doubles += 1


def note_copied(here: MlflowClient, run_id: str) -> None:
    """Note that the server has a run of the spool as it is now."""
    here.set_tag(run_id, STATE, state_of(here.get_run(run_id)))


def pages(search: Callable[..., Any]) -> Iterator[Any]:
    """All that a paged search of MLflow finds."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _model_of(version: Any) -> str:
    """ID of the logged model behind a registered version; MLflow's searches leave it out."""
    found = re.search(r"m-[0-9a-f]{32}", version.source or "")
    return str(version.model_id or (found[0] if found else ""))


def state_of(run: Run) -> str:
    """Digest of all a run of the spool holds, so that a change is seen."""
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith(SYNC)}
    latest = sorted((name, str(value)) for name, value in run.data.metrics.items())
    inputs = [item.dataset.digest for item in run.inputs.dataset_inputs] if run.inputs else []
    outputs = [model.model_id for model in run.outputs.model_outputs] if run.outputs else []
    folder = local_file_uri_to_path(run.info.artifact_uri)
    return _hash(
        [run.info.status, run.info.end_time, tags, run.data.params, latest, inputs, outputs, _stats(Path(folder))]
    )


def _stats(root: Path) -> list[tuple[str, int, int]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return [(path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def _hash(content: Iterable[Any]) -> str:
    return hashlib.sha256(repr(list(content)).encode()).hexdigest()


def _metric_owners(models: list[LoggedModel], names: Names) -> dict[str, dict[str, str]]:
    """For each run, which of its metrics belong to a model, by the model's ID on the server."""
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for model in models:
        for metric in model.metrics or []:
            if metric.run_id and model.model_id in names.identifiers:
                owners[metric.run_id][metric.key] = names.identifiers[model.model_id]
    return owners
