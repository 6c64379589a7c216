"""The frozen front of ``soft_minirocket``: MiniRocket's convolutions with a proportion one can differentiate.

MiniRocket (Dempster, Schmidt & Webb 2021, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time
Series Classification", KDD, https://doi.org/10.1145/3447548.3467231) convolves a series with 84 kernels of nine
weights, six of -1 and three of 2, at several dilations, and keeps the proportion of time points at which the
convolution exceeds a threshold. Kernels sum over random subsets of features; thresholds are quantiles of
convolutions of training trials.

Counting has no gradient, so here a time point counts by a ramp: 0 below the threshold, 1 above, linear within
half a ramp on either side. As ramps get narrow the proportions become MiniRocket's. Convolutions stay within the
trial (no padding), so no feature is made of zeros that nobody recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from steps.core.data.dataset import Floats
from steps.core.models import networks

LENGTH: Final = 9
KERNELS: Final = 84
_GOLDEN = (5**0.5 + 1) / 2
_CHUNK = 128  # trials per forward pass; bounds the memory
_MOST_FEATURES = 9  # that one kernel sums over
STANDARDISED = "standardise_proportions"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftMiniRocket:
    """What is fixed before any trial is seen.

    Attributes:
        thresholds_per_kernel: over all dilations; with them the number of proportions is 84 times this, or 84 per
            dilation if there are more dilations.
        most_dilations: of them there are at most so many.
        ramp: width of the ramp, in standard deviations of the kernel's convolution.
        calibration_trials: at most so many training trials, drawn at random, give the quantiles.
        mixed: whether a kernel weighs its features by normal random numbers, or adds them.
        prefix: of the names of its layers, where a network has several.
    """

    thresholds_per_kernel: int = 24
    most_dilations: int = 32
    ramp: float = 2.0
    calibration_trials: int = 128
    mixed: bool = False
    prefix: str = ""

    def layers(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """From standardised trials ``(trials, timesteps, features)`` to proportions ``(trials, proportions)``.

        `Front` gives the layers their weights.
        """
        outputs, prefix = [], self.prefix
        steps = self.dilations(x.shape[1])
        for step in steps:
            y = keras.layers.Conv1D(
                KERNELS,
                LENGTH,
                dilation_rate=step,
                use_bias=False,
                trainable=False,
                name=f"{self.prefix}kernels_{step}",
            )(x)
            y = keras.layers.DepthwiseConv1D(
                1, depth_multiplier=self.per_dilation(steps), trainable=False, name=f"{self.prefix}thresholds_{step}"
            )(y)
            y = keras.layers.ReLU(max_value=1.0, name=f"{self.prefix}ramps_{step}")(y)
            outputs.append(keras.layers.GlobalAveragePooling1D(name=f"{self.prefix}proportions_{step}")(y))
        joined = outputs[0] if len(outputs) == 1 else keras.layers.Concatenate(name=f"{prefix}proportions")(outputs)
        return networks.affine(self.prefix + STANDARDISED)(joined)

    def dilations(self, timesteps: int) -> list[int]:
        """Distances between the weights of its kernels, for trials of this length."""
        return dilations(timesteps, min(self.most_dilations, self.thresholds_per_kernel))

    def per_dilation(self, steps: list[int]) -> int:
        """Thresholds of a kernel at each of its dilations."""
        return max(1, round(self.thresholds_per_kernel / len(steps)))


class Front:
    """The front of a network that is there; it can be fitted again and again."""

    def __init__(self, network: keras.Model, design: SoftMiniRocket) -> None:
        """Take hold of the layers that ``design`` has made in ``network``; its scaler still changes nothing."""
        self._design = design
        first = network.get_layer(f"{design.prefix}kernels_1")  # there is always a distance of 1
        self._steps = design.dilations(first.input.shape[1])
        self._kernels = [network.get_layer(f"{design.prefix}kernels_{step}") for step in self._steps]
        self._thresholds = [network.get_layer(f"{design.prefix}thresholds_{step}") for step in self._steps]
        self._standardised = network.get_layer(design.prefix + STANDARDISED)
        self._convolutions = compiled(network, [layer.output for layer in self._kernels])
        self._proportions = compiled(network, self._standardised.input)

    def fit(self, trials: Floats, seed: int) -> Array:
        """Draw the kernels' features and take thresholds, ramps and standardisation from training trials.

        Args:
            trials: standardised training trials ``(trials, timesteps, features)``.
            seed: decides which features each kernel sums over and which trials give the quantiles.

        Returns:
            The standardised proportions of the trials, shape ``(trials, proportions)``.
        """
        random = np.random.default_rng(seed)
        levels = quantile_levels(KERNELS * self._design.per_dilation(self._steps) * len(self._steps))
        sample = trials[np.sort(random.permutation(len(trials))[: self._design.calibration_trials])]
        for kernels in self._kernels:
            features = _feature_weights(trials.shape[-1], random, mixed=self._design.mixed)
            kernels.set_weights([kernel_weights()[:, None, :] * features[None]])
        by_step = levels.reshape(len(self._steps), KERNELS, -1)
        convolutions = self._convolutions(sample)
        if len(self._steps) == 1:  # Keras makes no list of it
            convolutions = [convolutions]
        for thresholds, values, own in zip(self._thresholds, convolutions, by_step, strict=True):
            convolved = np.asarray(values, dtype=np.float64).reshape(-1, KERNELS)
            thresholds.set_weights(_ramps(convolved, own, self._design.ramp))
        return standardise(self._standardised, in_chunks(self._proportions, trials))


def standardise(layer: keras.layers.Layer, raw: Array) -> Array:
    """Have a layer from `networks.affine` standardise what training trials gave, ``(trials, columns)``; also do it."""
    # A column that never changes would be divided by zero.
    factor, mean = 1 / np.where(raw.std(axis=0) > 1e-6, raw.std(axis=0), 1.0), raw.mean(axis=0)
    networks.set_affine(layer, factor, -mean * factor)
    return np.asarray((raw - mean) * factor)


def compiled(network: keras.Model, outputs: Any) -> Callable[[Floats], Any]:
    """From any number of trials to these of a network's tensors, traced once."""
    model = keras.Model(network.input, outputs)
    trials = tf.TensorSpec((None, *network.input.shape[1:]), tf.float32)
    compiled: Callable[[Floats], Any] = tf.function(lambda x: model(x, training=False), input_signature=[trials])
    return compiled


def in_chunks(compute: Callable[[Floats], Any], trials: Floats) -> Array:
    """What ``compute`` makes of trials, so many at a time that memory does."""
    parts = [compute(trials[start : start + _CHUNK]) for start in range(0, len(trials), _CHUNK)]
    return np.concatenate(parts, dtype=np.float64)


def _ramps(convolved: Array, levels: Array, ramp: float) -> list[Array]:
    """Slopes and offsets, from what each kernel gave ``(values, 84)`` and its levels ``(84, thresholds)``."""
    thresholds = np.stack([np.quantile(convolved[:, k], levels[k]) for k in range(KERNELS)])
    spread = convolved.std(axis=0)
    width = ramp * np.where(spread > 1e-6, spread, 1.0)[:, None]
    return [np.broadcast_to(1 / width, thresholds.shape)[None], (0.5 - thresholds / width).ravel()]


def soft_minirocket(x: keras.KerasTensor) -> keras.KerasTensor:
    """`SoftMiniRocket.layers` of the usual design."""
    return SoftMiniRocket().layers(x)


def kernel_weights() -> npt.NDArray[np.float32]:
    """The 84 kernels, shape ``(9, 84)``: each choice of three of nine places for the weight 2, the others -1."""
    weights = np.full((LENGTH, KERNELS), -1, np.float32)
    for kernel, places in enumerate(combinations(range(LENGTH), 3)):
        weights[list(places), kernel] = 2
    return weights


def dilations(timesteps: int, at_most: int) -> list[int]:
    """Distances between a kernel's weights: from 1 on in even exponents of two, while the kernel fits the trial."""
    exponent = np.log2((timesteps - 1) / (LENGTH - 1))
    spaced = np.logspace(0, exponent, at_most, base=2)
    # 2**log2(n) may fall just short of n.
    return sorted({int(step) for step in np.floor(spaced + 1e-9)})


def quantile_levels(count: int) -> Array:
    """Multiples of the golden ratio modulo 1: however many are taken in a row, they cover [0, 1) evenly."""
    return np.arange(1, count + 1, dtype=np.float64) * _GOLDEN % 1


def _feature_weights(features: int, random: np.random.Generator, *, mixed: bool) -> npt.NDArray[np.float32]:
    """How much each feature counts in each kernel, shape ``(features, 84)``: few do, more often than many."""
    chosen = np.zeros((features, KERNELS), np.float32)
    for kernel in range(KERNELS):
        count = int(2 ** random.uniform(0, np.log2(min(features, _MOST_FEATURES) + 1)))
        drawn = random.choice(features, count, replace=False)
        chosen[drawn, kernel] = random.normal(size=count) if mixed else 1
    return chosen


def proportions(network: keras.Model, trials: Floats) -> Array:
    """The standardised proportions of standardised trials, shape ``(trials, proportions)``."""
    return in_chunks(keras.Model(network.input, network.get_layer(STANDARDISED).output), trials)


def features_of(trials: Floats, seed: int) -> list[Array]:
    """`Front.fit` of a front of its own: no label takes part."""
    network = networks.build("soft_minirocket", *trials.shape[1:])
    return [Front(network, SoftMiniRocket()).fit(trials, seed)]
