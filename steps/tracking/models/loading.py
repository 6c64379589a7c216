"""Loading the final model without running anything that came with it.

`mlflow.pyfunc.load_model` runs the script inside the model. Here only two files are read: the network, in Keras's safe
mode and after a look at its parts, and `training.json`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import yaml
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from steps.core.data.training_reference import TrainingReference
from steps.core.models import keras_file
from steps.errors import UserError
from steps.system.fetched import Copy, at_hand
from steps.system.source_address import DIGEST, is_address, split_digest
from steps.tracking.models.registry import ModelReference
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.digests import check_digest
from steps.tracking.store.trouble import one_line

if TYPE_CHECKING:
    import keras

_DESCRIPTION = "MLmodel"
NETWORK_FILE, TRAINING_FILE = "artifacts/network.keras", "artifacts/training.json"
ONNX_FILE = "artifacts/network.onnx"
# Keras's own layers that lead to code or to other files.
_CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


@dataclass(frozen=True)
class FinalModel:
    """A final model's files: the network as it was saved, and what it was trained on."""

    reference: ModelReference
    archive: bytes
    training: TrainingReference


def fetch(reference: ModelReference) -> FinalModel:
    """The two files of a final model, checked.

    Raises:
        UserError: a file is missing or malformed, the network holds code, or it cannot be fetched from its address.
    """
    if any(name.endswith(ONNX_FILE) for name in reference.digests):
        raise UserError(
            f"{reference.uri} is a model as ONNX, made by export for `mlflow models serve`; name the one that it was "
            "made of: the tag model_uri of its run"
        )
    with _at_hand(reference) as found:
        contents = [_read(found, name) for name in (NETWORK_FILE, TRAINING_FILE)]
    return checked(replace(found, location=reference.location), *contents)


def checked(reference: ModelReference, archive: bytes, training: bytes) -> FinalModel:
    """A final model from the content of its two files, checked as far as that goes without TensorFlow.

    Raises:
        UserError: a file is malformed or not the one that was recorded, or the network holds code.
    """
    for name, content in ((NETWORK_FILE, archive), (TRAINING_FILE, training)):
        check_digest(
            reference.digests, name, content, reference.uri, "restore it from a copy, or train and register it again"
        )
    try:
        trained = TrainingReference.model_validate_json(training)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{TRAINING_FILE} of {reference.uri} does not say what the model was trained on: {where} {first['msg']}; "
            "train and register it again"
        ) from error
    _refuse_code(archive, reference.uri)
    return FinalModel(reference, archive, trained)


def signature(reference: ModelReference) -> dict[str, object]:
    """What MLflow says goes into a model and comes out: ``inputs``, ``outputs``, ``params``, each as MLflow spells it.

    Raises:
        UserError: the model does not say it.
    """
    with _at_hand(reference) as found:
        text = _read(found, _DESCRIPTION)
    try:
        found = yaml.safe_load(text)["signature"]
        return {name: json.loads(found[name]) for name in ("inputs", "outputs", "params")}
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{_DESCRIPTION} of {reference.uri} names no signature ({one_line(error)}); train and register it again"
        ) from error


def load_network(model: FinalModel) -> keras.Model:
    """The network of a final model, for inference.

    Raises:
        UserError: Keras refuses it, or it takes other trials than `training.json` says.
    """
    uri = model.reference.uri
    try:
        network = keras_file.load(model.archive)
    except keras_file.NotAKerasFileError as error:
        raise UserError(f"cannot load {NETWORK_FILE} of {uri}: {error}; train and register it again") from error
    shapes = (tuple(network.input_shape[1:]), tuple(network.output_shape[1:]))
    if shapes != (model.training.shape, (1,)):
        raise UserError(
            f"the network of {uri} maps {shapes[0]} to {shapes[1]}, but its {TRAINING_FILE} says "
            f"{model.training.shape} (timesteps, features) to (1,)"
        )
    try:
        keras_file.try_out(network, model.training.shape)
    except keras_file.NotAKerasFileError as error:
        raise UserError(f"{NETWORK_FILE} of {uri} does not work: {error}; train and register it again") from error
    return network


@contextmanager
def _at_hand(reference: ModelReference) -> Iterator[ModelReference]:
    """Inside the block, a model that lies at an address is a folder of this machine; its URI says which it is."""
    if not is_address(reference.uri):
        yield reference
        return
    with at_hand(reference.uri, called="model_uri") as here:
        named, _ = split_digest(reference.uri)
        digest = here.fetched.sha256 if isinstance(here, Copy) else ""
        yield replace(reference, uri=f"{named}{DIGEST}{digest}", location=Path(here.path).as_uri())


def _read(reference: ModelReference, name: str) -> bytes:
    uri, store = reference.uri, reference.tracking_uri or mlflow.get_tracking_uri()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            # Not mlflow.artifacts: it takes the file's path behind models:/m-... for a version.
            files = repository(reference.location or uri, store)
            path = files.download_artifacts(name, scratch)
            return keras_file.read(Path(path))
        except StoreError:
            raise
        except keras_file.NotAKerasFileError as error:
            raise UserError(f"{uri} is not a final model of this project: {error}") from error
        except (MlflowException, OSError) as error:
            raise UserError(
                f"{uri} is not a final model of this project: it holds no {name} ({one_line(error)})"
            ) from error


def _refuse_code(archive: bytes, uri: str) -> None:
    """Look through a ``.keras`` archive for anything but Keras's own layers."""
    try:
        config = keras_file.look_through(archive).config
    except keras_file.NotAKerasFileError as error:
        reason = f"{error}; train and register it again"
        raise UserError(f"{NETWORK_FILE} of {uri} is not a Keras model: {reason}") from error
    for part in _parts(config):
        module, kind = str(part.get("module") or "keras"), str(part["class_name"])
        package, registered = module.split(".")[0], str(part.get("registered_name") or "")
        if kind in _CODE or package not in ("keras", "builtins") or ">" in registered:
            named = ascii(registered or f"{module}.{kind}")[1:-1][:200]
            raise UserError(
                f"{NETWORK_FILE} of {uri} holds {named}, which can run code of its own; expected layers of Keras only"
            )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every object in a Keras configuration."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)
