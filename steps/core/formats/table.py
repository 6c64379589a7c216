"""Which formats there are: one row per kind, found by the suffix of a file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from steps.core.formats.arff import read_arff
from steps.core.formats.c3d import read_c3d
from steps.core.formats.edf import read_edf
from steps.core.formats.feather import read_feather
from steps.core.formats.file_table import FileTable, RawFile
from steps.core.formats.hdf5 import read_hdf5
from steps.core.formats.mat import read_mat
from steps.core.formats.npz import read_npz
from steps.core.formats.text.container import TEXT_SUFFIXES
from steps.core.formats.text.read import read_text_file
from steps.core.formats.ts import read_ts
from steps.core.formats.wfdb import read_wfdb
from steps.core.formats.xlsx import read_xlsx
from steps.errors import UserError


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        title: what people call it.
        suffixes: of its files, in lower case.
        read: makes columns of one file; raises `UserError` for whatever is wrong with it.
        is_table: whether one file may hold a whole study, a row per trial and time point; else it is one recording.
        package: what has to be installed for it beyond the environment, as Python imports it; "" for nothing.
        requirement: how to ask pip for that.
        companions: suffixes of files that belong to one of its files, and are read with it.
        is_text: whether its files are text, read by their dialect, which must be the same for all files of a source.
    """

    title: str
    suffixes: tuple[str, ...]
    read: Callable[[RawFile], FileTable]
    is_table: bool = False
    package: str = ""
    requirement: str = ""
    companions: tuple[str, ...] = ()
    is_text: bool = False


_TEXTS: Final = (
    Format("OpenSim", (".mot", ".sto"), read_text_file, is_text=True),
    Format("OpenSim trajectories", (".trc",), read_text_file, is_text=True),
    Format("tab-separated text", (".tsv", ".tab"), read_text_file, is_table=True, is_text=True),
    Format("text", (".txt", ".dat", ".asc"), read_text_file, is_table=True, is_text=True),
    Format("compressed text", (*(f"{suffix}.gz" for suffix in TEXT_SUFFIXES), ".zip"), read_text_file, is_table=True,
           is_text=True),
)  # fmt: skip
_ROWS: Final = (
    *_TEXTS,
    Format("C3D", (".c3d",), read_c3d),
    Format("EDF", (".edf", ".bdf"), read_edf, package="edfio", requirement="edfio>=0.4.18,<0.5"),
    Format("WFDB", (".hea",), read_wfdb, companions=(".dat", ".mat", ".atr")),
    Format("Excel", (".xlsx", ".xlsm"), read_xlsx, True, "python_calamine", "python-calamine>=0.9,<1"),
    Format("MATLAB", (".mat",), read_mat, True),
    Format("HDF5", (".h5", ".hdf5", ".hdf"), read_hdf5, True),
    Format("NPZ", (".npz",), read_npz, is_table=True),
    Format("Arrow", (".feather", ".arrow", ".ipc"), read_feather, is_table=True),
    Format("ARFF", (".arff",), read_arff, is_table=True),
    Format("time series archive", (".ts",), read_ts, is_table=True),
)
FORMATS: Final[Mapping[str, Format]] = {suffix: row for row in _ROWS for suffix in row.suffixes}


def format_of(name: str) -> Format | None:
    """The format of a file with this name; None if it is none of `FORMATS`."""
    return FORMATS.get(suffix_of(name))


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, that of a compressed file with the one before it: ``.csv.gz``."""
    suffixes = Path(name.lower()).suffixes
    return "".join(suffixes[-2 if suffixes[-1:] == [".gz"] else -1 :])


def read_file(file: RawFile, kind: Format) -> FileTable:
    """A file of a format as named columns.

    Raises:
        UserError: what the format needs is not installed, or anything is wrong with the file.
    """
    if kind.package and importlib.util.find_spec(kind.package) is None:
        raise UserError(
            f"{file.name}: {kind.title} files need the package {kind.package}, which is not installed; install it with "
            f"pip install '{kind.requirement}' and run with --env-manager local"
        )
    if not file.raw:
        raise UserError(f"{file.name} is empty, expected {kind.title}")
    dropped: dict[str, None] = {}

    def leaves_out(column: str) -> bool:
        is_out = file.leaves_out(column)
        dropped.update({column: None} if is_out else {})
        return is_out

    def wants(column: str) -> bool:
        is_wanted = file.wants(column)
        dropped.update({} if is_wanted else {column: None})
        return is_wanted

    table = kind.read(replace(file, leaves_out=leaves_out, wants=wants))
    return replace(table, dropped=tuple(name for name in dropped if name not in table.table.column_names))
