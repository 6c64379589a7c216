"""Networks: trials `(timesteps, features)` in the user's units in, the probability of the positive class out.

With a labelling a network says the whole label first, and the probability follows from that: so whoever asks for the
probability need not know of it, and `label_output` is there for those who do.

Every network is built with a scaler in front. It changes nothing until `set_scaler` gives it a fold's standardisation,
after fitting: what trains a network feeds it standardised trials, and needs `without_scaler` only.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from steps.core.data.labelling import Labelling
from steps.core.models.table import MODELS, named
from steps.system.environment_variables import environment_variables

Layers = Callable[[keras.KerasTensor], keras.KerasTensor]

OUTPUT: Final = "probability"
LABEL: Final = "label"
QUESTION: Final = "question"
RANK: Final = "rank"
AT_LEAST: Final = "at_least"
_CENTRE, _STANDARDISE = "centre", "standardise"
# Keras draws the seeds of layers from this range.
_SEEDS = (1, 10**9)
_WIDTH = 90  # of the table of an architecture


def build(
    name: str,
    timesteps: int,
    features: int,
    precision: str = "float32",
    seed: int | None = None,
    labelling: Labelling | None = None,
    *,
    ordinal: bool = False,
) -> keras.Model:
    """A freshly initialised network.

    Args:
        name: one of `MODELS`.
        timesteps: time points per trial.
        features: features per time point.
        precision: Keras's dtype policy of all layers but scaler and output: ``float32``, ``mixed_bfloat16`` or
            ``mixed_float16``. Weights and probabilities are float32 in any case.
        seed: as `drawn_anew`; None leaves initial weights and dropout to the interpreter's generator.
        labelling: of the study; with one the network has a layer that gives the label, too (`label_output`).
        ordinal: whether classes are levels of one rank (`set_levels`), or any.

    Returns:
        Model from ``(trials, timesteps, features)`` to ``(trials, 1)``, a probability.

    Raises:
        ValueError: unknown name.
    """
    if name not in MODELS:
        raise ValueError(f"unknown network {name!r}, expected one of {', '.join(MODELS)}")
    return assemble(name, named(MODELS[name].layers), timesteps, features, precision, seed, labelling, ordinal=ordinal)


def assemble(
    name: str,
    layers: Layers,
    timesteps: int,
    features: int,
    precision: str = "float32",
    seed: int | None = None,
    labelling: Labelling | None = None,
    *,
    ordinal: bool = False,
) -> keras.Model:
    """Scaler, ``layers`` and output, one after the other; the arguments are those of `build`."""

    def made() -> keras.Model:
        keras.config.set_dtype_policy(precision)
        inputs = keras.Input((timesteps, features), name="trial")
        x = layers(affine(_STANDARDISE)(affine(_CENTRE)(inputs)))
        return keras.Model(inputs, _outputs(x, labelling, ordinal=ordinal), name=name)

    # Keras has a dtype policy for each thread, and numbers the layers and operations without a name by how many the
    # thread has made before: in a thread of its own they are the same whatever else the process has built.
    with ThreadPoolExecutor(1) as thread:
        network = thread.submit(made).result()
    return network if seed is None else drawn_anew(network.get_config(), seed)


def _outputs(x: keras.KerasTensor, labelling: Labelling | None, *, ordinal: bool) -> keras.KerasTensor:
    """From the last hidden layer to the probability, by way of the label where there is more to it."""
    if labelling is None:
        return keras.layers.Dense(1, activation="sigmoid", name=OUTPUT, dtype="float32")(x)
    if not labelling.has_classes:
        score = keras.layers.Dense(1, name=LABEL, dtype="float32")(x)
        return keras.layers.Dense(1, activation="sigmoid", trainable=False, name=OUTPUT, dtype="float32")(score)
    if ordinal:
        rank = keras.layers.Dense(1, use_bias=False, name=RANK, dtype="float32")(x)
        at_least = keras.layers.Dense(
            labelling.width - 1, activation="sigmoid", trainable=False, name=AT_LEAST, dtype="float32"
        )(rank)
        classes = keras.layers.Dense(labelling.width, trainable=False, name=LABEL, dtype="float32")(at_least)
    else:
        classes = keras.layers.Dense(labelling.width, activation="softmax", name=LABEL, dtype="float32")(x)
    asked = keras.layers.Dense(1, use_bias=False, trainable=False, name=QUESTION, dtype="float32")(classes)
    # Probabilities of several classes may add up to a rounding error above 1.
    return keras.layers.ReLU(max_value=1.0, name=OUTPUT, dtype="float32")(asked)


def ask(network: keras.Model, labelling: Labelling) -> None:
    """Have the network of classes answer the question of a labelling: the sum over the classes it asks for."""
    network.get_layer(QUESTION).set_weights([labelling.asked.astype(np.float32)[:, np.newaxis]])


def set_levels(network: keras.Model, weights: npt.NDArray[np.float64], thresholds: npt.NDArray[np.float64]) -> None:
    """Give a network of levels its rank, and where on it the levels begin.

    Proportional odds (McCullagh 1980, J. R. Stat. Soc. B 42:109-142): a level is reached with the sigmoid of rank plus
    threshold, and the probability of a level is that it is reached less that the next one is.

    Args:
        network: built as ``ordinal``.
        weights: of the rank, shape ``(columns,)``.
        thresholds: of all levels but the lowest, falling, shape ``(levels - 1,)``.
    """
    steps = len(thresholds)
    network.get_layer(RANK).set_weights([weights[:, np.newaxis]])
    network.get_layer(AT_LEAST).set_weights([np.ones((1, steps)), thresholds])
    differences = np.eye(steps, steps + 1, 1) - np.eye(steps, steps + 1)
    network.get_layer(LABEL).set_weights([differences, np.eye(1, steps + 1)[0]])


def answer_from_score(network: keras.Model, slope: float, offset: float) -> None:
    """Have the network of a score answer the question by the sigmoid of ``slope * score + offset``."""
    network.get_layer(OUTPUT).set_weights([np.array([[slope]]), np.array([offset])])


def label_output(network: keras.Model) -> keras.Model:
    """The label that a network with a labelling gives, with the layers of ``network``.

    Returns:
        Model from ``(trials, timesteps, features)`` to ``(trials, classes)``, probabilities, or to ``(trials, 1)``, the
        score in its own units.
    """
    return keras.Model(network.input, network.get_layer(LABEL).output, name=f"{network.name}_label")


def drawn_anew(config: dict[str, Any], seed: int, kind: type[keras.Model] = keras.Model) -> keras.Model:
    """The network of a configuration, of this kind, with initial weights and dropout that follow from ``seed`` alone.

    Every initialiser and layer that has a seed gets one of its own. Keras's global seed would not do: it is that of the
    interpreter's one generator, from which other threads draw, too.
    """
    generator = random.Random(seed)  # noqa: S311 - no secret

    def reseeded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: generator.randint(*_SEEDS) if key == "seed" else reseeded(v) for key, v in value.items()}
        return [reseeded(part) for part in value] if isinstance(value, list) else value

    return kind.from_config(reseeded(config))


def affine(name: str) -> keras.layers.Layer:
    """A layer that gives each feature a factor and an offset (`set_affine`), 1 and 0 until then; it learns nothing."""
    return keras.layers.BatchNormalization(epsilon=0.0, trainable=False, dtype="float32", name=name)


def set_affine(layer: keras.layers.Layer, factor: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> None:
    """Set both of a layer from `affine`, shape ``(features,)``."""
    layer.set_weights([factor, offset, np.zeros_like(offset), np.ones_like(factor)])


def set_scaler(network: keras.Model, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> None:
    """Give a network the standardisation of the trials it was fitted on.

    It is exact to float32 for whatever float32 holds, siemens and tesla included. Keras's own `Normalization` is not:
    it divides by no less than 1e-7, the square of a small scale is zero in float32, and a mean that is rounded to
    float32 is off by much where values lie far from zero.

    Args:
        network: from `build`; takes trials in the user's units from now on.
        mean: mean per feature, shape ``(features,)``.
        scale: standard deviation per feature, shape ``(features,)``, positive.
    """
    # Multiplying by a power of two rounds nothing, and brings any unit near 1; subtracting what is left of the mean
    # after that, in the second layer, makes up for its rounding in the first.
    unit = np.ldexp(1.0, np.clip(1 - np.frexp(scale)[1], -126, 126))
    centre = (mean * unit).astype(np.float32).astype(np.float64)
    divide = 1 / (scale * unit)
    set_affine(network.get_layer(_CENTRE), unit, -centre)
    set_affine(network.get_layer(_STANDARDISE), divide, (centre - mean * unit) * divide)


def without_scaler(network: keras.Model, output: str = OUTPUT) -> keras.Model:
    """The network without its scaler, for standardised trials, up to a layer; it shares the layers of ``network``."""
    return keras.Model(network.get_layer(_STANDARDISE).output, network.get_layer(output).output, name=network.name)


def architecture(model: keras.Model) -> str:
    """The architecture as a table: layers, shapes of their outputs, numbers of parameters.

    Keras makes it as wide as the terminal and cuts off what is wider; this one is the same with any terminal, or none.
    """
    lines: list[str] = []
    with environment_variables({"COLUMNS": str(_WIDTH)}):
        model.summary(print_fn=lines.append, line_length=_WIDTH)
    return "\n".join(lines) + "\n"
