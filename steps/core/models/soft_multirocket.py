"""The fronts of ``soft_multirocket``: that of ``soft_minirocket`` on the trial, one on its differences, and windows.

What changes between one time point and the next is looked at as MultiRocket does (Tan, Dempster, Bergmeir & Webb 2022,
"MultiRocket: multiple pooling operators and transformations for fast and effective time series classification", Data
Min. Knowl. Discov. 36, https://doi.org/10.1007/s10618-022-00844-1). Kernels weigh their features by random numbers of
either sign: so they see how features move against each other, which a sum hides.

Kernels are blind to levels, as their weights add up to zero, and a proportion does not say when. So the third front
is the mean of each feature in windows of a quarter of the trial, each half over the next: it sees what is higher, where
in the trial.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats
from steps.core.models import networks
from steps.core.models.soft_minirocket import Front, SoftMiniRocket, in_chunks, standardise

FRONTS: Final = tuple(
    SoftMiniRocket(thresholds_per_kernel=12, most_dilations=5, mixed=True, prefix=name)
    for name in ("trial_", "difference_")
)
_DIFFERENCES: Final = "standardise_differences"
_WINDOWS: Final = "standardise_windows"


def soft_multirocket(x: keras.KerasTensor) -> keras.KerasTensor:
    """From standardised trials to what all fronts make of them, ``(trials, proportions and means)``."""
    later, earlier = keras.layers.Cropping1D((1, 0))(x), keras.layers.Cropping1D((0, 1))(x)
    differences = networks.affine(_DIFFERENCES)(keras.layers.Subtract(name="differences")([later, earlier]))
    of_trial, of_differences = FRONTS
    size, step = max(1, x.shape[1] // 4), max(1, x.shape[1] // 8)
    windows = keras.layers.Flatten(name="windows")(keras.layers.AveragePooling1D(size, step, name="window_means")(x))
    return keras.layers.Concatenate()(
        [of_trial.layers(x), of_differences.layers(differences), networks.affine(_WINDOWS)(windows)]
    )


class Fronts:
    """The fronts of a network that is there; they can be fitted again and again."""

    def __init__(self, network: keras.Model) -> None:
        """Take hold of the layers that `soft_multirocket` has made; the network's scaler still changes nothing."""
        self._differences = network.get_layer(_DIFFERENCES)
        self._fronts = [Front(network, design) for design in FRONTS]
        self._windows = network.get_layer(_WINDOWS)
        self._means = keras.Model(network.input, self._windows.input)  # not compiled: nearly nothing is computed

    def fit(self, trials: Floats, seed: int) -> list[npt.NDArray[np.float64]]:
        """Fit them on standardised training trials ``(trials, timesteps, features)``.

        Returns:
            The standardised proportions of the first two, shape ``(trials, proportions)``, and the standardised means
            of windows, ``(trials, windows x features)``.
        """
        spread = np.diff(trials.astype(np.float64), axis=1).std(axis=(0, 1))
        factor = 1 / np.where(spread > 1e-6, spread, 1.0)
        networks.set_affine(self._differences, factor, np.zeros_like(factor))
        proportions = [front.fit(trials, seed + number) for number, front in enumerate(self._fronts)]
        return [*proportions, standardise(self._windows, in_chunks(self._means, trials))]


def features_of(trials: Floats, seed: int) -> list[npt.NDArray[np.float64]]:
    """`Fronts.fit` of fronts of their own: no label takes part."""
    return _own_fronts(*trials.shape[1:]).fit(trials, seed)


@cache  # compiled once in a process
def _own_fronts(timesteps: int, features: int) -> Fronts:
    return Fronts(networks.build("soft_multirocket", timesteps, features))
