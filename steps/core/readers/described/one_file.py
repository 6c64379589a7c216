"""One recording's file as named columns, whatever its format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile
from steps.core.formats.table import format_of, read_file
from steps.core.readers.choice import Choice
from steps.core.readers.columns import Parsed
from steps.core.readers.file_tables import parse_file_table
from steps.core.readers.parquet import parse_parquet
from steps.core.readers.text_files import Texts
from steps.errors import UserError, shown_path

_RATES: Final = (1.0, 4.0, 32.0, 64.0)
_LOOK: Final = 400


def parse_file(raw: bytes, path: str, choice: Choice, texts: Texts, beside: Callable[[str], bytes]) -> Parsed:
    """The columns of a file that are wanted.

    Args:
        raw: its bytes.
        path: below the study's folder.
        choice: which columns are wanted.
        texts: reads texts, and takes in what files say about themselves.
        beside: bytes of another file of its folder, by its name.

    Raises:
        UserError: anything is wrong with it.
    """
    name = shown_path(path)
    kind = format_of(path)
    if kind is None and _is_empatica(raw):
        table = _empatica(raw, path)
    elif kind is None and path.lower().endswith(".parquet"):
        return parse_parquet(raw, name, (), choice)
    elif kind is None or kind.is_text:
        return texts.parse(raw, name)
    else:
        table = read_file(RawFile(raw, name, beside, choice.leaves_out), kind)
    parsed = parse_file_table(table, name, (), choice)
    texts.told.add(name, table, parsed.columns)
    return parsed


def _is_empatica(raw: bytes) -> bool:
    """Whether a file begins as those of an Empatica E4 do: equal times, then one of its rates."""
    try:
        start, rate = ([float(cell) for cell in line.split(b",")] for line in raw[:_LOOK].splitlines()[:2])
    except ValueError:
        return False
    return len(set(start)) == len(set(rate)) == 1 and len(start) == len(rate) and rate[0] in _RATES


def _empatica(raw: bytes, path: str) -> FileTable:
    """An Empatica E4 file: row 1 is the time at the start, row 2 the rate; the signal is called as the file is."""
    lines = raw.splitlines()
    start, rate = (float(line.split(b",")[0]) for line in lines[:2])
    try:
        values = np.array([[float(cell) for cell in line.split(b",")] for line in lines[2:] if line.strip()])
    except ValueError as error:
        raise UserError(
            f"{shown_path(path)}: {error}, expected numbers below the two rows of an Empatica E4"
        ) from error
    if values.ndim != 2 or not values.size:
        raise UserError(f"{shown_path(path)} holds no samples below the two rows of an Empatica E4")
    stem = Path(path).stem
    names = [stem] if values.shape[1] == 1 else [f"{stem}_{axis}" for axis in "xyz"[: values.shape[1]]]
    columns = {"time": start + np.arange(len(values)) / rate, **dict(zip(names, values.T, strict=True))}
    table = pa.table({column: pa.array(np.ascontiguousarray(cells)) for column, cells in columns.items()})
    return FileTable(table, read_as=f"Empatica E4: {', '.join(names)} at {rate:g} Hz", first_row=3)
