"""A study as a folder of trial files: ``participants/<subject>/<label>/<trial>.csv`` and ``control_data/``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from steps.dataset import CONTROL, PATIENT
from steps.errors import UserError
from steps.prepare.long import LongTable, text_column
from steps.prepare.read import IDENTITIES, features_of, read_csv, shown, shown_path

PARTICIPANTS, CONTROL_DATA = "participants", "control_data"
_LAYOUT = f"{PARTICIPANTS}/<subject>/<label>/<trial>.csv"
_UNLABELLED_LAYOUT = f"{PARTICIPANTS}/<subject>/<trial>.csv"


@dataclass(frozen=True)
class TrialFile:
    """Where one trial lies, and what its folders say about it."""

    path: Path
    name: str
    subject: str
    label: str
    trial: str
    group: str


def trial_files(folder: Path, *, labelled: bool = True) -> list[TrialFile]:
    """The trial files of a study in sorted order, participants first.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        labelled: whether there must be label folders; else ``participants/<subject>/<trial>.csv`` will do as well.

    Raises:
        UserError: no ``participants/``, no trial file in it, or a trial file at another depth.
    """
    if not (folder / PARTICIPANTS).is_dir():
        raise UserError(f"{shown_path(str(folder))} has no folder {PARTICIPANTS}/, expected {_layout(labelled)}")
    files = [_participant(path, folder, labelled) for path in _csv_files(folder / PARTICIPANTS)]
    if not files:
        raise UserError(f"{shown_path(str(folder))} has no .csv file, expected {_layout(labelled)}")
    return files + [_control(path, folder) for path in _csv_files(folder / CONTROL_DATA)]


def read_folder(folder: Path, *, labelled: bool = True) -> LongTable:
    """Read every trial of a study; features are put in the order of the first file.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        labelled: as for `trial_files`; where there is no label folder, the label is "".

    Raises:
        UserError: a file is malformed, or its columns are not those of the first file.
    """
    files = trial_files(folder, labelled=labelled)
    tables: list[pa.Table] = []
    for file in files:
        table = read_csv(file.path, file.name)
        for column in table.column_names:
            if column in IDENTITIES:
                raise UserError(f"{file.name} has a column {shown(column)}, expected features and at most 'time'")
        if tables:
            _compare_columns(table.column_names, tables[0].column_names, file.name, files[0].name)
        tables.append(table.select(tables[0].column_names if tables else table.column_names))
    lengths = np.array([table.num_rows for table in tables])
    merged = pa.concat_tables(tables)
    columns: dict[str, object] = {
        name: text_column(pa.chunked_array([[getattr(file, name) for file in files]])).take(
            np.repeat(np.arange(len(files)), lengths)
        )
        for name in ("subject", "label", "trial", "group")
    }
    columns["test_number"] = text_column(pa.chunked_array([[""]])).take(np.zeros(merged.num_rows, dtype=np.int64))
    has_time = "time" in merged.column_names
    columns["time"] = (
        merged["time"].to_numpy() if has_time else np.concatenate([np.arange(n, dtype=np.float64) for n in lengths])
    )
    features = features_of(merged.column_names)
    columns |= {name: merged[name].to_numpy() for name in features}
    return LongTable(
        frame=pd.DataFrame(columns, copy=False),
        features=features,
        origins=tuple(file.name for file in files),
        starts=tuple((np.cumsum(lengths) - lengths).tolist()),
        has_time=has_time,
    )


def _csv_files(folder: Path) -> Iterator[Path]:
    """Files ``*.csv`` in sorted order; hidden ones (as macOS leaves on a memory stick) are no trials.

    Links are followed; a link to nothing is kept, so that reading it is an error and not a trial less.
    """
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(".csv") and not name.startswith(".")
    ]
    return iter(sorted(found, key=lambda path: path.parts))


def _layout(labelled: bool) -> str:
    return _LAYOUT if labelled else f"{_LAYOUT} or {_UNLABELLED_LAYOUT}"


def _participant(path: Path, folder: Path, labelled: bool) -> TrialFile:
    name = _name(path, folder)
    subject, *labels = path.relative_to(folder / PARTICIPANTS).parts[:-1] or ("",)
    if not subject or len(labels) > 1 or (labelled and not labels):
        raise UserError(f"{name} is out of place, expected {_layout(labelled)}")
    _check_encoding(path, name)
    return TrialFile(path, name, subject=subject, label="".join(labels), trial=path.stem, group=PATIENT)


def _control(path: Path, folder: Path) -> TrialFile:
    folders, name = path.relative_to(folder).parts[1:-1], _name(path, folder)
    _check_encoding(path, name)
    return TrialFile(path, name, "_".join(folders) or CONTROL, label="", trial=path.stem, group=CONTROL)


def _check_encoding(path: Path, name: str) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {name} is not UTF-8, expected folder and file names in UTF-8") from error


def _name(path: Path, folder: Path) -> str:
    return shown_path(path.relative_to(folder).as_posix())


def _compare_columns(found: list[str], expected: list[str], name: str, first: str) -> None:
    kind = {True: "column", False: "feature"}
    for column in expected:
        if column not in found:
            raise UserError(f"{name} has no {kind[column == 'time']} {shown(column)}, which {first} has")
    for column in found:
        if column not in expected:
            raise UserError(f"{name} has an additional {kind[column == 'time']} {shown(column)}, which {first} has not")
