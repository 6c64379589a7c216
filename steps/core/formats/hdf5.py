"""HDF5 files: every dataset by its path. Nothing outside the file is opened, nothing is larger than it could be."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from steps.core.formats.arrays import Array, columns_of
from steps.core.formats.file_table import FileTable, RawFile, check_values
from steps.errors import UserError, shown
from steps.system.untrusted_files import bounded_memory

_DEEPEST: Final = 32
_MOST: Final = 20_000
_RATIO: Final = 1000  # no recording is compressed further
_SMALL: Final = 64 << 20
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_HEAP: Final = b"GCOL"
_UNITS: Final = ("units", "unit", "Units", "Unit")

Convert = Callable[[Any, str], Array]  # a dataset, its path


def read_hdf5(file: RawFile) -> FileTable:
    """The datasets of an HDF5 file as columns, see `columns_of`; attributes ``units`` are units.

    Numbers among the attributes of the file itself may be a sampling rate.

    Raises:
        UserError: it is damaged, refers to other files, or its datasets are no columns of one length.
    """
    arrays: dict[str, Array] = {}
    units: dict[str, str] = {}
    with opened(file, "HDF5") as root:
        for name, value in root.attrs.items():
            if isinstance(value, np.number):
                arrays[str(name)] = np.asarray(value)
        for path, dataset in datasets(root, file):
            arrays[path] = plain_array(dataset, path, file)
            unit = next((dataset.attrs[name] for name in _UNITS if name in dataset.attrs), "")
            if isinstance(unit, str) and unit.strip():
                units[path] = unit.strip()
    return columns_of(arrays, file, "HDF5", units)


@contextmanager
def opened(file: RawFile, title: str) -> Iterator[Any]:
    """An HDF5 file, to be read inside the block, in bounded memory.

    Raises:
        UserError: it is damaged; the library's many errors in one line.
    """
    import h5py

    _check_sizes_and_heaps(file, title)
    with bounded_memory(max(len(file.raw), _SMALL), file.name):
        try:
            with h5py.File(io.BytesIO(file.raw), "r") as root:
                yield root
        except (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError, NotImplementedError) as error:
            raise UserError(f"{file.name} is not a readable {title} file: {error}; save it again") from error


def _check_sizes_and_heaps(file: RawFile, title: str) -> None:
    """Refuse what would send the library round in circles: in heaps of text it goes on by the sizes that stand there.

    The format: The HDF Group, "HDF5 File Format Specification Version 3.0", II.A (superblock), III.E (global heap).
    """
    raw = file.raw
    start = raw.find(_SIGNATURE)
    sizes = (
        slice(start + 13, start + 15) if raw[start + 8 : start + 9] in (b"\0", b"\1") else slice(start + 9, start + 11)
    )
    is_sound = start >= 0 and raw[sizes] == b"\x08\x08"
    at = raw.find(_HEAP)
    while is_sound and at >= 0:
        end = at + int.from_bytes(raw[at + 8 : at + 16], "little")
        item = at + 16
        while is_sound and item + 16 <= min(end, len(raw)):
            number, size = (int.from_bytes(raw[item + i : item + j], "little") for i, j in ((0, 2), (8, 16)))
            needed = 16 + -(-size // 8) * 8 if number else size
            is_sound = 16 <= needed <= end - item
            item += needed
        at = raw.find(_HEAP, at + 4)
    if not is_sound:
        raise UserError(f"{file.name} is not a readable {title} file: what it says of itself cannot be; save it again")


def datasets(root: Any, file: RawFile, skip: Callable[[str], bool] = lambda _: False) -> Iterator[tuple[str, Any]]:
    """Every dataset below a group, with its path, its parts joined by dots; those that are left out are not looked at.

    Args:
        root: a group.
        file: that it is in.
        skip: whether to leave out what lies directly below the root under a name.

    Raises:
        UserError: it holds links to other files, groups in each other, or more than any recording.
    """
    import h5py

    waiting: list[tuple[str, Any, int]] = [("", root, 0)]
    seen = set()
    count = 0
    while waiting:
        path, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > _DEEPEST:
            raise UserError(f"{file.name}: the group {shown(path)} lies in itself, expected folders of datasets")
        seen.add(address)
        below = []
        for name in group:
            whole = f"{path}.{name}" if path else str(name)
            count += 1
            if count > _MOST:
                raise UserError(f"{file.name} holds more than {_MOST:,} datasets, expected the signals of a recording")
            if file.leaves_out(whole) or (not path and skip(str(name))):
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UserError(
                    f"{file.name}: {shown(whole)} is a link to another place, which is not followed; leave it out with "
                    "ignore"
                )
            item = group[name]
            if isinstance(item, h5py.Group):
                below.append((whole, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                _check(item, whole, file)
                yield whole, item
        waiting += reversed(below)


def _check(dataset: Any, path: str, file: RawFile) -> None:
    """Refuse a dataset that lies in other files, or is larger than its file could hold."""
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{file.name}: {shown(path)} lies in other files, which are not opened; save a copy of it")
    if dataset.shape is None:
        return
    said = dataset.size * dataset.dtype.itemsize
    check_values(said / 8, file)
    if said > max(_SMALL, _RATIO * len(file.raw)):
        raise UserError(
            f"{file.name}: {shown(path)} says it has shape {dataset.shape}, which is more than the file can hold; "
            "save it again"
        )


def plain_array(dataset: Any, path: str, file: RawFile) -> Array:
    """A dataset of numbers or text as an array; empty where it has no values."""
    import h5py

    if dataset.shape is None:
        return np.zeros(0)
    if h5py.check_string_dtype(dataset.dtype):
        return np.asarray(dataset[()], dtype=object)
    kind = dataset.dtype
    if kind.hasobject and not kind.names:
        raise UserError(
            f"{file.name}: {shown(path)} holds references or lists of different lengths, expected numbers or text; "
            "leave it out with ignore"
        )
    return np.asarray(dataset[()])
