"""Networks as they are built: layers, initial weights, and what is said of them."""

from __future__ import annotations

import os
import random

import keras
import numpy as np
import pytest

from steps.core.models import networks


@pytest.mark.parametrize(("name", "layers"), [("cnn", (64, 64)), ("cnn_wide", (400, 100, 300))])
def test_networks_have_the_layers_they_promise(name: str, layers: tuple[int, ...]) -> None:
    network = networks.build(name, 101, 24)
    filters = [layer.filters for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
    assert tuple(filters) == layers
    assert network.output_shape == (None, 1)
    if name == "cnn_wide":
        kernels = [layer.kernel_size[0] for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
        rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
        assert (kernels, rates) == ([3, 7, 3], [0.2, 0.4, 0.2, 0.3])
    with pytest.raises(ValueError, match="unknown network 'transformer'"):
        networks.build("transformer", 101, 24)


@pytest.mark.parametrize("columns", [None, "40", "200"])
def test_the_architecture_is_whole_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str | None) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    text = networks.architecture(networks.build("cnn", 101, 24))
    assert os.environ.get("COLUMNS") == columns
    assert {len(line) for line in text.splitlines() if line.startswith(("┏", "│", "└"))} == {90}
    (header,) = [line for line in text.splitlines() if line.startswith("┃")]
    assert [cell.strip() for cell in header.strip("┃").split("┃")] == ["Layer (type)", "Output Shape", "Param #"]
    weights = {"conv1d": 5 * 24 * 64 + 64, "conv1d_1": 5 * 64 * 64 + 64, "dense": 64 * 64 + 64, "probability": 65}
    for name, count in weights.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"│ {name} ")]
        assert line.rstrip(" │").endswith(f" {count:,}")


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
def test_a_seed_decides_weights_and_dropout_whatever_other_threads_draw(name: str) -> None:
    keras.utils.set_random_seed(3)
    expected = [variable.numpy() for variable in networks.build(name, 21, 6).variables]
    random.seed(4)  # as a thread may do that shares the interpreter's generator
    weights = [variable.numpy() for variable in networks.build(name, 21, 6, seed=3).variables]
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))
    other = [variable.numpy() for variable in networks.build(name, 21, 6, seed=4).variables]
    assert not all(np.array_equal(a, b) for a, b in zip(other, expected, strict=True))
