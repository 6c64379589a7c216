"""Networks as folds leave them, without the time it takes to train them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (21, 6)  # of the trials of `small_study`


def as_bytes(model: Any) -> bytes:
    """The content of its ``.keras`` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def fold_network(seed: int, name: str = "cnn") -> bytes:
    """A network with its own weights and its own scaler."""
    from steps.core.models.networks import build, with_scaler

    generator = np.random.default_rng(seed)
    network = build(name, *SHAPE, seed=seed)
    for layer in network.layers:
        layer.set_weights([weights + generator.uniform(-0.05, 0.05, weights.shape) for weights in layer.get_weights()])
    features = SHAPE[1]
    return as_bytes(with_scaler(network, generator.normal(3, 1, features), generator.uniform(1, 3, features)))
