"""Copying runs and models between two MLflow stores so that doing it again changes nothing.

MLflow ignores a metric point, parameter or tag it already holds, and overwrites an artifact of the same name, so all
of that may be sent again after an answer was lost. What gets a new identity with every call (runs, models, versions)
carries a tag saying what it is a copy of, and is looked for before it is made.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.tracking.spool.marks import COPY_OF, SYNC, origin
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.paging import batches
from steps.tracking.store.tracking_uri import is_remote

_BATCH = {"metrics": 1000, "params": 100, "tags": 100}
TEXT = {".json", ".csv", ".md", ".html", ".txt", ".yaml", ".yml", ""}
_LARGEST_TEXT = 32 * 2**20
_VERSION = re.compile(r"models:/[^/@\s\"']+/\d+(?!\d)")
_IDENTIFIER = re.compile(r"\b(?:m-)?[0-9a-f]{32}\b")


class DigestError(Exception):
    """What was read back is not what was sent."""


@dataclass
class Names:
    """How the identifiers and places of one store are called in the other.

    Attributes:
        identifiers: IDs of runs and models.
        places: artifact URIs.
        versions: of registered models, ``models:/name/3``; where a store goes by numbers of its own.
        before: where texts of the one store say its artifacts are, though they have been moved -> their places now.
    """

    identifiers: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def translate(self, text: str) -> str:
        """The text with every known identifier and place called as in the other store."""
        for places in (self.before, self.places):
            for place in sorted(places, key=len, reverse=True):
                text = text.replace(place, places[place])
        if self.versions:
            text = _VERSION.sub(lambda match: self.versions.get(match[0], match[0]), text)
        return _IDENTIFIER.sub(lambda match: self.identifiers.get(match[0], match[0]), text)


@dataclass(frozen=True)
class Copy:
    """Copies what runs and models hold from ``source`` to ``sink``."""

    source: MlflowClient
    sink: MlflowClient
    names: Names

    def values(self, run: Run, sink_run_id: str, without: Callable[[str], bool]) -> None:
        """Copy parameters and tags; parameters the sink holds already stay, as MLflow never changes one.

        Args:
            run: the run to copy from.
            sink_run_id: the run to copy to.
            without: says of a tag's name whether it stays behind.
        """
        present = self.sink.get_run(sink_run_id).data
        params = [Param(k, self.names.translate(v)) for k, v in run.data.params.items() if k not in present.params]
        tags = {k: self.names.translate(v) for k, v in run.data.tags.items() if not without(k)}
        changed = [RunTag(k, v) for k, v in tags.items() if present.tags.get(k) != v]
        for batch in batches(params, _BATCH["params"]):
            self.sink.log_batch(sink_run_id, params=batch)
        for batch in batches(changed, _BATCH["tags"]):
            self.sink.log_batch(sink_run_id, tags=batch)

    def metrics(self, run: Run, sink_run_id: str, models: Mapping[str, str], sent: set[Any]) -> None:
        """Copy every metric point with its step and time stamp.

        Args:
            run: the run to copy from.
            sink_run_id: the run to copy to.
            models: for metrics that belong to a model, its ID in the sink.
            sent: points already there; grows.
        """
        points = [point for key in run.data.metrics for point in self.source.get_metric_history(run.info.run_id, key)]
        fresh = {(point.key, point.timestamp, point.step, str(point.value)): point for point in points}
        fresh = {key: point for key, point in fresh.items() if key not in sent}
        ordered = sorted(fresh.values(), key=lambda point: (point.timestamp, point.step))
        for batch in batches(ordered, _BATCH["metrics"]):
            copies = [Metric(p.key, p.value, p.timestamp, p.step, model_id=models.get(p.key)) for p in batch]
            self.sink.log_batch(sink_run_id, metrics=copies)
        sent |= fresh.keys()

    def links(self, run: Run, sink_run_id: str) -> None:
        """Copy the run's dataset inputs and say which models it made."""
        if run.inputs and run.inputs.dataset_inputs:
            inputs = [
                DatasetInput(
                    Dataset(
                        name=item.dataset.name,
                        digest=item.dataset.digest,
                        source_type=item.dataset.source_type,
                        source=self.names.translate(item.dataset.source),
                        schema=item.dataset.schema,
                        profile=item.dataset.profile,
                    ),
                    [InputTag(tag.key, tag.value) for tag in item.tags],
                )
                for item in run.inputs.dataset_inputs
            ]
            self.sink.log_inputs(sink_run_id, datasets=inputs)
        present = self.sink.get_run(sink_run_id)
        if run.inputs and run.inputs.model_inputs:
            known = {model.model_id for model in present.inputs.model_inputs} if present.inputs else set()
            used = [self.names.identifiers.get(model.model_id, model.model_id) for model in run.inputs.model_inputs]
            if fresh := [LoggedModelInput(model_id) for model_id in used if model_id not in known]:
                self.sink.log_inputs(sink_run_id, models=fresh)
        if run.outputs and run.outputs.model_outputs:
            known = {model.model_id for model in present.outputs.model_outputs} if present.outputs else set()
            made = [
                LoggedModelOutput(self.names.identifiers[model.model_id], model.step)
                for model in run.outputs.model_outputs
                if self.names.identifiers.get(model.model_id, None) not in known | {None}
            ]
            if made:  # MLflow refuses this when it is sent twice, unlike everything else
                self.sink.log_outputs(sink_run_id, made)

    def artifacts(self, run: Run, done: str | None) -> str:
        """Copy the run's artifacts and read each back to compare size and SHA-256.

        Args:
            run: the run to copy from; ``names`` knows the place of its copy.
            done: what this method returned last time; equal artifacts are not sent again.

        Returns:
            A digest of all artifacts as they were sent.

        Raises:
            DigestError: a file read back differs from the one sent.
            PlaceError: a server sends us where it may not.
        """
        with self.staged(run.info.artifact_uri) as staged, tempfile.TemporaryDirectory() as scratch:
            sent = digests(staged)
            every = hashlib.sha256(repr(sorted(sent.items())).encode()).hexdigest()
            if sent and every != done:
                place = self.place_of(run.info.artifact_uri)
                for name, digest in sent.items():
                    place.log_artifact(str(staged / name), name.rpartition("/")[0] or None)
                    _compare(name, digest, Path(place.download_artifacts(name, scratch)))
            return every

    def model(self, model: LoggedModel, experiment_id: str, sink_run_id: str) -> str:
        """Copy a logged model and return its ID in the sink; one that was begun before is completed.

        Args:
            model: the model to copy.
            experiment_id: experiment in the sink.
            sink_run_id: run in the sink that made the model.

        Raises:
            DigestError: a file read back differs from the one sent.
            PlaceError: a server sends us where it may not.
        """
        known_by = origin(model.tags, model.model_id)
        copies = self.sink.search_logged_models([experiment_id], f"tags.`{COPY_OF}` = '{known_by}'")
        own = {k: v for k, v in model.tags.items() if not k.startswith(SYNC) and k != COPY_OF}
        tags = {k: self.names.translate(v) for k, v in own.items()}
        copy = (
            copies[0]
            if copies
            else self.sink.create_logged_model(
                experiment_id,
                name=model.name,
                source_run_id=sink_run_id,
                tags={**tags, COPY_OF: known_by},
                params={k: self.names.translate(v) for k, v in (model.params or {}).items()},
                model_type=model.model_type,
            )
        )
        self.names.identifiers[model.model_id] = copy.model_id
        self.names.places[model.artifact_location] = copy.artifact_location
        with self.staged(model.artifact_location) as staged, tempfile.TemporaryDirectory() as back:
            place = self.place_of(model.artifact_location)
            place.log_artifacts(str(staged))
            place.download_artifacts("", back)
            for name, digest in digests(staged).items():
                _compare(name, digest, Path(back) / name)
        if str(copy.status) != str(model.status):
            self.sink.finalize_logged_model(copy.model_id, model.status)
        return str(copy.model_id)

    def place_of(self, uri: str) -> ArtifactRepository:
        """Where the sink keeps what the source keeps at ``uri``.

        Raises:
            PlaceError: the sink is a server, and may not send us there.
        """
        return repository(self.names.places[uri], self.sink.tracking_uri)

    @contextmanager
    def staged(self, uri: str) -> Iterator[Path]:
        """The source's files at ``uri`` as they are in the sink: their texts call everything as it is called there.

        Raises:
            PlaceError: the source is a server, and may not send us there.
            DigestError: a file came with another size than the source lists.
        """
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "staged"
            if uri.startswith(("file:", "/")) and not is_remote(self.source.tracking_uri):
                yield self._translated(Path(local_file_uri_to_path(uri)), target)
                return
            place = repository(uri, self.source.tracking_uri)
            fetched = Path(scratch) / "fetched"
            fetched.mkdir()
            if place.list_artifacts():  # some of MLflow's stores refuse to fetch nothing
                place.download_artifacts("", str(fetched))
                _compare_sizes(place, fetched)
            yield self._translated(fetched, target)

    def _translated(self, folder: Path, target: Path) -> Path:
        """A copy of ``folder`` whose text files call everything as in the sink."""
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if not path.is_file() or path.is_symlink():
                continue
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in TEXT and path.stat().st_size <= _LARGEST_TEXT:
                with suppress(UnicodeDecodeError):  # not text after all
                    copy.write_bytes(self.names.translate(path.read_bytes().decode("utf-8")).encode("utf-8"))
                    continue
            shutil.copyfile(path, copy)
        return target


def metric_owners(models: Iterable[LoggedModel], names: Names) -> dict[str, dict[str, str]]:
    """For each run, which of its metrics belong to a model, by the model's ID on the server."""
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for model in models:
        for metric in model.metrics or []:
            if metric.run_id and model.model_id in names.identifiers:
                owners[metric.run_id][metric.key] = names.identifiers[model.model_id]
    return owners


def digests(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file under ``folder``, by its path."""
    return {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _compare(name: str, expected: tuple[int, str], path: Path) -> None:
    received = _digest(path) if path.is_file() else (0, "")
    if received != expected:
        raise DigestError(f"artifact {name} came back as {received[0]} bytes that differ from the {expected[0]} sent")


def _compare_sizes(place: ArtifactRepository, fetched: Path, folder: str | None = None) -> None:
    """Hold what was fetched against what the source lists: half a table may read as a whole one."""
    for item in place.list_artifacts(folder):
        if item.is_dir:
            _compare_sizes(place, fetched, item.path)
        elif item.file_size is not None:
            path = fetched / item.path
            came = path.stat().st_size if path.is_file() else 0
            if came != item.file_size:
                raise DigestError(f"artifact {item.path} came with {came} of {item.file_size} bytes")


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
