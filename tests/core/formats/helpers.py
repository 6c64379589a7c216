"""Files of formats, written as people write them, and one of them as a reader gets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from steps.core.formats.file_table import FileTable, RawFile
from steps.core.formats.table import format_of, read_file
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES


def raw_file(path: Path, ignore: tuple[str, ...] = ()) -> RawFile:
    """A file with all that lies beside it."""

    def beside(name: str) -> bytes:
        if name not in {one.name for one in path.parent.iterdir()}:
            raise UserError(f"{path.name} needs the file {name!r}, which is not beside it")
        return (path.parent / name).read_bytes()

    def leaves_out(column: str) -> bool:
        return column in ignore

    return RawFile(path.read_bytes(), path.name, beside, leaves_out, lambda column: column not in ignore)


def read(path: Path, ignore: tuple[str, ...] = ()) -> FileTable:
    """What a file's format makes of it."""
    kind = format_of(path.name)
    assert kind
    return read_file(raw_file(path, ignore), kind)


def values(table: FileTable, *columns: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Columns of numbers side by side, (rows, columns)."""
    return np.column_stack([table.table[name].to_numpy() for name in columns])


def write_npz(frame: pd.DataFrame, path: Path) -> None:
    """Every column as an array."""
    arrays: dict[str, Any] = {str(name): np.asarray(frame[name].tolist()) for name in frame}
    np.savez(path, **arrays)


def write_study(frame: pd.DataFrame, folder: Path, suffix: str, write: Callable[[pd.DataFrame, Path], None]) -> str:
    """A frame as ``participants/`` and ``control_data/`` of files of any format; time and features only."""
    for key, rows in frame.groupby(["subject", "label", "trial", "group"], sort=False):
        subject, label, trial, group = map(str, key)
        parts = ["control_data", subject] if group == "control" else ["participants", subject, label]
        path = folder.joinpath(*parts, f"{trial}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write(rows[["time", *FEATURES]], path)
    return str(folder)
