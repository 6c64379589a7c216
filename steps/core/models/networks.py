"""The networks trained by gradient descent: `(timesteps, features)` in, the probability of the positive class out.

They are built without a scaler (the engine feeds standardised trials); `with_scaler` puts the fold's
standardisation in front, so that the saved model takes trials in the units the user gave.

Every layer has a name: Keras would number them by how many its process has made before, and a fold's model would say
which folds were trained before it, on the same worker.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt

from steps.system.environment_variables import environment_variables

# Keras draws the seeds of layers from this range.
_SEEDS = (1, 10**9)
_WIDTH = 90  # of the table of an architecture


def build(name: str, timesteps: int, features: int, precision: str = "float32", seed: int | None = None) -> keras.Model:
    """A freshly initialised network for standardised trials.

    Args:
        name: ``cnn`` or ``cnn_wide``.
        timesteps: time points per trial.
        features: features per time point.
        precision: Keras's dtype policy of all layers but the last: ``float32``, ``mixed_bfloat16`` or
            ``mixed_float16``. Weights and probabilities are float32 in any case.
        seed: fixes initial weights and dropout, to what they are after ``keras.utils.set_random_seed``; but that seeds
            the interpreter's one generator, from which other threads draw, too. None leaves them to that generator.

    Returns:
        Model from ``(trials, timesteps, features)`` to ``(trials, 1)``, a probability.

    Raises:
        ValueError: unknown name.
    """
    inputs = keras.Input((timesteps, features), name="trial")
    seeds = _seeds(seed)
    given = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        if name == "cnn":
            x = _cnn(inputs, seeds)
        elif name == "cnn_wide":
            x = _cnn_wide(inputs, seeds)
        else:
            raise ValueError(f"unknown network {name!r}")
    finally:
        keras.config.set_dtype_policy(given)
    outputs = keras.layers.Dense(
        1, activation="sigmoid", name="probability", dtype="float32", kernel_initializer=_initial(seeds)
    )(x)
    return keras.Model(inputs, outputs, name=name)


def _seeds(seed: int | None) -> Iterator[int | None]:
    """A seed for each layer in turn."""
    generator = random.Random(seed)  # noqa: S311 - no secret
    while True:
        yield None if seed is None else generator.randint(*_SEEDS)


def _initial(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    """Keras's default, Glorot & Bengio 2010."""
    return keras.initializers.GlorotUniform(next(seeds))


def _cnn(x: keras.KerasTensor, seeds: Iterator[int | None]) -> keras.KerasTensor:
    """Two convolution blocks of 64, global average pooling, dense 64, dropout."""
    for name in ("conv1d", "conv1d_1"):
        x = keras.layers.Conv1D(
            64, 5, padding="same", activation="relu", kernel_initializer=_initial(seeds), name=name
        )(x)
    x = keras.layers.GlobalAveragePooling1D(name="global_average_pooling1d")(x)
    x = keras.layers.Dense(64, activation="relu", kernel_initializer=_initial(seeds), name="dense")(x)
    return keras.layers.Dropout(0.3, seed=next(seeds), name="dropout")(x)


def _cnn_wide(x: keras.KerasTensor, seeds: Iterator[int | None]) -> keras.KerasTensor:
    """Convolutions of 400, 100 and 300 with batch normalisation and dropout, then dense 450."""
    blocks = (("", 400, 3, 0.2, False), ("_1", 100, 7, 0.4, True), ("_2", 300, 3, 0.2, False))
    for number, filters, kernel, dropout, pool in blocks:
        x = keras.layers.Conv1D(
            filters,
            kernel,
            padding="same",
            use_bias=False,
            kernel_initializer=_initial(seeds),
            kernel_regularizer=keras.regularizers.L2(0.01),
            name=f"conv1d{number}",
        )(x)
        x = keras.layers.BatchNormalization(name=f"batch_normalization{number}")(x)
        x = keras.layers.ReLU(name=f"re_lu{number}")(x)
        if pool:
            x = keras.layers.MaxPooling1D(2, padding="same", name="max_pooling1d")(x)
        x = keras.layers.Dropout(dropout, seed=next(seeds), name=f"dropout{number}")(x)
    x = keras.layers.GlobalAveragePooling1D(name="global_average_pooling1d")(x)
    x = keras.layers.Dense(
        450,
        activation="relu",
        kernel_initializer=_initial(seeds),
        kernel_regularizer=keras.regularizers.L2(0.01),
        name="dense",
    )(x)
    return keras.layers.Dropout(0.3, seed=next(seeds), name="dropout_3")(x)


def with_scaler(network: keras.Model, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> keras.Model:
    """Put a fold's standardisation in front of a trained network.

    It is exact to float32 for whatever float32 holds, siemens and tesla included. Keras's own `Normalization` is not:
    it divides by no less than 1e-7, the square of a small scale is zero in float32, and a mean that is rounded to
    float32 is off by much where values lie far from zero.

    Args:
        network: model for standardised trials.
        mean: mean per feature, shape ``(features,)``.
        scale: standard deviation per feature, shape ``(features,)``, positive.

    Returns:
        Model for trials in the user's units; its layers share their weights with ``network``.
    """
    # Multiplying by a power of two rounds nothing, and brings any unit near 1; subtracting what is left of the mean
    # after that, in the second layer, makes up for its rounding in the first.
    unit = np.ldexp(1.0, np.clip(1 - np.frexp(scale)[1], -126, 126))
    centre = (mean * unit).astype(np.float32).astype(np.float64)
    divide = 1 / (scale * unit)
    inputs = keras.Input(network.input_shape[1:], name="trial")
    x = keras.layers.Rescaling(_per_feature(unit), _per_feature(-centre), name="centre")(inputs)
    rest = (centre - mean * unit) * divide
    x = keras.layers.Rescaling(_per_feature(divide), _per_feature(rest), name="standardise")(x)
    tensors = {id(network.inputs[0]): x}
    # Read before any layer is used a second time, which makes its input and output ambiguous.
    for layer, given, made in [(layer, layer.input, layer.output) for layer in network.layers[1:]]:
        several = isinstance(given, list)
        tensors[id(made)] = layer([tensors[id(t)] for t in given] if several else tensors[id(given)])
    return keras.Model(inputs, tensors[id(network.outputs[0])], name=network.name)


def _per_feature(values: npt.NDArray[np.float64]) -> list[list[list[float]]]:
    """As `Rescaling` takes them and a ``.keras`` file holds them, for ``(trials, timesteps, features)``.

    With fewer dimensions Keras would move them where a machine is set up for images with their channels first.
    """
    return [[[float(value) for value in values]]]


def architecture(model: keras.Model) -> str:
    """The architecture as a table: layers, shapes of their outputs, numbers of parameters.

    Keras makes it as wide as the terminal and cuts off what is wider; this one is the same with any terminal, or none.
    """
    lines: list[str] = []
    with environment_variables({"COLUMNS": str(_WIDTH)}):
        model.summary(print_fn=lines.append, line_length=_WIDTH)
    return "\n".join(lines) + "\n"
