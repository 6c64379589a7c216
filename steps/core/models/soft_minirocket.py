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

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats
from steps.core.models import networks

LENGTH: Final = 9
KERNELS: Final = 84
_GOLDEN = (5**0.5 + 1) / 2
_CHUNK = 128  # trials per forward pass; bounds the memory
_MOST_FEATURES = 9  # that one kernel sums over
_MOST_DILATIONS = 32
STANDARDISED = "standardise_proportions"


@dataclass(frozen=True)
class SoftMiniRocket:
    """What is fixed before any trial is seen.

    Attributes:
        thresholds_per_kernel: over all dilations; with them the number of proportions is 84 times this, or 84 per
            dilation if there are more dilations.
        ramp: width of the ramp, in standard deviations of the kernel's convolution.
        calibration_trials: at most so many training trials, drawn at random, give the quantiles.
        signed: whether a kernel adds some of its features and subtracts others, at random, or adds them all.
        prefix: of the names of its layers, where a network has several.
    """

    thresholds_per_kernel: int = 24
    ramp: float = 2.0
    calibration_trials: int = 128
    signed: bool = False
    prefix: str = ""

    def layers(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """From standardised trials ``(trials, timesteps, features)`` to proportions ``(trials, proportions)``.

        `fit` gives the layers their weights.
        """
        outputs, prefix = [], self.prefix
        steps = dilations(x.shape[1], self.thresholds_per_kernel)
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
                1, depth_multiplier=self._per_dilation(steps), trainable=False, name=f"{self.prefix}thresholds_{step}"
            )(y)
            y = keras.layers.ReLU(max_value=1.0, name=f"{self.prefix}ramps_{step}")(y)
            outputs.append(keras.layers.GlobalAveragePooling1D(name=f"{self.prefix}proportions_{step}")(y))
        joined = outputs[0] if len(outputs) == 1 else keras.layers.Concatenate(name=f"{prefix}proportions")(outputs)
        return networks.affine(self.prefix + STANDARDISED)(joined)

    def fit(self, network: keras.Model, trials: Floats, seed: int) -> npt.NDArray[np.float64]:
        """Draw the kernels' features and take thresholds, ramps and standardisation from training trials.

        Args:
            network: built with `layers`; its scaler still changes nothing.
            trials: standardised training trials ``(trials, timesteps, features)``.
            seed: decides which features each kernel sums over and which trials give the quantiles.

        Returns:
            The standardised proportions of the trials, shape ``(trials, proportions)``.
        """
        random = np.random.default_rng(seed)
        timesteps = network.get_layer(f"{self.prefix}kernels_1").input.shape[1]  # there is always a distance of 1
        steps = dilations(timesteps, self.thresholds_per_kernel)
        levels = quantile_levels(KERNELS * self._per_dilation(steps) * len(steps))
        sample = trials[np.sort(random.permutation(len(trials))[: self.calibration_trials])]
        for step, own in zip(steps, levels.reshape(len(steps), KERNELS, -1), strict=True):
            convolution = network.get_layer(f"{self.prefix}kernels_{step}")
            features = _chosen_features(sample.shape[-1], random, signed=self.signed)
            convolution.set_weights([kernel_weights()[:, None, :] * features[None]])
            convolved = compute(network, convolution.output, sample).reshape(-1, KERNELS)
            network.get_layer(f"{self.prefix}thresholds_{step}").set_weights(self._ramps(convolved, own))
        standardised = network.get_layer(self.prefix + STANDARDISED)
        raw = compute(network, standardised.input, trials)
        # A proportion that never changes would be divided by zero.
        factor = 1 / np.where(raw.std(axis=0) > 1e-6, raw.std(axis=0), 1.0)
        mean = raw.mean(axis=0)
        networks.set_affine(standardised, factor, -mean * factor)
        return (raw - mean) * factor

    def _per_dilation(self, steps: list[int]) -> int:
        return max(1, round(self.thresholds_per_kernel / len(steps)))

    def _ramps(
        self, convolved: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]
    ) -> list[npt.NDArray[np.float64]]:
        """Slopes and offsets, from what each kernel gave ``(values, 84)`` and its levels ``(84, thresholds)``."""
        thresholds = np.stack([np.quantile(convolved[:, k], levels[k]) for k in range(KERNELS)])
        spread = convolved.std(axis=0)
        width = self.ramp * np.where(spread > 1e-6, spread, 1.0)[:, None]
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
    spaced = np.logspace(0, exponent, min(at_most, _MOST_DILATIONS), base=2)
    # 2**log2(n) may fall just short of n.
    return sorted({int(step) for step in np.floor(spaced + 1e-9)})


def quantile_levels(count: int) -> npt.NDArray[np.float64]:
    """Multiples of the golden ratio modulo 1: however many are taken in a row, they cover [0, 1) evenly."""
    return np.arange(1, count + 1, dtype=np.float64) * _GOLDEN % 1


def _chosen_features(features: int, random: np.random.Generator, *, signed: bool) -> npt.NDArray[np.float32]:
    """Which features each kernel sums over, 0, 1 or -1, shape ``(features, 84)``: few more often than many."""
    chosen = np.zeros((features, KERNELS), np.float32)
    for kernel in range(KERNELS):
        count = int(2 ** random.uniform(0, np.log2(min(features, _MOST_FEATURES) + 1)))
        drawn = random.choice(features, count, replace=False)
        chosen[drawn, kernel] = random.choice((-1, 1), count) if signed else 1
    return chosen


def proportions(network: keras.Model, trials: Floats) -> npt.NDArray[np.float64]:
    """The standardised proportions of standardised trials, shape ``(trials, proportions)``."""
    return compute(network, network.get_layer(STANDARDISED).output, trials)


def compute(network: keras.Model, tensor: keras.KerasTensor, trials: Floats) -> npt.NDArray[np.float64]:
    """What one of a network's tensors is for these trials."""
    model = keras.Model(network.input, tensor)
    parts = [
        np.asarray(model(trials[start : start + _CHUNK], training=False)) for start in range(0, len(trials), _CHUNK)
    ]
    return np.concatenate(parts, dtype=np.float64)
