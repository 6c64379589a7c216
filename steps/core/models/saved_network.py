"""The networks of a training's folds, one after the other in one process.

Folds differ in their weights alone. So a process keeps one network, with all that TensorFlow has compiled for it, and
gives it the weights of the next fold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.core.models import keras_file
from steps.errors import UserError

if TYPE_CHECKING:
    import keras

# Entries of a configuration that do not describe how the network is built.
_INCIDENTAL = ("seed", "shared_object_id")


class ResidentNetwork:
    """A network that is given the weights of one fold after the other.

    As long as the folds' networks are built alike it is one and the same object, whose compiled functions stay valid.
    """

    def __init__(self) -> None:
        self._network: keras.Model | None = None
        self._built: Any = None

    def load(self, content: bytes, name: str, shape: tuple[int, int] | None = None) -> keras.Model:
        """The network with the weights of a fold; what it had before is gone.

        It is read in Keras's safe mode: nothing is unpickled and no code comes with it. Of a file whose network is
        built like the one before, nothing but numbers is used.

        Args:
            content: of its ``.keras`` file.
            name: of the fold, for the error.
            shape: of the trials it is for, ``(timesteps, features)``; with it a network that does not make one
                probability of each is refused.

        Raises:
            UserError: it is no network, or holds code.
        """
        with _blaming(name):
            file = keras_file.look_through(content)
            built = _without_incidentals(file.config)
            if self._network is None or built != self._built:
                network = keras_file.load(content)
                if shape:
                    keras_file.try_out(network, shape)
                self._network, self._built = network, built
            else:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "model.weights.h5"
                    path.write_bytes(file.weights)
                    self._network.load_weights(path)
            return self._network


def copy_of(network: keras.Model) -> keras.Model:
    """A network that is built like this one and has its weights, but its own variables."""
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    return copy


def _without_incidentals(config: Any) -> Any:
    """How a network is built, from the content of ``config.json``: equal for networks that differ in weights only."""
    if isinstance(config, dict):
        return {key: _without_incidentals(part) for key, part in config.items() if key not in _INCIDENTAL}
    return [_without_incidentals(part) for part in config] if isinstance(config, list) else config


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Report any error inside the block as one of the fold's file."""
    try:
        yield
    except Exception as error:  # whatever Keras, TensorFlow and HDF5 make of a file that they did not write
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise UserError(
            f"cannot load the model of fold {name}: {reason}; train again (from main with reuse=false)"
        ) from error
