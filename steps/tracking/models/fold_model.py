"""A trained network as an MLflow model, written without TensorFlow.

The folds' processes hand over the bytes of ``.keras`` files; the process that records needs neither TensorFlow (seconds
to import) nor a model in memory. What is written is what ``mlflow.tensorflow.log_model`` writes; a test compares.
"""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import mlflow
import mlflow.pyfunc
import numpy as np
import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from steps.core.models.keras_file import as_bytes as as_bytes
from steps.tracking.spool import note_folder
from steps.tracking.store.artifact_places import repository

MODEL = "model"
# What loading a network needs.
PACKAGES = ("mlflow", "tensorflow", "keras", "numpy")
_KERAS_MODULE = "tensorflow.keras"


def log_network(
    run: Run,
    network: bytes,
    shape: tuple[int, int],
    params: Mapping[str, object],
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log a network to a run and return its model ID.

    Args:
        run: the run that made it.
        network: content of its ``.keras`` file.
        shape: of a trial, ``(timesteps, features)``.
        params: what the model was made with.
        tags: of the model.
    """
    return log_saved(run, params, lambda folder, description: write_model(folder, network, shape, description), tags)


def log_saved(
    run: Run,
    params: Mapping[str, object],
    save: Callable[[Path, Model], None],
    tags: Mapping[str, str] | None = None,
    model_type: str = "keras",
) -> str:
    """Log what ``save`` writes into an empty folder as the model of a run; returns the model's ID.

    Unlike ``log_model`` of MLflow's flavours it does not load the model to see whether that works: tests do.
    """
    client = MlflowClient()
    logged = client.create_logged_model(
        run.info.experiment_id,
        name=MODEL,
        source_run_id=run.info.run_id,
        params={name: str(value) for name, value in params.items()},
        tags=dict(tags or {}),
        model_type=model_type,
    )
    description = Model(artifact_path=logged.artifact_location, run_id=run.info.run_id, model_id=logged.model_id)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / MODEL
        save(folder, description)
        repository(logged.artifact_location, mlflow.get_tracking_uri()).log_artifacts(str(folder))
        note_folder(logged.model_id, folder)
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def write_model(folder: Path, network: bytes, shape: tuple[int, int], description: Model) -> None:
    """Write a model in MLflow's layout for Keras.

    Args:
        folder: made here.
        network: content of the ``.keras`` file.
        shape: of a trial, ``(timesteps, features)``.
        description: signature and flavours are added.
    """
    description.signature = _of(shape)
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "model.keras").write_bytes(network)
    (data / "keras_module.txt").write_text(_KERAS_MODULE, encoding="utf-8")
    (data / "save_format.txt").write_text("tf", encoding="utf-8")
    description.add_flavor(
        "tensorflow",
        code=None,
        data="data",
        model_type="keras",
        keras_version=importlib.metadata.version("tensorflow"),
        save_format="tf",
    )
    mlflow.pyfunc.add_to_model(
        description,
        loader_module="mlflow.tensorflow",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        data="data",
    )
    for name, text in environment_files(*PACKAGES).items():
        (folder / name).write_text(text, encoding="utf-8")
    description.model_size_bytes = size_of(folder)
    description.save(str(folder / "MLmodel"))


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@cache
def environment_files(*packages: str) -> dict[str, str]:
    """The files that say what to load a model with: these packages, at the versions it was made with."""
    requirements, build = model_requirements(*packages), [_installed(name) for name in ("pip", "setuptools", "wheel")]
    python = platform.python_version()
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", build[0].replace("==", "<="), {"pip": requirements}],
    }
    virtualenv = {"python": python, "build_dependencies": build, "dependencies": ["-r requirements.txt"]}
    return {
        "conda.yaml": yaml.safe_dump(conda),
        "python_env.yaml": yaml.safe_dump(virtualenv, sort_keys=False),
        "requirements.txt": "\n".join(requirements),
    }


def model_requirements(*packages: str) -> list[str]:
    """Requirements of these packages at the versions that are installed."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in packages]


def _installed(package: str) -> str:
    """A requirement of a package at its version; at any where it is not installed."""
    try:
        return f"{package}=={importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def _of(shape: tuple[int, int]) -> ModelSignature:
    floats = np.dtype(np.float32)
    return ModelSignature(
        inputs=Schema([TensorSpec(floats, (-1, *shape))]), outputs=Schema([TensorSpec(floats, (-1, 1))])
    )
