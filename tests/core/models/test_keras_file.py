"""Files that are no networks, or are far more than they look: one line, at once, and no memory."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from steps.core.models import keras_file
from steps.core.models.saved_network import ResidentNetwork
from steps.errors import UserError
from steps.tracking.models import loading
from steps.tracking.models.registry import ModelReference
from tests.fold_networks import SHAPE, fold_network

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
DEEP, HUGE = 100_000, 10**11


@pytest.fixture(scope="module")
def honest() -> bytes:
    return fold_network(1)


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return result.getvalue()


def with_config(content: bytes, text: bytes) -> bytes:
    return written(members_of(content) | {CONFIG: text})


def with_weights(content: bytes, change: Callable[[h5py.File], Any]) -> bytes:
    members = members_of(content)
    weights = io.BytesIO(members[WEIGHTS])
    with h5py.File(weights, "r+") as file:
        del file["layers/dense/vars/1"]
        change(file)
    return written(members | {WEIGHTS: weights.getvalue()})


def compressed(content: bytes) -> bytes:
    return written(members_of(content) | {CONFIG: b" " * 50_000_000}, zipfile.ZIP_DEFLATED)


def declared(content: bytes) -> bytes:
    """A member whose size is a lie."""
    changed = bytearray(content)
    at = changed.find(b"PK\1\2") + 20
    changed[at : at + 8] = struct.pack("<LL", 2**31, 2**31)
    return bytes(changed)


def encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[changed.find(b"PK\1\2") + 8] |= 1
    return bytes(changed)


def many_members(content: bytes) -> bytes:
    return written(members_of(content) | {f"{number:050d}": b"" for number in range(2000)})


def other_directory(content: bytes) -> bytes:
    """With a locator of a second directory, for archives of more than 4 GiB."""
    end = bytearray(content[-22:])
    end[16:20] = struct.pack("<L", int.from_bytes(end[16:20], "little") + 20)
    return content[:-22] + b"PK\6\7" + bytes(16) + bytes(end)


def doubled(content: bytes) -> bytes:
    result = io.BytesIO(content)
    with zipfile.ZipFile(result, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(CONFIG, b"{}")
    return result.getvalue()


def described(content: bytes, units: int) -> bytes:
    """A network with far more weights than there are in the file."""
    config = json.loads(members_of(content)[CONFIG])
    (dense,) = [layer for layer in config["config"]["layers"] if layer["name"] == "dense"]
    dense["config"]["units"] = units
    config["config"]["layers"][-1]["build_config"]["input_shape"] = [None, units]
    return with_config(content, json.dumps(config).encode())


ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "it is no zip archive"),
    "cut off": (lambda content: content[:-100], "it is no zip archive"),
    "with a comment": (lambda content: content[:-2] + b"\1\0x", "it is no zip archive"),
    "zip bomb": (compressed, "is compressed, which Keras does not do"),
    "a size that is a lie": (declared, "should have 2147483648 bytes, the whole has"),
    "encrypted": (encrypted, "is encrypted"),
    "thousands of members": (many_members, "it holds more than config.json, metadata.json, model.weights.h5"),
    "another directory": (other_directory, "it is no zip archive"),
    "one name twice": (doubled, "it holds config.json, config.json, metadata.json, model.weights.h5, expected"),
    "nothing": (lambda _: written({}), "it holds nothing, expected"),
    "an unprintable name": (lambda _: written({"a\nb\x1b": b""}), r"it holds a\nb\x1b, expected"),
    "deep lists": (lambda content: with_config(content, b"[" * DEEP + b"]" * DEEP), "more than 64 deep"),
    "deep objects": (
        lambda content: with_config(content, b'{"a":' * 300 + b"1" + b"}" * 300),
        "config.json is nested more than 64 deep",
    ),
    "no JSON": (lambda content: with_config(content, b"{"), "config.json is no JSON: "),
    "a number of 10,000 digits": (lambda content: with_config(content, b'{"a": ' + b"9" * 10_000 + b"}"), "is no JSON"),
    "a list": (lambda content: with_config(content, b"[]"), "config.json describes no network"),
    "17 MiB of configuration": (lambda content: with_config(content, b" " * (17 * 2**20)), "has 17825792 bytes"),
    "no HDF5": (lambda content: written(members_of(content) | {WEIGHTS: b"x" * 1000}), "is no HDF5 file"),
    "compressed weights": (
        lambda content: with_weights(
            content, lambda file: file.create_dataset("a", (10**7,), "f4", compression="gzip", chunks=(10**6,))
        ),
        "model.weights.h5 holds a, which is not plain numbers",
    ),
    "weights that are not there": (
        lambda content: with_weights(content, lambda file: file.create_dataset("a", (HUGE,), "f4")),
        "bytes; with a it should have more",
    ),
    "a link to another file": (
        lambda content: with_weights(content, lambda file: file.update({"a": h5py.ExternalLink("/etc/passwd", "b")})),
        "model.weights.h5 holds a link, a, expected numbers",
    ),
    "a link that leads in a circle": (
        lambda content: with_weights(content, lambda file: file.update({"a": h5py.SoftLink("/a")})),
        "model.weights.h5 holds a link, a, expected numbers",
    ),
    "weights in another file": (
        lambda content: with_weights(
            content, lambda file: file.create_dataset("a", (4,), "f4", external=[("/etc/passwd", 0, 16)])
        ),
        "model.weights.h5 holds a, which is not plain numbers",
    ),
    "texts": (
        lambda content: with_weights(content, lambda file: file.create_dataset("a", data=["text"] * 3)),
        "model.weights.h5 holds a, which is not plain numbers",
    ),
}


@pytest.mark.parametrize(("make", "message"), ATTACKS.values(), ids=ATTACKS.keys())
def test_what_keras_does_not_write_is_refused_at_once(
    honest: bytes, make: Callable[[bytes], bytes], message: str
) -> None:
    content = make(honest)
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(keras_file.NotAKerasFileError) as refused:
            keras_file.look_through(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 2
    assert peak < 4 * len(content) + 10 * 2**20
    text = str(refused.value)
    assert message in text
    assert len(text) < 400
    assert "\n" not in text


@pytest.mark.parametrize("units", [100_000, 10**12])
def test_a_network_of_more_weights_than_the_file_holds_is_never_built(honest: bytes, units: int) -> None:
    content = described(honest, units)
    started = time.monotonic()
    with pytest.raises(keras_file.NotAKerasFileError, match=r"describes \d+ weights, model.weights.h5 has \d+ bytes"):
        keras_file.load(content)
    # Nothing of it is left to be built later on.
    network = keras_file.load(honest)
    assert network.count_params() < 100_000
    assert time.monotonic() - started < 5


@cache
def used() -> ResidentNetwork:
    """One that every file of these tests comes to after another one."""
    return ResidentNetwork()


@cache
def another() -> bytes:
    return fold_network(2)


def of_a_fold(content: bytes) -> Any:
    return ResidentNetwork().load(content, "S02", SHAPE)


def after_another(content: bytes) -> Any:
    used().load(another(), "S01", SHAPE)
    return used().load(content, "S02", SHAPE)


def for_new_people(content: bytes) -> Any:
    timesteps, features = SHAPE
    values = np.ones(SHAPE).tolist()
    trained = {
        "format_version": 1, "features": list("abcdef")[:features], "units": {}, "time": list(range(timesteps)),
        "time_unit": "s", "time_normalised": False, "labels": {"0": "a", "1": "b"}, "subjects": ["S01"],
        "dataset_digest": "", "mean": values, "sd": values, "control_mean": None, "usual_distance": 1.0,
    }  # fmt: skip
    reference = ModelReference("models:/fear-classifier/1")
    return loading.load_network(loading.checked(reference, content, json.dumps(trained).encode()))


def with_change(content: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """With another configuration."""
    config = json.loads(members_of(content)[CONFIG])
    change(config["config"])
    return with_config(content, json.dumps(config).encode())


def rescaled(config: dict[str, Any], scale: Any) -> None:
    """The scaler's first layer keeps its numbers in the configuration, as in models of before."""
    config["layers"][1] |= {"class_name": "Rescaling", "config": {"name": "centre", "scale": scale, "offset": 0.0}}


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no number of layers": lambda config: config.update(layers=3),
    "no layers": lambda config: config.pop("layers"),
    "layers of all kinds": lambda config: config.update(layers=[1, "a", None]),
    "lists for layers": lambda config: config.update(layers=[[]]),
    "a number of 400 digits": lambda config: rescaled(config, [[[10**400] * SHAPE[1]]]),
    "a scale of text": lambda config: rescaled(config, [[["a"] * SHAPE[1]]]),
    "a scale of another size": lambda config: rescaled(config, [[[1.0] * 5]]),
    "trials of another length": lambda config: config["layers"][0]["config"].update(batch_shape=[None, 22, SHAPE[1]]),
}


@pytest.mark.parametrize("read", [of_a_fold, after_another, for_new_people])
def test_wherever_it_is_read_it_is_one_line_that_says_what_to_do(honest: bytes, read: Callable[[bytes], Any]) -> None:
    read(honest)
    hostile = {name: make(honest) for name, (make, _) in ATTACKS.items()}
    hostile |= {name: with_change(honest, change) for name, change in CHANGES.items()}
    hostile["a network of terabytes"] = described(honest, 10**12)
    # All of them one way, and some in each of the others, which look through a file by the same function.
    some = list(hostile.items())[:: 1 if read is of_a_fold else 4]
    for name, content in some:
        try:
            read(content)
        except UserError as refused:
            text = str(refused)
        else:
            pytest.fail(f"{name} was read")
        assert "\n" not in text, name
        assert len(text) < 600, name
        assert "train" in text.rpartition("; ")[2] or "training.json says" in text, (name, text)


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
def test_networks_of_ours_pass(name: str) -> None:
    content = fold_network(1, name)
    values = np.zeros((1, *SHAPE), np.float32)
    assert np.asarray(keras_file.load(content)(values)).shape == (1, 1)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(keras_file.NotAKerasFileError, match=r"^model.keras has 3,072 MiB, expected at most 2,048 MiB$"):
        keras_file.read(path)


def test_a_network_with_every_kind_of_weight_passes() -> None:
    import keras

    inputs = keras.Input((21, 6))
    x = keras.layers.Bidirectional(keras.layers.GRU(4, dropout=0.1))(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    content = keras_file.as_bytes(keras.Model(inputs, keras.layers.Dense(1, dtype="mixed_bfloat16")(x)))
    assert keras_file.load(content).count_params() > 100
