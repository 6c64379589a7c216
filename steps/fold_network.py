"""The networks of a training's folds, one after the other in one process.

Folds differ in their values alone: weights, and the scaler's mean and variance. So a process keeps one network, with
all that TensorFlow has compiled for it, and gives it the values of the next fold.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.errors import UserError

if TYPE_CHECKING:
    import keras

# Values that a Keras layer may have been given, and then keeps outside its weights.
_GIVEN = {"Normalization": ("mean", "variance")}


def read_network(content: bytes, name: str) -> keras.Model:
    """A fold's network.

    It is read in Keras's safe mode: nothing is unpickled and no code comes with it.

    Args:
        content: of its ``.keras`` file.
        name: of the fold, for the error.

    Raises:
        UserError: it is no network, or holds code.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"cannot load the model of fold {name}: {reason}") from error


class ResidentNetwork:
    """A network that is given the values of one fold after the other.

    As long as the folds' networks are built alike it is one and the same object, whose compiled functions stay valid.
    """

    def __init__(self) -> None:
        self._network: keras.Model | None = None
        self._design = ""

    def load(self, content: bytes, name: str) -> keras.Model:
        """The network with the values of a fold; what it had before is gone.

        The arguments and errors are those of `read_network`.
        """
        read = read_network(content, name)
        design = _design(read)
        if self._network is None or design != self._design:
            _make_changeable(read)
            self._network, self._design = read, design
        else:
            _give(self._network, read)
        return self._network


def copy_of(network: keras.Model) -> keras.Model:
    """A network that is built like this one and has its values, but its own variables."""
    import keras

    copy = keras.models.clone_model(network)
    _make_changeable(copy)
    _give(copy, network)
    return copy


def _give(network: keras.Model, source: keras.Model) -> None:
    """Give a changeable network the values of another that is built alike."""
    for own, other in zip(network.variables, source.variables, strict=True):
        own.assign(other)
    for own, other in zip(network.layers, source.layers, strict=True):
        for name in _GIVEN.get(type(own).__name__, ()):
            getattr(own, name).assign(getattr(other, name))


def _make_changeable(network: keras.Model) -> None:
    """Hold given values in variables: a compiled function would take them for constants."""
    import tensorflow as tf

    for layer in network.layers:
        for name in _GIVEN.get(type(layer).__name__, ()):
            setattr(layer, name, tf.Variable(getattr(layer, name), trainable=False))


def _design(network: keras.Model) -> str:
    """How a network is built, as text: equal for networks that differ in values and in names of layers."""
    config: dict[str, Any] = network.get_config()
    for layer in config["layers"]:
        for name in _GIVEN.get(layer["class_name"], ()):
            layer["config"][name] = None
    text = json.dumps(config, sort_keys=True, default=str)
    for place, layer in enumerate(network.layers):
        text = text.replace(json.dumps(layer.name), json.dumps(f"layer {place}"))
    return text
