from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from steps.core.data.dataset import Dataset, Floats

NetworkMaker = Callable[..., Any]


def make_dataset(values: Floats) -> Dataset:
    """Trials of one subject, with the values given, shape ``(trials, timesteps, features)``."""
    trials, timesteps, features = values.shape
    return Dataset(
        values=values,
        labels=np.zeros(trials, dtype=np.int8),
        subjects=np.full(trials, "anna"),
        trials=np.array([f"{trial:03d}" for trial in range(trials)], dtype=np.str_),
        is_control=np.zeros(trials, dtype=bool),
        features=tuple(f"angle {feature}" for feature in range(features)),
        time=tuple(float(point) for point in range(timesteps)),
    )


@pytest.fixture
def values() -> Floats:
    """Six trials of 12 time points and 3 features."""
    return np.random.default_rng(0).normal(1.0, 2.0, size=(6, 12, 3)).astype(np.float32)


@pytest.fixture
def network() -> NetworkMaker:
    """Makes a small convolutional network for ``values``; ``gain`` multiplies the logit, so a large one saturates."""

    def make(gain: float = 1.0, activation: str = "relu") -> Any:
        keras = pytest.importorskip("keras")
        keras.utils.set_random_seed(1)
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((12, 3)),
                layers.Conv1D(8, 3, activation=activation),
                layers.Dropout(0.5),
                layers.GlobalAveragePooling1D(),
                layers.Dense(8, activation=activation),
                layers.Dense(1),
                layers.Rescaling(gain),
                layers.Activation("sigmoid"),
            ]
        )

    return make
