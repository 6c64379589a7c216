"""What a tracking store holds, in a form that can be compared with what another store holds.

Two stores give the same run different IDs, so runs go by the names on the way to them (``fear/train/fear_S01_1``), and
every ID found in a tag, a parameter or a text file is replaced by that name.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

Point = tuple[int, float, int]


@dataclass(frozen=True)
class File:
    """An artifact: its size and its SHA-256 as stored, and the SHA-256 of what counts: IDs in texts replaced, of a
    network the weights."""

    size: int
    sha256: str
    canonical: str


@dataclass(frozen=True)
class ModelRecord:
    """A logged model."""

    status: str
    kind: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    files: dict[str, File]


@dataclass(frozen=True)
class RunRecord:
    """A run, whose metrics are whole histories of ``(step, value, timestamp)``."""

    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, list[Point]]
    files: dict[str, File]
    inputs: list[str]
    models: list[ModelRecord]
    times: tuple[int, int | None]


@dataclass(frozen=True)
class VersionRecord:
    """A version of a registered model."""

    run: str
    description: str
    tags: dict[str, str]
    aliases: list[str]
    files: dict[str, File]


@dataclass(frozen=True)
class Inventory:
    """Everything in an experiment, and every registered model."""

    runs: dict[str, RunRecord]
    registered: dict[str, list[VersionRecord]]
    experiment_tags: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, int]:
        """How much there is."""
        runs = self.runs.values()
        return {
            "runs": len(runs),
            "params": sum(len(run.params) for run in runs),
            "tags": sum(len(run.tags) for run in runs),
            "metric points": sum(len(points) for run in runs for points in run.metrics.values()),
            "artifacts": sum(len(run.files) for run in runs),
            "models": sum(len(run.models) for run in runs),
            "model files": sum(len(model.files) for run in runs for model in run.models),
            "registered versions": sum(map(len, self.registered.values())),
        }


def inventory(client: MlflowClient, experiment: str, ignored_tags: str = "$^") -> Inventory:
    """Take stock of an experiment.

    Args:
        client: client of the store.
        experiment: name of the experiment.
        ignored_tags: regular expression of tags that belong to the copying, not to what is copied.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        return _inventory(client, experiment, ignored_tags)


def _inventory(client: MlflowClient, experiment: str, ignored_tags: str) -> Inventory:
    described = client.get_experiment_by_name(experiment)
    assert described is not None, f"no experiment {experiment}"
    runs = list(
        _pages(lambda token: client.search_runs([described.experiment_id], "", ViewType.ALL, 1000, None, token))
    )
    models = list(_pages(lambda token: client.search_logged_models([described.experiment_id], page_token=token)))
    names = _run_names(runs)
    known = _Known(names, models)
    records = {
        names[run.info.run_id]: _run_record(
            client, run, [model for model in models if model.source_run_id == run.info.run_id], known, ignored_tags
        )
        for run in runs
    }
    return Inventory(records, _registered(client, known, ignored_tags), known.mapping(described.tags, ignored_tags))


# What depends on when, where and how fast something was computed.
_TIMED = re.compile(r"_s$|_s_mean|wall|inference_ms|memory")
_SAMPLED = "system/"  # how often depends on how long a step takes
_VOLATILE_FILES = re.compile(r"(^|/)(report\.(html|md)|runtime\.(json|csv)|parameters\.json|MLmodel)$")
# A `.keras` file holds the time it was written at, and so its digest does.
_VOLATILE_NAMES = re.compile(
    r"^(cwd|pid|process_started|store_place|sha256/.*\.keras|reuse_key|"
    r"mlflow\.note\.content|mlflow\.log-model\.history)$"
)


def settled(stock: Inventory) -> Inventory:
    """What two runs of the same study on one machine have in common: all but times, folders and texts with such."""
    runs = {
        name: replace(
            run,
            times=(0, 0),
            params=_steady(run.params),
            tags=_steady(run.tags),
            metrics={
                key: [(step, 0.0 if _TIMED.search(key) else value, 0) for step, value, _ in points]
                for key, points in run.metrics.items()
                if not key.startswith(_SAMPLED)
            },
            files=_steady_files(run.files),
            models=[
                replace(
                    model,
                    params=_steady(model.params),
                    tags=_steady(model.tags),
                    metrics={key: 0.0 if _TIMED.search(key) else value for key, value in model.metrics.items()},
                    files=_steady_files(model.files),
                )
                for model in run.models
            ],
        )
        for name, run in stock.runs.items()
    }
    registered = {
        name: [
            replace(version, description="", tags=_steady(version.tags), files=_steady_files(version.files))
            for version in versions
        ]
        for name, versions in stock.registered.items()
    }
    return Inventory(runs, registered, _steady(stock.experiment_tags))


def _steady(values: dict[str, str]) -> dict[str, str]:
    steady = {name: "" if _VOLATILE_NAMES.match(name) else value for name, value in values.items()}
    return {name: re.sub(r'"cwd": "[^"]*"', '"cwd": ""', value) for name, value in steady.items()}


def _steady_files(files: dict[str, File]) -> dict[str, File]:
    return {name: File(0, "", "") if _VOLATILE_FILES.search(name) else file for name, file in files.items()}


def differences(expected: Inventory, actual: Inventory, verbatim: str = "$^") -> list[str]:
    """One line for everything that is missing, doubled or different; none when the two are the same.

    Args:
        expected: what there should be.
        actual: what there is.
        verbatim: regular expression of files that must agree byte by byte, IDs in them included.
    """
    return list(_differences("", _plain(expected, "", verbatim), _plain(actual, "", verbatim)))


class _Known:
    """The IDs of a store and what to put in their place."""

    def __init__(self, names: Mapping[str, str], models: list[LoggedModel]) -> None:
        self.names = names
        numbers: Counter[str] = Counter()
        replaced = {run_id: f"<run {name}>" for run_id, name in names.items()}
        for model in sorted(models, key=lambda model: model.creation_timestamp):
            owner = names.get(model.source_run_id or "", "?")
            numbers[owner] += 1
            replaced[model.model_id] = f"<model {numbers[owner]} of {owner}>"
        self._replaced = replaced
        self._pattern = re.compile("|".join(map(re.escape, sorted(replaced, key=len, reverse=True))) or "$^")

    def text(self, text: str) -> str:
        """The text with IDs replaced, and with that what stands before them in a store's own addresses."""
        text = self._pattern.sub(lambda match: self._replaced[match[0]], text)
        return re.sub(r"(?:mlflow-artifacts:|file://|/)[^\s\"'<>]*?/(?=(?:models/)?<(?:run|model) )", "…/", text)

    def mapping(self, values: Mapping[str, str], ignored: str = "$^") -> dict[str, str]:
        """All values but the ignored ones, with IDs replaced."""
        return {name: self.text(value) for name, value in sorted(values.items()) if not re.match(ignored, name)}

    def file(self, path: Path) -> File:
        """Size and digests of a file; only texts hold IDs to replace."""
        content = path.read_bytes()
        digest = canonical = hashlib.sha256(content).hexdigest()
        if path.suffix == ".keras":
            canonical = _of_network(path)
        elif b"\0" not in content:
            text = self.text(content.decode("utf-8", "surrogateescape"))
            canonical = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        return File(len(content), digest, canonical)

    def files(self, uri: str, tracking_uri: str | None) -> dict[str, File]:
        """Every file under an artifact URI, fetched as a client would fetch it."""
        with tempfile.TemporaryDirectory() as folder:
            repository = get_artifact_repository(uri, tracking_uri=tracking_uri)
            if not repository.list_artifacts(None):
                return {}
            repository.download_artifacts("", folder)
            return {
                path.relative_to(folder).as_posix(): self.file(path)
                for path in sorted(Path(folder).rglob("*"))
                if path.is_file()
            }


def _of_network(path: Path) -> str:
    """Digest of a Keras file's weights; the rest has a date and numbers of the process that saved it."""
    digest = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.shape} {item.dtype}".encode() + item[()].tobytes())

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(add)
    return digest.hexdigest()


def _pages(page_after: Callable[[str | None], Any]) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = page_after(token)
        yield from page
        token = page.token
        if not token:
            return


def _run_names(runs: list[Run]) -> dict[str, str]:
    """A name for each run: those of its ancestors and its own; namesakes after the first are numbered."""
    by_id = {run.info.run_id: run for run in runs}
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()

    def name(run: Run) -> str:
        run_id = run.info.run_id
        if run_id not in names:
            parent = by_id.get(run.data.tags.get("mlflow.parentRunId", ""))
            path = posixpath.join(name(parent), run.info.run_name) if parent else run.info.run_name
            if run.info.lifecycle_stage != "active":
                path += " (deleted)"
            taken[path] += 1
            names[run_id] = path if taken[path] == 1 else f"{path} #{taken[path]}"
        return names[run_id]

    for run in sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id)):
        name(run)
    return names


def _run_record(client: MlflowClient, run: Run, models: list[LoggedModel], known: _Known, ignored: str) -> RunRecord:
    run_id, info, data = run.info.run_id, run.info, run.data
    histories = {key: client.get_metric_history(run_id, key) for key in sorted(data.metrics)}
    return RunRecord(
        status=info.status,
        params=known.mapping(data.params),
        tags=known.mapping(data.tags, ignored),
        # A histories' order means nothing, a point that is there twice does.
        metrics={k: sorted((p.step, p.value, p.timestamp) for p in points) for k, points in histories.items()},
        files=known.files(info.artifact_uri, client.tracking_uri),
        inputs=sorted(
            known.text(" ".join([dataset.dataset.name, dataset.dataset.digest, dataset.dataset.source_type]))
            + " "
            + ",".join(f"{tag.key}={tag.value}" for tag in dataset.tags)
            for dataset in run.inputs.dataset_inputs
        ),
        models=[
            _model_record(client, model, known, ignored) for model in sorted(models, key=lambda m: m.creation_timestamp)
        ],
        times=(info.start_time, info.end_time),
    )


def _model_record(client: MlflowClient, model: LoggedModel, known: _Known, ignored: str) -> ModelRecord:
    return ModelRecord(
        status=str(model.status),
        kind=model.model_type or "",
        params=known.mapping(model.params or {}),
        tags=known.mapping(model.tags or {}, ignored),
        metrics={metric.key: metric.value for metric in sorted(model.metrics or [], key=lambda m: m.key)},
        files=known.files(model.artifact_location, client.tracking_uri),
    )


def _registered(client: MlflowClient, known: _Known, ignored: str) -> dict[str, list[VersionRecord]]:
    records: dict[str, list[VersionRecord]] = {}
    for model in _pages(lambda token: client.search_registered_models(page_token=token)):
        aliases: dict[str, list[str]] = {}
        for alias, version in client.get_registered_model(model.name).aliases.items():
            aliases.setdefault(str(version), []).append(alias)
        versions = _pages(partial(_versions, client, model.name))
        records[model.name] = [
            VersionRecord(
                run=known.names.get(version.run_id, version.run_id),
                description=known.text(version.description or ""),
                tags=known.mapping(version.tags, ignored),
                aliases=sorted(aliases.get(str(version.version), [])),
                files=known.files(
                    client.get_model_version_download_uri(model.name, version.version), client.tracking_uri
                ),
            )
            for version in sorted(versions, key=lambda version: int(version.version))
        ]
    return records


def _versions(client: MlflowClient, name: str, token: str | None) -> Any:
    return client.search_model_versions(f"name = '{name}'", page_token=token)


def _plain(value: Any, name: str, verbatim: str) -> Any:
    if isinstance(value, File):
        return {"size": value.size, "sha256": value.sha256 if re.search(verbatim, name) else value.canonical}
    if hasattr(value, "__dataclass_fields__"):
        return {field: _plain(getattr(value, field), field, verbatim) for field in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item, key, verbatim) for key, item in value.items()}
    return [_plain(item, name, verbatim) for item in value] if isinstance(value, list) else value


def _differences(where: str, expected: Any, actual: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in sorted(expected.keys() | actual.keys()):
            place = f"{where} > {name}" if where else name
            if name not in actual:
                yield f"{place} is missing"
            elif name not in expected:
                yield f"{place} is too much"
            else:
                yield from _differences(place, expected[name], actual[name])
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (one, other) in enumerate(zip(expected, actual, strict=True), 1):
            yield from _differences(f"{where} > {number}", one, other)
    elif repr(expected) != repr(actual):  # by what they print: not-a-number is equal to nothing
        yield f"{where} is {str(actual)[:200]!r}, expected {str(expected)[:200]!r}"
