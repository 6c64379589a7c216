"""The networks of a training's folds, one after the other in one process.

Folds differ in their values alone: weights, and the scaler's numbers. So a process keeps one network, with
all that TensorFlow has compiled for it, and gives it the values of the next fold.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from steps.commands import command
from steps.core.models import keras_file
from steps.errors import UserError

if TYPE_CHECKING:
    import keras

# Values that a Keras layer may have been given; it keeps them in its configuration and not among its weights.
_GIVEN = {"Rescaling": ("scale", "offset"), "Normalization": ("mean", "variance")}
# What a configuration says that is nothing of how the network is built.
_INCIDENTAL = ("seed", "shared_object_id")


def read_network(content: bytes, name: str) -> keras.Model:
    """A fold's network.

    It is read in Keras's safe mode: nothing is unpickled and no code comes with it.

    Args:
        content: of its ``.keras`` file.
        name: of the fold, for the error.

    Raises:
        UserError: it is no network, or holds code.
    """
    with _blaming(name):
        return keras_file.load(content)


class ResidentNetwork:
    """A network that is given the values of one fold after the other.

    As long as the folds' networks are built alike it is one and the same object, whose compiled functions stay valid.
    """

    def __init__(self) -> None:
        self._network: keras.Model | None = None
        self._built = ""
        self._layers: list[keras.layers.Layer] = []
        self._places: list[str] = []

    def load(self, content: bytes, name: str, shape: tuple[int, int] | None = None) -> keras.Model:
        """The network with the values of a fold; what it had before is gone.

        The other arguments and the errors are those of `read_network`. Of a file whose network is built like one that
        was read in safe mode, nothing but numbers is used.

        Args:
            content: of its ``.keras`` file.
            name: of the fold.
            shape: of the trials it is for, ``(timesteps, features)``; with it a network that does not make one
                probability of each is refused.
        """
        with _blaming(name):
            file = keras_file.look_through(content)
            design = _Design.of(file.config)
            if self._network is None or design.built != self._built:
                network = keras_file.load(content)
                if shape:
                    keras_file.try_out(network, shape)
                _make_changeable(network)
                self._network, self._built = network, design.built
                self._layers = [self._network.get_layer(layer) for layer in design.names]
                self._places = _places(self._network)
                return self._network
            self._network.set_weights(_weights(file.weights, self._network, self._places))
            for layer, given in zip(self._layers, design.given, strict=True):
                for part, value in given.items():
                    own = getattr(layer, part)
                    own.assign(np.asarray(value, np.float32).reshape(own.shape))
            return self._network


def copy_of(network: keras.Model) -> keras.Model:
    """A network that is built like this one and has its values, but its own variables."""
    import keras

    copy = keras.models.clone_model(network)
    _make_changeable(copy)
    for own, other in zip(copy.variables, network.variables, strict=True):
        own.assign(other)
    for layer, source in zip(copy.layers, network.layers, strict=True):
        for part in _GIVEN.get(type(layer).__name__, ()):
            getattr(layer, part).assign(getattr(source, part))
    return copy


def _make_changeable(network: keras.Model) -> None:
    """Hold given values in variables: a compiled function would take them for constants."""
    import tensorflow as tf

    for layer in network.layers:
        for part in _GIVEN.get(type(layer).__name__, ()):
            setattr(layer, part, tf.Variable(np.asarray(getattr(layer, part), np.float32), trainable=False))


def _places(network: keras.Model) -> list[str]:
    """Where in the ``.keras`` file each of the network's weights is.

    Keras's own loading works this out for every file anew, which takes ten times as long as reading the numbers.
    """
    import h5py

    own = network.get_weights()
    places = [""] * len(own)

    def look(place: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f":  # seeds of dropout are whole numbers
            places[int(entry[()].flat[0])] = place

    network.set_weights([np.full(weights.shape, number) for number, weights in enumerate(own)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbered.weights.h5"
        network.save_weights(path)
        with h5py.File(path) as file:
            file.visititems(look)
    network.set_weights(own)
    return places


def _weights(content: bytes, network: keras.Model, places: list[str]) -> list[npt.NDArray[np.floating]]:
    import h5py

    found = []
    with h5py.File(io.BytesIO(content)) as file:
        for own, place in zip(network.weights, places, strict=True):
            entry = file[place]
            if entry.shape != tuple(own.shape):
                raise ValueError(f"{place} is not {tuple(own.shape)} numbers")
            found.append(entry[()])
    return found


@dataclass(frozen=True)
class _Design:
    """What a ``.keras`` file says of its network.

    Attributes:
        built: how it is built, as text: equal for networks that differ in values only.
        names: of its layers.
        given: values that each layer was given, by the names of `_GIVEN`.
    """

    built: str
    names: list[str]
    given: list[dict[str, Any]]

    @classmethod
    def of(cls, config: dict[str, Any]) -> _Design:
        """From the content of ``config.json``; nothing of it is run."""
        layers = config["config"]["layers"]
        names = [str(layer["name"]) for layer in layers]
        given = [{part: layer["config"].pop(part) for part in _GIVEN.get(layer["class_name"], ())} for layer in layers]

        def built(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: built(part) for key, part in value.items() if key not in _INCIDENTAL}
            if isinstance(value, list):
                return [built(part) for part in value]
            return value

        return cls(json.dumps(built(config), sort_keys=True), names, given)


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Whatever goes wrong inside the block is the fault of a fold's file."""
    try:
        yield
    # A configuration may hold anything in the place of anything.
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise UserError(
            f"cannot load the model of fold {name}: {reason}; train again: {command('train')} (main: reuse=false)"
        ) from error
