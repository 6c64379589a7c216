"""``.keras`` files from anywhere: checked before memory is taken for what is in them, then loaded.

Keras writes a zip archive of three files, none compressed: what the network is (JSON), its weights (HDF5) and where it
comes from. Whoever writes one by hand can have a few kilobytes unpack to gigabytes in each of these layers, or describe
a network that takes as much. Nothing here takes more memory than a few times the file, and nothing in it is run.
"""

from __future__ import annotations

import io
import json
import math
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from steps.system.quiet import without_greeting

if TYPE_CHECKING:
    import keras

LARGEST_MIB: Final = 2048  # of a file
_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
_CONFIG, _, _WEIGHTS = _MEMBERS
_LARGEST_CONFIG = 16 * 2**20  # a feature takes about 100 bytes of it, a layer about 1,000
_DEEPEST = 64  # Keras nests its own networks about 12 deep
_MOST_ENTRIES = 100_000  # groups and arrays of weights
_ENCRYPTED = 0x1
# How a zip archive ends: signature, four numbers we do not need, size and place of its directory, length of a comment.
_END = struct.Struct("<4s8xLLH")
_LARGEST_DIRECTORY = 2**16
_LOCATOR_BYTES = 20  # of the other directory, in very large archives


class NotAKerasFileError(ValueError):
    """A file that Keras has not written, or that is no network; the message is one line."""


@dataclass(frozen=True)
class KerasFile:
    """A file that has been looked through.

    Attributes:
        config: what the network is.
        weights: content of the HDF5 file.
    """

    config: dict[str, Any]
    weights: bytes


def read(path: Path) -> bytes:
    """The content of a ``.keras`` file, unless it is too large to be one.

    Raises:
        NotAKerasFileError: it is too large.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > LARGEST_MIB * 2**20:
        raise NotAKerasFileError(f"{path.name} has {size / 2**20:,.0f} MiB, expected at most {LARGEST_MIB:,} MiB")
    return path.read_bytes()


def as_bytes(network: keras.Model) -> bytes:
    """The content of a network's ``.keras`` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        network.save(path)
        return path.read_bytes()


def look_through(content: bytes) -> KerasFile:
    """Check the archive, its configuration's size and depth, and that the weights are no more than the file holds.

    Raises:
        NotAKerasFileError: something of that is not as Keras writes it.
    """
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive.infolist(), len(content))
            config, weights = archive.read(_CONFIG), archive.read(_WEIGHTS)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise _refused(error) from error
    file = KerasFile(_parsed(config), weights)
    _check_weights(weights)
    return file


def load(content: bytes) -> keras.Model:
    """The network, for inference, in Keras's safe mode: nothing is unpickled and no code comes with it.

    Raises:
        NotAKerasFileError: it is none, or holds code, or its weights are not those of the network it describes.
    """
    file = look_through(content)
    with without_greeting():
        import keras

    try:
        _check_size(file)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(content)
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras, TensorFlow and HDF5 make of a file that they did not write
        raise _refused(error) from error


def try_out(network: keras.Model, shape: tuple[int, int]) -> None:
    """Let a network make a probability of a trial of zeros: what is wrong inside shows when it is used.

    Args:
        network: from `load`.
        shape: of a trial, ``(timesteps, features)``.

    Raises:
        NotAKerasFileError: it takes other trials, or makes something else of them, or fails.
    """
    takes, gives = tuple(network.input_shape[1:]), tuple(network.output_shape[1:])
    if (takes, gives) != (shape, (1,)):
        raise NotAKerasFileError(f"it maps {takes} to {gives}, expected {shape} (timesteps, features) to (1,)")
    try:
        network(np.zeros((1, *shape), np.float32), training=False)
    except Exception as error:  # as in `load`
        raise _refused(error) from error


def _check_directory(content: bytes) -> None:
    """That the archive has a small directory at its end: `zipfile` makes an object of each entry, however many."""
    if len(content) < _END.size:
        raise NotAKerasFileError("it is no zip archive")
    signature, size, place, comment = _END.unpack(content[-_END.size :])
    locator = content[-_END.size - _LOCATOR_BYTES :][:4]
    if signature != b"PK\5\6" or comment or place + size + _END.size != len(content) or locator == b"PK\6\7":
        raise NotAKerasFileError("it is no zip archive, or not one that ends as those that Keras writes")
    if size > _LARGEST_DIRECTORY:
        raise NotAKerasFileError(f"it holds more than {', '.join(_MEMBERS)}")


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = sorted(member.filename for member in members)
    if names != list(_MEMBERS):
        shown = ", ".join(ascii(name)[1:-1] for name in names[:5]) or "nothing"
        raise NotAKerasFileError(f"it holds {shown[:200]}, expected {', '.join(_MEMBERS)}")
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise NotAKerasFileError(f"{member.filename} is encrypted, expected a file as Keras writes it")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise NotAKerasFileError(f"{member.filename} is compressed, which Keras does not do")
        if member.file_size > size:
            raise NotAKerasFileError(f"{member.filename} should have {member.file_size} bytes, the whole has {size}")
        if member.filename != _WEIGHTS and member.file_size > _LARGEST_CONFIG:
            raise NotAKerasFileError(
                f"{member.filename} has {member.file_size} bytes, expected at most {_LARGEST_CONFIG}"
            )


def _parsed(text: bytes) -> dict[str, Any]:
    """A configuration, plain dictionaries and lists that are not nested too deep."""
    too_deep = NotAKerasFileError(f"{_CONFIG} is nested more than {_DEEPEST} deep, which no network is")
    try:
        config = json.loads(text, parse_int=_whole_number)
    except RecursionError as error:
        raise too_deep from error
    except ValueError as error:
        raise NotAKerasFileError(f"{_CONFIG} is no JSON: {_one_line(error)}") from error
    if not isinstance(config, dict):
        raise NotAKerasFileError(f"{_CONFIG} describes no network")
    level: list[Any] = [config]
    for _ in range(_DEEPEST):
        level = [
            part
            for value in level
            for part in (value.values() if isinstance(value, dict) else value)
            if isinstance(part, dict | list)
        ]
    if level:
        raise too_deep
    return config


def _whole_number(digits: str) -> int:
    number = int(digits)
    if abs(number) >= 2**63:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return number


def _check_weights(weights: bytes) -> None:
    """Only numbers that lie in this file, one after the other: nothing linked, compressed, or filled in."""
    import h5py

    entries, room = 0, len(weights)

    def look(place: str, link: Any) -> str | None:
        """What is wrong with an object; returned, because h5py cannot pass on an exception from here."""
        nonlocal entries, room
        entries += 1
        if entries > _MOST_ENTRIES:
            return f"holds more than {_MOST_ENTRIES} entries"
        shown = ascii(place)[1:-1][:200]
        if not isinstance(link, h5py.HardLink):
            return f"holds a link, {shown}, expected numbers"
        entry = file[place]
        if isinstance(entry, h5py.Dataset):
            if entry.chunks is not None or entry.is_virtual or entry.external or entry.dtype.hasobject:
                return f"holds {shown}, which is not plain numbers"
            room -= _count(entry.shape) * entry.dtype.itemsize
            if room < 0:
                return f"has {len(weights)} bytes; with {shown} it should have more"
        return None

    try:
        with h5py.File(io.BytesIO(weights)) as file:
            wrong = file.visititems_links(look)
    except Exception as error:  # a broken HDF5 file raises many types of errors
        raise NotAKerasFileError(f"{_WEIGHTS} is no HDF5 file: {_one_line(error)}") from error
    if wrong:
        raise NotAKerasFileError(f"{_WEIGHTS} {wrong}")


def _check_size(file: KerasFile) -> None:
    """That the network has no more weights than there are in the file: building it would take the memory for them."""
    import keras

    try:
        # So that variables have a shape and no values yet.
        with keras.StatelessScope(initialize_variables=False):
            network = keras.saving.deserialize_keras_object(file.config | {"compile_config": None}, safe_mode=True)
        needed = sum(_count(variable.shape) for variable in network.weights)
        if needed > len(file.weights):
            raise NotAKerasFileError(f"{_CONFIG} describes {needed} weights, {_WEIGHTS} has {len(file.weights)} bytes")
    except BaseException:
        keras.utils.clear_session()  # otherwise Keras would create the values later
        raise


def _count(shape: Any) -> int:
    return math.prod(int(length) for length in shape or ())


def _refused(error: Exception) -> NotAKerasFileError:
    return error if isinstance(error, NotAKerasFileError) else NotAKerasFileError(_one_line(error))


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
