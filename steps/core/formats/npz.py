"""NumPy's ``.npz``: a zip of arrays. Nothing is unpickled, and nothing is unpacked that is larger than it says."""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np

from steps.core.formats.archive import unpacked
from steps.core.formats.arrays import Array, columns_of
from steps.core.formats.file_table import FileTable, RawFile
from steps.errors import UserError, shown

_SUFFIX: Final = ".npy"
_LONGEST_HEADER: Final = 10_000


def read_npz(file: RawFile) -> FileTable:
    """The arrays of an NPZ file as columns, see `columns_of`.

    Raises:
        UserError: it is damaged, holds objects (pickles), or its arrays are no columns of one length.
    """
    members = unpacked(
        file,
        "NPZ",
        "save it again with numpy.savez",
        lambda name: name.endswith(_SUFFIX) and not file.leaves_out(name.removesuffix(_SUFFIX)),
    )
    arrays = {
        (name := member.removesuffix(_SUFFIX)): _array(content, name, file) for member, content in members.items()
    }
    return columns_of(arrays, file, "NPZ")


def _array(raw: bytes, name: str, file: RawFile) -> Array:
    """One array from the bytes of its ``.npy``; its header is read by NumPy, which evaluates literals only."""
    stream: Any = io.BytesIO(raw)
    reader: Any = np.lib.format
    try:
        version = reader.read_magic(stream)
        read = reader.read_array_header_1_0 if version == (1, 0) else reader.read_array_header_2_0
        shape, is_fortran, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # a literal that is damaged fails in many ways
        raise UserError(f"{file.name}: the array {shown(name)} has no readable header; save it again") from error
    if dtype.hasobject:
        raise UserError(
            f"{file.name}: {shown(name)} holds Python objects (a pickle), which are never opened; save numbers and text"
        )
    start, count = stream.tell(), math.prod(shape)
    if min(shape, default=0) < 0 or not dtype.itemsize or len(raw) - start != count * dtype.itemsize:
        raise UserError(
            f"{file.name}: the array {shown(name)} says it has shape {shape} of {dtype}, but holds {len(raw) - start} "
            "bytes; it is damaged, save it again"
        )
    values = np.frombuffer(raw, dtype, count, start)
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)
