"""The model for new people, as MLflow serves it.

It is written here as ``mlflow.pyfunc.save_model`` writes it (a test compares), but for a search of everything that is
installed, a quarter of a second, and for the names of this machine's folders.
"""

from __future__ import annotations

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

from steps.tracking.digests import digest_tags
from steps.tracking.models.fold_model import MODEL, PACKAGES, environment_files, log_saved, size_of

_LOADER = "mlflow.pyfunc.loaders.code_model"
_SCORER = "scorer.py"
_EXAMPLE, _REQUEST = "input_example.json", "serving_input_example.json"
_ARTIFACTS = {"network": "artifacts/network.keras", "training": "artifacts/training.json"}


class FinalModel:
    """All of the model but its network, so that little is left to do once that is trained."""

    def __init__(self, training: Mapping[str, Any]) -> None:
        """Write it to a folder of its own.

        Args:
            training: what it is trained on, as `training_summary` says; kept beside the network.
        """
        # The average trial: it also becomes the example request of `mlflow models serve`.
        example = np.asarray(training["mean"], dtype=np.float32)[np.newaxis]
        self._signature = _signature(example.shape[1:])
        self._training = json.dumps(training)
        self._scratch = tempfile.TemporaryDirectory()
        self._folder = Path(self._scratch.name) / MODEL
        for name, text in {
            _SCORER: Path(__file__).with_name(_SCORER).read_text(encoding="utf-8"),
            _ARTIFACTS["training"]: self._training,
            _EXAMPLE: json.dumps(example.tolist()),
            _REQUEST: json.dumps({"inputs": example.tolist()}),
            **environment_files(*PACKAGES, "pandas"),
        }.items():
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(text, encoding="utf-8")

    def log(self, run: Run, network: bytes) -> str:
        """Log the model to the run that made it, once, and return its URI.

        Args:
            run: the run.
            network: content of its ``.keras`` file, from ``(trials, timesteps, features)`` to ``(trials, 1)``.
        """

        def save(folder: Path, description: Model) -> None:
            self._folder.rename(folder)
            (folder / _ARTIFACTS["network"]).write_bytes(network)
            self._describe(description)
            description.model_size_bytes = size_of(folder)
            description.save(str(folder / "MLmodel"))

        tags = digest_tags({_ARTIFACTS["network"]: network, _ARTIFACTS["training"]: self._training})
        return f"models:/{log_saved(run, {}, save, tags)}"

    def _describe(self, description: Model) -> None:
        description.signature = self._signature
        description.saved_input_example_info = {
            "artifact_path": _EXAMPLE,
            "serving_input_path": _REQUEST,
            "type": "ndarray",
        }
        mlflow.pyfunc.add_to_model(
            description,
            loader_module=_LOADER,
            conda_env="conda.yaml",
            python_env="python_env.yaml",
            streamable=False,
            model_code_path=_SCORER,
            artifacts={name: {"path": path, "uri": path} for name, path in _ARTIFACTS.items()},
        )

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
