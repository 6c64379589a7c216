"""A study as one long table: ``.csv`` or ``.parquet`` with a row per trial and time point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.fingerprint import Fingerprint
from steps.core.readers.groups import group_notes
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.parse import features_of, parse_csv, parse_parquet, read_bytes

SUFFIXES = (".csv", ".parquet")
_REQUIRED = ("subject", "label", "trial", "time")
_OPTIONAL = ("group", "test_number")


def read_table(
    path: Path, *, labelled: bool = True, fingerprint: Fingerprint | None = None, choice: Choice = EVERYTHING
) -> LongTable:
    """Read a long table with columns ``subject, label, trial, time``, optionally ``group, test_number``, and features.

    Args:
        path: a ``.csv`` or ``.parquet`` file.
        labelled: whether ``label`` must be there; where it is not, every label is "".
        fingerprint: what is read is added to it.
        choice: which columns are wanted.

    Raises:
        UserError: the file is malformed, a required column is missing, or the choice names columns that it has not.
    """
    is_csv = path.suffix.lower() == ".csv"
    required = tuple(name for name in _REQUIRED if labelled or name != "label")
    raw = read_bytes(path, path.name)
    if fingerprint:
        fingerprint.add(path.name, raw)
    parsed = (parse_csv if is_csv else parse_parquet)(raw, path.name, required, choice)
    table = parsed.table
    features = features_of(table.column_names)
    merged: list[str] = []
    columns: dict[str, object] = {
        name: text_column(table[name], name, merged)
        for name in ("subject", "label", "trial", *_OPTIONAL)
        if name in table.column_names
    }
    for name in ("label", *_OPTIONAL):
        columns.setdefault(name, categorical(np.zeros(table.num_rows, dtype=np.int64), [""]))
    columns["time"] = table["time"].to_numpy()
    frame = pd.DataFrame(columns, copy=False)
    return LongTable(
        frame=frame,
        values=row_major(table, features),
        features=features,
        origins=(path.name,),
        starts=(0,),
        first_row=2 if is_csv else 1,
        lines={} if parsed.lines is None else {0: parsed.lines},
        left_out=parsed.columns.left_out,
        notes=(*parsed.columns.notes, *merged, *group_notes(frame)),
    )
