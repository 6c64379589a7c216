"""The model for new people, as MLflow serves it."""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import mlflow.pyfunc
import numpy as np
from mlflow.entities import Run
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from steps.tracking.keras_model import log_saved, model_requirements, size_of


class DeployableModel:
    """All of the model but its network, so that little is left to do once that is trained.

    MLflow needs a quarter of a second for the first model of a process: it looks through everything that is installed.
    """

    def __init__(self, training: Mapping[str, Any]) -> None:
        """Write it to a folder of its own.

        Args:
            training: what it is trained on, as `steps.train.deployable.training_summary` says; kept beside the network.
        """
        # The average trial: it also becomes the example request of `mlflow models serve`.
        example = np.asarray(training["mean"], dtype=np.float32)[np.newaxis]
        self._scratch = tempfile.TemporaryDirectory()
        network, summary = (Path(self._scratch.name) / name for name in ("network.keras", "training.json"))
        network.touch()
        summary.write_text(json.dumps(training), encoding="utf-8")
        self._folder, self._description = Path(self._scratch.name) / "model", Model()
        mlflow.pyfunc.save_model(
            self._folder,
            python_model=str(Path(__file__).with_name("scorer.py")),
            artifacts={"network": str(network), "training": str(summary)},
            signature=_signature(example.shape[1:]),
            input_example=example,
            pip_requirements=[*model_requirements(), f"pandas=={importlib.metadata.version('pandas')}"],
            mlflow_model=self._description,
        )

    def log(self, run: Run, network: bytes) -> str:
        """Log the model to the run that made it, once, and return its URI.

        Args:
            run: the run.
            network: content of its ``.keras`` file, from ``(trials, timesteps, features)`` to ``(trials, 1)``.
        """

        def save(folder: Path, description: Model) -> None:
            self._folder.rename(folder)
            (folder / "artifacts" / "network.keras").write_bytes(network)
            for name in ("artifact_path", "run_id", "model_id", "utc_time_created"):
                setattr(self._description, name, getattr(description, name))
            self._description.model_size_bytes = size_of(folder)
            self._description.save(str(folder / "MLmodel"))

        return f"models:/{log_saved(run, {}, save)}"

    def close(self) -> None:
        """Remove what is left in this machine's temporary folder."""
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _signature(shape: tuple[int, ...]) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *shape))]),
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
