"""Writing the record: batches of metrics, files, figures, tables, models."""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from steps.tracking.environment import environment_tags

if TYPE_CHECKING:
    import keras
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


# MLflow refuses larger batches.
_METRICS_PER_BATCH, _PARAMS_PER_BATCH, _TAGS_PER_BATCH = 1000, 100, 100
MODEL = "model"


def log(
    run_id: str,
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Log parameters, tags and metrics of one run in as few calls as MLflow allows."""
    now = time.time_ns() // 1_000_000
    log_points(run_id, [Metric(name, float(value), now, 0) for name, value in (metrics or {}).items()])
    client = MlflowClient()
    for batch in _batches([Param(k, str(v)) for k, v in (params or {}).items()], _PARAMS_PER_BATCH):
        client.log_batch(run_id, params=batch)
    for batch in _batches([RunTag(k, str(v)) for k, v in (tags or {}).items()], _TAGS_PER_BATCH):
        client.log_batch(run_id, tags=batch)


def log_points(run_id: str, points: Sequence[Metric]) -> None:
    """Log metric points with their own steps and time stamps."""
    for batch in _batches(points, _METRICS_PER_BATCH):
        MlflowClient().log_batch(run_id, metrics=batch)


def update_metrics(run: Run, metrics: Mapping[str, float]) -> None:
    """Set metrics of a finished run; values it holds already are left alone, so nothing is doubled."""
    client = MlflowClient()
    current = client.get_run(run.info.run_id).data.metrics
    log(run.info.run_id, metrics={k: v for k, v in metrics.items() if current.get(k) != v})


def log_table(run_id: str, frame: pd.DataFrame, name: str, *, index: bool = False) -> None:
    """Log a table as CSV."""
    MlflowClient().log_text(run_id, frame.to_csv(index=index, lineterminator="\n"), name)


def log_json(run_id: str, content: Mapping[str, Any], name: str) -> None:
    """Log strict JSON: not-a-number is refused."""
    MlflowClient().log_text(run_id, json.dumps(content, indent=2, allow_nan=False) + "\n", name)


def log_figure(run_id: str, figure: Figure, name: str) -> None:
    """Log a figure; the suffix of ``name`` picks the format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        figure.savefig(path, dpi=150)
        MlflowClient().log_artifact(run_id, str(path), str(Path(name).parent) if "/" in name else None)


def describe(run_id: str, markdown: str) -> None:
    """Set the run's description, which MLflow renders as Markdown."""
    MlflowClient().set_tag(run_id, MLFLOW_RUN_NOTE, markdown)


def log_dataset_input(manifest: Described, uri: str, context: str) -> None:
    """Log a dataset as an input of the active run."""
    if RunsArtifactRepository.is_runs_uri(uri):
        uri = RunsArtifactRepository.get_underlying_uri(uri)
    with warnings.catch_warnings():
        # MLflow registers its local source twice and then warns that it cannot tell the two apart.
        warnings.filterwarnings(
            "ignore", message="The specified dataset source can be interpreted", category=UserWarning
        )
        try:
            source = mlflow.data.dataset_source_registry.resolve_dataset_source(uri)
        except MlflowException:  # MLflow has no source type for artifacts that its server hands out
            source = CodeDatasetSource({"dataset_uri": uri})
    # MLflow's column holds 36 characters; the whole digest is in dataset.json and in the run's tag.
    dataset = MetaDataset(source, name=f"fear-{Path(manifest.source).stem}", digest=manifest.digest[:32])
    mlflow.log_input(dataset, context=context)


@contextmanager
def child_run(parent_run_id: str, experiment_id: str, name: str, tags: Mapping[str, object]) -> Iterator[Run]:
    """A run nested under ``parent_run_id``, active inside the block, also in another process than the parent's."""
    nested = {MLFLOW_PARENT_RUN_ID: parent_run_id, MLFLOW_RUN_NAME: name}
    texts = {k: str(v) for k, v in {**environment_tags(), **tags, **nested}.items()}
    run_id = MlflowClient().create_run(experiment_id, tags=texts, run_name=name).info.run_id
    with mlflow.start_run(run_id=run_id, nested=True) as run:
        yield run


def log_keras_model(model: keras.Model) -> str:
    """Log a Keras model to the active run and return its URI.

    Signature and requirements are given, because inferring them takes half a minute per model.
    """
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.input_shape[1:]))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.output_shape[1:]))]),
    )
    info = mlflow.tensorflow.log_model(model, name=MODEL, signature=signature, pip_requirements=model_requirements())
    return str(info.model_uri)


def log_deployable_model(model: keras.Model, training: Mapping[str, Any]) -> str:
    """Log the model for new people to the active run and return its URI.

    Args:
        model: from ``(trials, timesteps, features)`` to ``(trials, 1)``.
        training: what it was trained on, as `steps.train.deployable.training_summary` says; kept beside the network.
    """
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *model.input_shape[1:]))]),
        outputs=Schema(
            [
                ColSpec(DataType.double, "probability"),
                ColSpec(DataType.long, "decision"),
                ColSpec(DataType.double, "distance"),
                ColSpec(DataType.long, "unusual"),
            ]
        ),
        params=ParamSchema([ParamSpec("threshold", DataType.double, 0.5)]),
    )
    with tempfile.TemporaryDirectory() as folder:
        network, summary = Path(folder) / "network.keras", Path(folder) / "training.json"
        model.save(network)
        summary.write_text(json.dumps(training), encoding="utf-8")
        info = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=str(Path(__file__).with_name("scorer.py")),
            artifacts={"network": str(network), "training": str(summary)},
            signature=signature,
            # The average trial: it also becomes the example request of `mlflow models serve`.
            input_example=np.asarray(training["mean"], dtype=np.float32)[np.newaxis],
            pip_requirements=[*model_requirements(), f"pandas=={importlib.metadata.version('pandas')}"],
        )
    return str(info.model_uri)


def model_requirements() -> list[str]:
    """What loading a model needs, at the versions it was made with."""
    packages = ("mlflow", "tensorflow", "keras", "numpy")
    return [f"{name}=={importlib.metadata.version(name)}" for name in packages]


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
