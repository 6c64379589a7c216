"""One network for many folds: the same numbers as a network loaded for each."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from steps.core.models.keras_file import as_bytes, load
from steps.core.models.saved_network import ResidentNetwork, copy_of
from steps.errors import UserError
from tests.fold_networks import SHAPE, fold_network

keras = pytest.importorskip("keras")
VALUES = np.random.default_rng(0).normal(3.0, 2.0, size=(5, *SHAPE)).astype(np.float32)


def probabilities(model: Any) -> np.ndarray:
    return np.asarray(model(VALUES, training=False))


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
def test_it_has_the_values_of_one_fold_after_the_other(name: str) -> None:
    import tensorflow as tf

    resident = ResidentNetwork()
    folds = [fold_network(seed, name) for seed in (1, 2, 3)]
    first = resident.load(folds[0], "a")
    compiled = tf.function(lambda inputs: first(inputs, training=False))
    names, seen = [layer.name for layer in first.layers], []
    for content in [*folds, folds[0]]:
        assert resident.load(content, "a") is first
        assert [layer.name for layer in first.layers] == names
        expected = probabilities(load(content))
        np.testing.assert_array_equal(probabilities(first), expected)
        np.testing.assert_allclose(compiled(VALUES), expected, rtol=1e-4)
        seen.append(expected)
    assert not np.allclose(seen[0], seen[1], rtol=1e-3)
    np.testing.assert_array_equal(seen[0], seen[3])


def test_another_kind_of_network_is_another_object() -> None:
    resident = ResidentNetwork()
    one, other = fold_network(1), fold_network(1, "cnn_wide")
    first = resident.load(one, "a")
    second = resident.load(other, "b")
    assert second is not first
    np.testing.assert_array_equal(probabilities(second), probabilities(load(other)))
    np.testing.assert_array_equal(probabilities(resident.load(one, "a")), probabilities(load(one)))


def test_a_copy_has_the_values_and_keeps_its_own() -> None:
    resident = ResidentNetwork()
    resident.load(fold_network(1), "a")
    network = resident.load(fold_network(2), "b")
    copy, expected = copy_of(network), probabilities(network)
    np.testing.assert_array_equal(probabilities(copy), expected)
    resident.load(fold_network(3), "c")
    np.testing.assert_array_equal(probabilities(copy), expected)
    assert not np.allclose(probabilities(network), expected, rtol=1e-3)


def with_weights(content: bytes, change: Callable[[h5py.File], object]) -> bytes:
    """The same ``.keras`` file with other weights in it."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".h5"):
                weights = io.BytesIO(data)
                with h5py.File(weights, "r+") as file:
                    change(file)
                data = weights.getvalue()
            target.writestr(name, data)
    return result.getvalue()


@pytest.mark.parametrize("attack", ["link", "external", "size", "missing"])
def test_weights_that_are_not_in_the_file_are_refused(tmp_path: Path, attack: str) -> None:
    place = "layers/dense/vars/1"
    secret = tmp_path / "secret"
    with h5py.File(secret, "w") as file:
        file["bias"] = np.ones(64, np.float32)
    (tmp_path / "raw").write_bytes(bytes(256))

    def change(file: h5py.File) -> None:
        del file[place]
        if attack == "link":
            file[place] = h5py.ExternalLink(str(secret), "bias")
        elif attack == "external":
            file.create_dataset(place, (64,), np.float32, external=[(str(tmp_path / "raw"), 0, 256)])
        elif attack == "size":
            file[place] = np.ones(65, np.float32)

    resident = ResidentNetwork()
    honest = fold_network(1)
    resident.load(honest, "S01")
    with pytest.raises(UserError, match=r"^cannot load the model of fold S02: "):
        resident.load(with_weights(fold_network(2), change), "S02")
    np.testing.assert_array_equal(probabilities(resident.load(honest, "S01")), probabilities(load(honest)))


def test_code_and_rubbish_are_refused() -> None:
    inputs = keras.Input(SHAPE)
    code = as_bytes(keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)))
    for content in (code, code[:1000], b"", b"{}"):
        with pytest.raises(UserError, match=r"^cannot load the model of fold S07: ."):
            ResidentNetwork().load(content, "S07")
