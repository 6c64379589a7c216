"""Networks as folds leave them, without the time it takes to train them."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPE = (21, 6)  # of the trials of `small_study`


def fold_network(seed: int, name: str = "cnn") -> bytes:
    """A network with its own weights and its own scaler."""
    from steps.core.models.keras_file import as_bytes

    generator = np.random.default_rng(seed)
    features = SHAPE[1]
    network = scaled_network(
        generator.normal(3, 1, features), generator.uniform(1, 3, features), name=name, timesteps=SHAPE[0], seed=seed
    )
    for layer in network.layers:
        if layer.trainable:
            layer.set_weights(
                [weights + generator.uniform(-0.05, 0.05, weights.shape) for weights in layer.get_weights()]
            )
    return as_bytes(network)


def scaled_network(mean: Any, scale: Any, name: str = "cnn", timesteps: int = SHAPE[0], seed: int | None = None) -> Any:
    """A network that standardises with this mean and standard deviation per feature."""
    from steps.core.models import networks

    network = networks.build(name, timesteps, len(mean), seed=seed)
    networks.set_scaler(network, np.asarray(mean, np.float64), np.asarray(scale, np.float64))
    return network
