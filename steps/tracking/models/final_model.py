"""The final model, for new people, as MLflow serves it: network, what it was trained on, and a script that scores."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.entities import Run
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from steps.core.data.labelling import CLASS_COLUMN, SCORE, SCORE_COLUMN, Labelling, output_columns
from steps.core.data.normalise import SUBJECT
from steps.tracking.models.fold_model import PACKAGES, log_saved, model_requirements
from steps.tracking.models.loading import NETWORK_FILE, ONNX_FILE, TRAINING_FILE
from steps.tracking.store.digests import digest_tags

# What is to be said wherever a model of normalise=subject is described.
ONE_PERSON = (
    "A request is taken as the recordings of ONE person: at least 2, better 6 or more, of both classes. They are "
    "standardised by their own mean and standard deviation (normalise=subject), so what is sent together matters."
)
_SCORER = "scorer.py"


def log_final_model(run: Run, network: bytes, training: Mapping[str, Any]) -> str:
    """Log the final model to the run that made it and return its URI.

    Args:
        run: the run.
        network: content of its ``.keras`` file, from ``(trials, timesteps, features)`` to ``(trials, 1)``.
        training: the fields of `TrainingReference`; kept beside the network.
    """
    return _log(run, NETWORK_FILE, network, training, model_requirements(*PACKAGES, "pandas"))


def log_onnx_model(run: Run, network: bytes, training: Mapping[str, Any]) -> str:
    """Log a final model that answers the same and needs neither TensorFlow nor Keras; returns its URI.

    Args:
        run: the run.
        network: content of an ONNX file (`steps.core.models.onnx_file.as_onnx`).
        training: the fields of `TrainingReference`; kept beside the network.
    """
    return _log(run, ONNX_FILE, network, training, model_requirements("mlflow", "numpy", "onnxruntime", "pandas"))


def _log(run: Run, file: str, network: bytes, training: Mapping[str, Any], requirements: list[str]) -> str:
    files = {"network": file, "training": TRAINING_FILE}
    contents = {"network": network, "training": json.dumps(training).encode()}
    # The average trial: it also becomes the example request of `mlflow models serve`.
    example = np.asarray(training["mean"], dtype=np.float32)[np.newaxis]
    of_one_person = training.get("normalise") == SUBJECT
    if of_one_person:  # who is one trial too few
        spread = np.asarray(training["sd"], dtype=np.float32)
        example = np.concatenate([example - spread, example + spread])

    def save(folder: Path, description: Model) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in contents.items():
                (Path(scratch) / Path(files[name]).name).write_bytes(content)
            mlflow.pyfunc.save_model(
                folder,
                python_model=str(Path(__file__).with_name(_SCORER)),
                artifacts={name: str(Path(scratch) / Path(path).name) for name, path in files.items()},
                signature=_signature(example.shape[1:], training.get("labelling")),
                input_example=example,
                pip_requirements=requirements,
                mlflow_model=description,
                metadata={"request": ONE_PERSON} if of_one_person else None,
            )
        # MLflow notes where it found the files; folders of this machine mean nothing to others, and are not theirs.
        flavor = description.flavors[mlflow.pyfunc.FLAVOR_NAME]
        flavor["artifacts"] = {name: {"path": path, "uri": path} for name, path in files.items()}
        flavor["model_code_path"] = _SCORER
        description.save(str(folder / "MLmodel"))

    tags = digest_tags({files[name]: contents[name] for name in files})
    return f"models:/{log_saved(run, {}, save, tags, Path(file).suffix[1:])}"


def _signature(shape: tuple[int, ...], labelling: Mapping[str, Any] | None = None) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, *shape))]),
        outputs=Schema(
            [
                ColSpec(DataType.double, "probability"),
                ColSpec(DataType.long, "decision"),
                ColSpec(DataType.double, "distance"),
                ColSpec(DataType.long, "unusual"),
                *_label_columns(labelling),
                ColSpec(DataType.string, "answer", required=False),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("threshold", DataType.double, 0.5),
                ParamSpec("error_rate", DataType.double, 0.0),
                # What a request may say of its columns and of its time.
                ParamSpec("features", DataType.string, [], (-1,)),
                ParamSpec("units", DataType.string, [], (-1,)),
                ParamSpec("sampling_rate", DataType.double, 0.0),
            ]
        ),
    )


def _label_columns(labelling: Mapping[str, Any] | None) -> list[ColSpec]:
    """What a model of whole labels says of them."""
    if not labelling:
        return []
    if labelling["kind"] == SCORE:
        return [ColSpec(DataType.double, SCORE_COLUMN)]
    columns = output_columns(Labelling.model_validate(labelling))
    return [*(ColSpec(DataType.double, name) for name in columns), ColSpec(DataType.string, CLASS_COLUMN)]
