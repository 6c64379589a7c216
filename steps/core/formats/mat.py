"""MATLAB files of versions 5 to 7.3: variables, and fields of structs by their path, as columns.

Version 7.3 is HDF5, with rows and columns exchanged and text as numbers of letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from steps.core.formats.arrays import Array, columns_of
from steps.core.formats.file_table import FileTable, RawFile, check_values
from steps.core.formats.hdf5 import hdf5_arrays
from steps.core.formats.mat5 import DamagedError, Unread, unpacked_size, variables
from steps.errors import UserError, shown

_TITLE: Final = "MATLAB"


def read_mat(file: RawFile) -> FileTable:
    """The variables of a MATLAB file as columns, see `columns_of`.

    Raises:
        UserError: it is damaged, or its variables are no columns of one length: several lengths, arrays of structs,
            objects of classes (tables, time series).
    """
    raw = file.raw
    is_new = raw.startswith(b"MATLAB 7.3") or raw[512:520] == b"\x89HDF\r\n\x1a\n" or raw.startswith(b"\x89HDF")
    arrays = hdf5_arrays(file, _TITLE, is_matlab=True)[0] if is_new else _old(file)
    return columns_of(arrays, file, _TITLE)


def _old(file: RawFile) -> dict[str, Array]:
    try:
        check_values(unpacked_size(file.raw) / 8, file)
        found = variables(file.raw)
    except (DamagedError, ValueError, OverflowError) as error:
        raise UserError(f"{file.name} is not a readable {_TITLE} file: {error}; save it again") from error
    arrays: dict[str, Array] = {}
    _take(found, "", arrays, file)
    return arrays


def _take(value: Any, path: str, arrays: dict[str, Array], file: RawFile) -> None:
    """Put a variable, or the fields of a struct, among the arrays under their paths."""
    if path and file.leaves_out(path):
        return
    if isinstance(value, Mapping):
        for name, field in value.items():
            _take(field, f"{path}.{name}" if path else str(name), arrays, file)
    elif isinstance(value, Unread):
        raise _refused(path, value.what, file)
    elif value.dtype.kind == "O" and value.size and not isinstance(value.flat[0], str):
        arrays[path] = _cells_of_text(value, path, file)
    else:
        arrays[path] = value


def _cells_of_text(cells: Array, path: str, file: RawFile) -> Array:
    texts = np.empty(cells.size, dtype=object)
    for i, cell in enumerate(cells.reshape(-1)):
        if not isinstance(cell, np.ndarray) or cell.size > 1 or (cell.size and not isinstance(cell.flat[0], str)):
            raise _refused(path, "cells of which some hold no text", file)
        texts[i] = cell.flat[0] if cell.size else ""
    return texts.reshape(cells.shape)


def _refused(path: str, what: str, file: RawFile) -> UserError:
    return UserError(
        f"{file.name}: {shown(path)} is {what}, expected numbers or text; save what you need of it as variables (of a "
        "table: table2struct with ToScalar), or leave it out with ignore"
    )
