"""Writing the record: batches of metrics, files, figures, tables, models."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NOTE

from steps.tracking.parameters_record import LONGEST_PARAM, LONGEST_TAG, shortened
from steps.tracking.spool import local_run_id, note_files, note_folder
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.paging import batches
from steps.writing import spreadsheet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Described(Protocol):
    """A dataset as far as its record goes: a manifest, or recordings that were scored."""

    @property
    def source(self) -> str:
        """Where the trials came from, as the user named it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""


# MLflow refuses larger batches, and more than 1000 of all kinds together.
_METRICS_PER_BATCH, _PARAMS_PER_BATCH, _TAGS_PER_BATCH = 800, 100, 100


def log(
    run: Run | str,
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    metrics: Mapping[str, float] | None = None,
    points: Sequence[Metric] = (),
    model_id: str | None = None,
    at_ms: int | None = None,
) -> None:
    """Log parameters, tags and metrics of one run in as few calls as MLflow allows; what is too long says it was cut.

    Args:
        run: the run, or its ID.
        params: parameters.
        tags: tags.
        metrics: a value each; linked with the model when one is given.
        points: metric points with steps and time stamps of their own.
        model_id: of the model that ``metrics`` are about.
        at_ms: when ``metrics`` were found, Unix milliseconds; now, when left out.
    """
    run_id = run if isinstance(run, str) else run.info.run_id
    at_ms = at_ms or time.time_ns() // 1_000_000
    values = [Metric(name, float(value), at_ms, 0, model_id=model_id) for name, value in (metrics or {}).items()]
    client = MlflowClient()
    for some_points, some_params, some_tags in zip_longest(
        batches([*values, *points], _METRICS_PER_BATCH),
        batches([Param(k, shortened(str(v), LONGEST_PARAM)) for k, v in (params or {}).items()], _PARAMS_PER_BATCH),
        batches([RunTag(k, shortened(str(v), LONGEST_TAG)) for k, v in (tags or {}).items()], _TAGS_PER_BATCH),
        fillvalue=(),
    ):
        client.log_batch(run_id, some_points, some_params, some_tags)


def update_metrics(run: Run, metrics: Mapping[str, float]) -> None:
    """Set metrics of a finished run; values it holds already are left alone, so nothing is doubled."""
    client = MlflowClient()
    run = client.get_run(run.info.run_id)
    models = run.outputs.model_outputs if run.outputs else []
    changed = {k: v for k, v in metrics.items() if run.data.metrics.get(k) != v}
    log(run.info.run_id, metrics=changed, model_id=models[0].model_id if len(models) == 1 else None)


def log_figures(run_id: str, figures: Mapping[str, Figure]) -> None:
    """Log every figure as ``<name>.png`` and ``<name>.svg``."""
    from steps.writing.png import as_png_and_svg  # matplotlib takes long to import, and few steps draw

    files: dict[str, bytes] = {}
    for name, figure in figures.items():
        files[f"{name}.png"], files[f"{name}.svg"] = as_png_and_svg(figure)
    log_files(run_id, files)


def log_files(run_id: str, files: Mapping[str, bytes | pd.DataFrame | Mapping[str, Any]]) -> None:
    """Log files in one go.

    Args:
        run_id: of the run.
        files: content by name; a table becomes CSV without its index (`to_csv`), a mapping strict JSON.

    Raises:
        ValueError: a mapping holds a number that is none; nothing is logged.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(_as_bytes(content))
        log_path(run_id, Path(folder))


def log_path(run: Run | str, path: Path, artifact_path: str | None = None) -> None:
    """Log a file, or all that is in a folder.

    Args:
        run: the run, or its ID.
        path: of the file or folder.
        artifact_path: folder among the run's artifacts; their top when left out.

    Raises:
        PlaceError: a server keeps the run's artifacts where it may not send us.
    """
    run = MlflowClient().get_run(run) if isinstance(run, str) else run
    files = repository(run.info.artifact_uri, mlflow.get_tracking_uri())
    if path.is_dir():
        files.log_artifacts(str(path), artifact_path)
        note_folder(run.info.run_id, path, artifact_path)
    else:
        files.log_artifact(str(path), artifact_path)
        note_files(run.info.run_id, [f"{artifact_path}/{path.name}" if artifact_path else path.name])


def describe(run_id: str, markdown: str) -> None:
    """Set the run's description, which MLflow renders as Markdown."""
    MlflowClient().set_tag(run_id, MLFLOW_RUN_NOTE, shortened(markdown, LONGEST_TAG))


@dataclass(frozen=True)
class DatasetPart:
    """Subjects of a dataset that a run used for something.

    Attributes:
        source: where the dataset came from, as the user named it.
        digest: SHA-256 of the whole dataset.
        uri: of the dataset artifact.
        subjects: who is in this part.
        context: what for: ``train``, ``validation`` or ``test``.
    """

    source: str
    digest: str
    uri: str
    subjects: tuple[str, ...]
    context: str


def log_dataset_parts(run_id: str, parts: Sequence[DatasetPart]) -> None:
    """Log parts of a dataset as inputs of a run; each has a name and a digest of its own."""
    inputs = []
    for part in parts:
        digest = hashlib.sha256("\x1f".join([part.digest, *part.subjects]).encode()).hexdigest()
        name = f"{_dataset_name(part.source)}-{part.context}"
        described = json.loads(MetaDataset(_source(part.uri), name=name, digest=digest[:32]).to_json())
        profile = json.dumps({"subjects": list(part.subjects), "dataset_digest": part.digest})
        entity = Dataset(name, digest[:32], described["source_type"], described["source"], profile=profile)
        inputs.append(DatasetInput(entity, [InputTag(MLFLOW_DATASET_CONTEXT, part.context)]))
    MlflowClient().log_inputs(run_id, datasets=inputs)


def log_dataset_input(manifest: Described, uri: str, context: str) -> None:
    """Log a dataset as an input of the active run."""
    # MLflow's column holds 36 characters; the whole digest is in dataset.json and in the run's tag.
    dataset = MetaDataset(_source(uri), name=_dataset_name(manifest.source), digest=manifest.digest[:32])
    mlflow.log_input(dataset, context=context)


def log_model_input(run_id: str, model_id: str) -> None:
    """Log a model as an input of a run."""
    MlflowClient().log_inputs(run_id, models=[LoggedModelInput(model_id)])


def log_model_output(run_id: str, model_id: str) -> None:
    """Log a model as an output of a run, beside the run that made it."""
    MlflowClient().log_outputs(run_id, models=[LoggedModelOutput(model_id, 0)])


def _dataset_name(source: str) -> str:
    return f"fear-{Path(source).stem}"


@cache
def _source(uri: str) -> Any:
    """MLflow's notion of where a dataset artifact is."""
    if RunsArtifactRepository.is_runs_uri(uri):
        run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
        uri = RunsArtifactRepository.get_underlying_uri(f"runs:/{local_run_id(run_id)}/{path}")
    with warnings.catch_warnings():
        # MLflow registers its local source twice and then warns that it cannot tell the two apart.
        warnings.filterwarnings(
            "ignore", message="The specified dataset source can be interpreted", category=UserWarning
        )
        try:
            return mlflow.data.dataset_source_registry.resolve_dataset_source(uri)
        except MlflowException:  # MLflow has no source type for artifacts that its server hands out
            return CodeDatasetSource({"dataset_uri": uri})


def _as_bytes(content: bytes | pd.DataFrame | Mapping[str, Any]) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, Mapping):
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    return spreadsheet.to_csv(content).encode()
