"""A study as one long table with a row per trial and time point: CSV, Parquet, or a format that has tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from steps.core.formats.file_table import RawFile
from steps.core.formats.table import FORMATS, format_of, read_file, suffix_of
from steps.core.formats.wide import unfolded
from steps.core.readers.choice import Choice
from steps.core.readers.columns import Parsed, features_of
from steps.core.readers.csv_file import parse_csv
from steps.core.readers.file_tables import Told, parse_file_table
from steps.core.readers.files import Request
from steps.core.readers.groups import group_notes
from steps.core.readers.in_parts import InParts
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.parquet import parse_parquet
from steps.core.readers.parquet_parts import parquet_in_parts
from steps.core.readers.text_files import Texts, check_unnamed
from steps.system.untrusted_files import read_regular

# Of the bytes of a file, what messages call it, the columns it must have, and those that are wanted.
Parser = Callable[[bytes, str, Sequence[str], Choice], Parsed]
PARSERS: Final[Mapping[str, Parser]] = {".csv": parse_csv, ".parquet": parse_parquet}
_CSV: Final = ".csv"
_PARQUET: Final = ".parquet"
TABLES: Final = (*PARSERS, *(suffix for suffix, kind in FORMATS.items() if kind.is_table))
_REQUIRED = ("subject", "label", "trial", "time")
_OPTIONAL = ("group", "test_number")


def is_file(source: str, suffixes: Iterable[str]) -> bool:
    """Whether a source is a regular file with one of these suffixes."""
    return os.path.isfile(source) and suffix_of(source) in suffixes  # noqa: PTH113, no error for odd names


def read_table(path: Path, request: Request) -> LongTable | InParts:
    """`read_at_once`, or in parts where it is a large Parquet file.

    Raises:
        UserError: as there.
    """
    if path.suffix.lower() == _PARQUET:
        check_unnamed(request.choice, path.name, path.suffix)
        if parts := parquet_in_parts(path, request, _REQUIRED):
            return parts
    return read_at_once(path, request)


def read_at_once(path: Path, request: Request, parse: Parser | None = None) -> LongTable:
    """Read a long table with columns ``subject, label, trial, time``, optionally ``group, test_number``, and features.

    Args:
        path: a file.
        request: how; where ``label`` may be missing and is, every label is "".
        parse: makes columns of its bytes; None for what its suffix says.

    Raises:
        UserError: the file is malformed, a required column is missing, or the choice names columns that it has not.
    """
    required = tuple(name for name in _REQUIRED if request.labelled or name != "label")
    raw = read_regular(path, path.name)
    request.fingerprint.add(path.name, raw)
    told, kind = Told(), format_of(path.name)
    if parse is None and (path.suffix.lower() == _CSV or (kind and kind.is_text)):
        parsed = Texts(told, request.choice, required).parse(raw, path.name)
    elif parse is None and kind:
        check_unnamed(request.choice, path.name, kind.title)
        whole = read_file(RawFile(raw, path.name, leaves_out=request.choice.leaves_out), kind)
        whole = unfolded(whole, path.name) or whole
        parsed = parse_file_table(whole, path.name, required, request.choice)
        told.add(path.name, whole, parsed.columns)
    else:
        check_unnamed(request.choice, path.name, path.suffix)
        parsed = (parse or PARSERS[path.suffix.lower()])(raw, path.name, required, request.choice)
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
        first_row=parsed.first_row,
        lines={} if parsed.lines is None else {0: parsed.lines},
        left_out=parsed.columns.left_out,
        units=told.units,
        notes=(*told.notes(), *parsed.columns.notes, *merged, *group_notes(frame)),
    )
