"""MATLAB files of versions 5 to 7.3: variables, and fields of structs by their path, as columns.

Version 7.3 is HDF5, with rows and columns exchanged and text as numbers of letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from steps.core.formats.arrays import Array, columns_of
from steps.core.formats.file_table import FileTable, RawFile, check_values
from steps.core.formats.hdf5 import datasets, opened, plain_array
from steps.core.formats.mat5 import DamagedError, Unread, unpacked_size, variables
from steps.errors import UserError, shown

_TITLE: Final = "MATLAB"
_LONGEST: Final = 1 << 20  # letters of a cell
_OWN: Final = "#"  # how MATLAB's own groups begin


def read_mat(file: RawFile) -> FileTable:
    """The variables of a MATLAB file as columns, see `columns_of`.

    Raises:
        UserError: it is damaged, or its variables are no columns of one length: several lengths, arrays of structs,
            objects of classes (tables, time series).
    """
    raw = file.raw
    is_new = raw.startswith(b"MATLAB 7.3") or raw[512:520] == b"\x89HDF\r\n\x1a\n" or raw.startswith(b"\x89HDF")
    return columns_of(_new(file) if is_new else _old(file), file, _TITLE)


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


def _new(file: RawFile) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    with opened(file, _TITLE) as root:
        for path, dataset in datasets(root, file, lambda name: name.startswith(_OWN)):
            arrays[path] = _value(dataset, path, root, file)
    return arrays


def _value(dataset: Any, path: str, root: Any, file: RawFile) -> Array:
    kind = dataset.attrs.get("MATLAB_class", b"double")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if "MATLAB_empty" in dataset.attrs:
        return np.zeros(0)
    if kind == "char":
        return _letters(dataset, path, file)
    if kind == "cell":
        return _cells(dataset, path, root, file)
    if "MATLAB_object_decode" in dataset.attrs or dataset.dtype.kind not in "biuf":
        raise _refused(path, f"an array of structs or an object of the class {kind}", file)
    return plain_array(dataset, path, file).T


def _letters(dataset: Any, path: str, file: RawFile) -> Array:
    """Text: a row of letters is one, several rows are as many."""
    codes = plain_array(dataset, path, file)
    if codes.dtype.kind != "u" or codes.ndim != 2:
        raise _refused(path, "text that cannot be read", file)
    rows = [np.ascontiguousarray(row, dtype="<u2").tobytes().decode("utf-16-le", "replace") for row in codes.T]
    return np.array([row.rstrip() for row in rows], dtype=object)


def _cells(dataset: Any, path: str, root: Any, file: RawFile) -> Array:
    """Cells that each hold a text."""
    import h5py

    if h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
        raise _refused(path, "cells that cannot be read", file)
    texts = []
    for reference in np.asarray(dataset[()]).T.reshape(-1):
        item = root[reference] if reference else None
        if not isinstance(item, h5py.Dataset) or item.attrs.get("MATLAB_class") != b"char" or item.size > _LONGEST:
            raise _refused(path, "cells of which some hold no text", file)
        text = [""] if "MATLAB_empty" in item.attrs else _letters(item, path, file).tolist()
        texts.append("".join(text))
    return np.array(texts, dtype=object)
