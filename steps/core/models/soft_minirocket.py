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
from steps.errors import UserError

LENGTH: Final = 9
KERNELS: Final = 84
_GOLDEN = (5**0.5 + 1) / 2
_CHUNK = 128  # trials per forward pass; bounds the memory
_MOST_FEATURES = 9  # that one kernel sums over
_MOST_DILATIONS = 32


@dataclass(frozen=True)
class Front:
    """Fitted convolutions and thresholds: from standardised trials to standardised proportions.

    Attributes:
        branches: per dilation the layers from a trial to its proportions, to be called one after another.
        joined: puts the branches side by side and standardises.
    """

    branches: tuple[tuple[keras.layers.Layer, ...], ...]
    joined: tuple[keras.layers.Layer, ...]

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """From trials ``(trials, timesteps, features)`` to standardised proportions ``(trials, proportions)``."""
        outputs = []
        for branch in self.branches:
            y = x
            for layer in branch:
                y = layer(y)
            outputs.append(y)
        joined = outputs[0] if len(outputs) == 1 else keras.layers.Concatenate(name="proportions")(outputs)
        for layer in self.joined:
            joined = layer(joined)
        return joined

    def proportions(self, trials: Floats) -> npt.NDArray[np.float64]:
        """The standardised proportions of standardised trials, shape ``(trials, proportions)``."""
        inputs = keras.Input(trials.shape[1:])
        return _compute(keras.Model(inputs, self(inputs)), trials)


@dataclass(frozen=True)
class SoftMiniRocket:
    """What is fixed before any trial is seen.

    Attributes:
        thresholds_per_kernel: over all dilations; with them the number of proportions is 84 times this, or 84 per
            dilation if there are more dilations.
        ramp: width of the ramp, in standard deviations of the kernel's convolution.
        calibration_trials: at most so many training trials, drawn at random, give the quantiles.
    """

    thresholds_per_kernel: int = 24
    ramp: float = 2.0
    calibration_trials: int = 128

    def fit(self, trials: Floats, seed: int) -> Front:
        """Draw the kernels' features and take thresholds, ramps and standardisation from training trials.

        Args:
            trials: standardised training trials ``(trials, timesteps, features)``.
            seed: decides which features each kernel sums over and which trials give the quantiles.

        Raises:
            UserError: trials shorter than a kernel.
        """
        count, timesteps, _ = trials.shape
        if timesteps < LENGTH:
            raise UserError(
                f"model=soft_minirocket needs trials of at least {LENGTH} time points, found {timesteps}; "
                "prepare with timesteps=101, or use model=cnn"
            )
        random = np.random.default_rng(seed)
        steps = dilations(timesteps, self.thresholds_per_kernel)
        per_dilation = max(1, round(self.thresholds_per_kernel / len(steps)))
        levels = quantile_levels(KERNELS * per_dilation * len(steps)).reshape(len(steps), KERNELS, per_dilation)
        sample = trials[np.sort(random.permutation(count)[: self.calibration_trials])]
        branches = tuple(self._branch(sample, step, random, levels[index]) for index, step in enumerate(steps))
        raw = Front(branches, ()).proportions(trials)
        # A proportion that never changes would be divided by zero.
        variance = np.where(raw.std(axis=0) > 1e-6, raw.var(axis=0), 1.0)
        standardise = keras.layers.Normalization(
            axis=-1, mean=raw.mean(axis=0), variance=variance, name="standardise_proportions"
        )
        return Front(branches, (standardise,))

    def _branch(
        self, sample: Floats, dilation: int, random: np.random.Generator, levels: npt.NDArray[np.float64]
    ) -> tuple[keras.layers.Layer, ...]:
        features = sample.shape[-1]
        convolution = keras.layers.Conv1D(
            KERNELS, LENGTH, dilation_rate=dilation, use_bias=False, trainable=False, name=f"kernels_{dilation}"
        )
        inputs = keras.Input(sample.shape[1:])
        model = keras.Model(inputs, convolution(inputs))
        convolution.set_weights([kernel_weights()[:, None, :] * _chosen_features(features, random)[None]])
        convolved = _compute(model, sample).reshape(-1, KERNELS)
        thresholds = np.stack([np.quantile(convolved[:, k], levels[k]) for k in range(KERNELS)])
        spread = convolved.std(axis=0)
        width = self.ramp * np.where(spread > 1e-6, spread, 1.0)[:, None]
        ramps = keras.layers.DepthwiseConv1D(
            1, depth_multiplier=levels.shape[1], trainable=False, name=f"thresholds_{dilation}"
        )
        ramps.build((None, None, KERNELS))
        slope = np.broadcast_to(1 / width, thresholds.shape)
        ramps.set_weights([slope[None], (0.5 - thresholds / width).ravel()])
        return (
            convolution,
            ramps,
            keras.layers.ReLU(max_value=1.0, name=f"ramps_{dilation}"),
            keras.layers.GlobalAveragePooling1D(name=f"proportions_{dilation}"),
        )


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


def _chosen_features(features: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Which features each kernel sums over, 0 or 1, shape ``(features, 84)``: few more often than many."""
    chosen = np.zeros((features, KERNELS), np.float32)
    for kernel in range(KERNELS):
        count = int(2 ** random.uniform(0, np.log2(min(features, _MOST_FEATURES) + 1)))
        chosen[random.choice(features, count, replace=False), kernel] = 1
    return chosen


def _compute(model: keras.Model, trials: Floats) -> npt.NDArray[np.float64]:
    parts = [
        np.asarray(model(trials[start : start + _CHUNK], training=False)) for start in range(0, len(trials), _CHUNK)
    ]
    return np.concatenate(parts, dtype=np.float64)
