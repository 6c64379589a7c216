"""HDF5 files: every dataset by its path."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from steps.core.formats.arrays import Array, columns_of
from steps.core.formats.file_table import FileTable, RawFile
from steps.core.formats.hdf5_contents import MATLAB, PLAIN, answer, unpack
from steps.errors import UserError, shown
from steps.system.isolated import CrashedError, Isolated

_SECONDS: Final = 5.0
_BYTES_PER_SECOND: Final = 5e6  # a slow machine reads more
_ask: Final = Isolated(answer)  # the process starts when it is asked


def read_hdf5(file: RawFile) -> FileTable:
    """The datasets of an HDF5 file as columns, see `columns_of`; attributes ``units`` are units.

    Numbers among the attributes of the file itself may be a sampling rate.

    Raises:
        UserError: it is damaged, refers to other files, or its datasets are no columns of one length.
    """
    arrays, units = hdf5_arrays(file, "HDF5")
    return columns_of(arrays, file, "HDF5", units)


def hdf5_arrays(file: RawFile, title: str, *, is_matlab: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """The datasets of an HDF5 file by their paths, and their units; those that are left out may be anything.

    Args:
        file: its bytes.
        title: of the format.
        is_matlab: whether it was written by MATLAB, which has ways of its own.

    Raises:
        UserError: it is damaged, or a dataset is no array of numbers or text.
    """
    seconds = _SECONDS + len(file.raw) / _BYTES_PER_SECOND
    try:
        items = unpack(_ask([MATLAB if is_matlab else PLAIN, file.raw], seconds))
    except (UserError, CrashedError) as error:
        raise UserError(f"{file.name} is not a readable {title} file: {error}; save it again") from error
    arrays, units = {}, {}
    for item in items:
        if any(map(file.leaves_out, accumulate(item.path.split("."), "{}.{}".format))):
            continue
        if item.error:
            way_out = f"{item.error}{'' if item.error.endswith(' or') else ';'} leave it out with ignore"
            raise UserError(f"{file.name}: {shown(item.path)} {way_out}")
        arrays[item.path] = item.values
        if item.unit:
            units[item.path] = item.unit
    return arrays, units
