"""A network's output and its gradient, as functions that are compiled once and kept from fold to fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats

if TYPE_CHECKING:
    import tensorflow as tf

T = TypeVar("T")
Array = npt.NDArray[np.float64]
GradientFunction = Callable[[Floats], tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]]
"""Maps inputs ``(points, timesteps, features)`` to outputs ``(points,)`` and gradients like the inputs."""
OutputFunction = Callable[[Floats], Array]
"""Maps inputs ``(points, timesteps, features)`` to outputs ``(points,)``."""

# Time points of the inputs of a call, 128 trials of 101: more were measured to be no faster, and take more memory.
_TIME_POINTS = 128 * 101


class Functions:
    """The compiled functions of one network; each is made at its first use, and the weights may change in between.

    For another network they are made again, and the earlier ones are dropped.
    """

    def __init__(self, target: Literal[0, 1]) -> None:
        """Attribute the probability of class ``target``."""
        self._target = target
        self._model: Any = None
        self._made: dict[str, Any] = {}

    def gradient(self, model: Any) -> GradientFunction:
        """The probability of the target under ``model``, and its gradient."""
        return self._once("gradient", model, lambda: model_gradient(model, self._target))

    def output(self, model: Any) -> OutputFunction:
        """The probability of the target under ``model``."""
        return self._once("output", model, lambda: model_output(model, self._target))

    def _once(self, what: str, model: Any, make: Callable[[], T]) -> T:
        if model is not self._model:
            self._model, self._made = model, {}
        if what not in self._made:
            self._made[what] = make()
        made: T = self._made[what]
        return made


def model_gradient(model: Any, target: Literal[0, 1] = 1) -> GradientFunction:
    """The probability of ``target`` under a Keras model, in inference mode, and its gradient.

    Raises:
        ValueError: ``target`` is not 0 or 1.
    """
    if target not in (0, 1):
        raise ValueError(f"target is {target}, expected 0 or 1")
    import tensorflow as tf  # takes seconds to import

    def with_gradient(points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            positive = model(points, training=False)[:, 0]
            output = positive if target == 1 else 1.0 - positive
        # A sum's gradient is each point's own, because inference mixes no points.
        return output, tape.gradient(output, points)

    compiled = _for_any_number(with_gradient)

    def gradient(inputs: Floats) -> tuple[Floats, Floats]:
        output, slope = compiled(inputs)
        return output.numpy(), slope.numpy()

    return gradient


def model_output(model: Any, target: Literal[0, 1] = 1) -> OutputFunction:
    """The probability of ``target`` under a Keras model, in inference mode, without its gradient."""
    compiled = _for_any_number(lambda points: model(points, training=False)[:, 0])

    def output(inputs: Floats) -> Array:
        positive, chunk = np.empty(len(inputs)), inputs_per_call(inputs.shape[1])
        for start in range(0, len(inputs), chunk):
            positive[start : start + chunk] = compiled(inputs[start : start + chunk].astype(np.float32, copy=False))
        return positive if target == 1 else 1.0 - positive

    return output


def _for_any_number(function: Callable[[Any], Any]) -> Callable[[Floats], Any]:
    """A function of inputs ``(points, timesteps, features)``, compiled once for any number of points.

    Not by XLA, which would compile anew for every number, and on a CPU was measured to be no faster.
    """
    import tensorflow as tf

    compiled = tf.function(function)

    def call(inputs: Floats) -> Any:
        points = tf.convert_to_tensor(inputs)
        return compiled.get_concrete_function(tf.TensorSpec((None, *points.shape[1:]), points.dtype))(points)

    return call


def inputs_per_call(timesteps: int) -> int:
    """How many inputs of this length share a call of a network; the longer, the fewer."""
    return max(1, _TIME_POINTS // timesteps)


def outputs(gradient: GradientFunction, values: npt.NDArray[np.floating], chunk: int) -> Array:
    """The function itself, float64, shape ``(trials,)``."""
    parts = [
        gradient(values[start : start + chunk].astype(np.float32, copy=False))[0]
        for start in range(0, len(values), chunk)
    ]
    return np.concatenate(parts, dtype=np.float64) if parts else np.zeros(0)
