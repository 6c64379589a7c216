"""Tables with a row per trial, whose samples stand side by side, become tables with a row per sample."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from steps.core.formats.file_table import FileTable, Lines, RawFile, check_values
from steps.core.formats.time_column import is_time
from steps.errors import UserError, shown

# knee_x_0, knee_x.0, knee_x[0], knee_x(0), knee_x 0, knee_x0
_SAMPLE: Final = re.compile(r"(?P<name>.*?[^\d_.\-\s\[(])[_.\-\s]*[\[(]?(?P<number>\d{1,6})[\])]?")
_KEYS: Final = ("subject", "label", "trial", "test_number")
_FEWEST: Final = 5  # samples of a trial: joint1 to joint4 are features


def unfolded(table: FileTable, name: str) -> FileTable | None:
    """A table whose columns ``knee_0`` to ``knee_100`` are samples, as one with a column ``knee``; None for others.

    Time counts from the first number. Samples at the end of a trial that all features lack are left out, as the ends of
    shorter trials.

    Args:
        table: a row per trial; columns without numbers in their names are the trial's own.
        name: what messages call the file.

    Raises:
        UserError: features have different numbers of samples.
    """
    if any(map(is_time, table.table.column_names)):
        return None
    samples: dict[str, dict[int, str]] = defaultdict(dict)
    for column in table.table.column_names:
        if (matched := _SAMPLE.fullmatch(column)) and kinds.is_floating(table.table[column].type):
            samples[matched["name"]][int(matched["number"])] = column
    samples = {name: dict(sorted(columns.items())) for name, columns in samples.items() if len(columns) >= _FEWEST}
    if (
        not samples
        or _is_repeated(table.table)
        or any(max(columns) - min(columns) >= len(columns) for columns in samples.values())
    ):
        return None
    first, *others = samples
    numbers = list(samples[first])
    if odd := next((one for one in others if list(samples[one]) != numbers), None):
        raise UserError(
            f"{name} has a row per trial, but {len(numbers)} samples of {shown(first)} and {len(samples[odd])} of "
            f"{shown(odd)}, expected as many of each"
        )
    rows, length = table.table.num_rows, len(numbers)
    blocks = {
        feature: np.column_stack([table.table[column].to_numpy() for column in columns.values()])
        for feature, columns in samples.items()
    }
    present = ~np.all([np.isnan(block) for block in blocks.values()], axis=0)
    lengths = np.where(present.any(axis=1), length - np.argmax(present[:, ::-1], axis=1), length)
    kept = np.arange(length) < lengths[:, np.newaxis]
    of_row = np.repeat(np.arange(rows), lengths)
    sampled = {column for columns in samples.values() for column in columns.values()}
    own = [column for column in table.table.column_names if column not in sampled]
    check_values(float(len(of_row)) * (len(own) + len(blocks)), RawFile(b"", name))
    columns = {column: table.table[column].take(of_row) for column in own}
    columns["time"] = pa.chunked_array([np.broadcast_to(np.array(numbers, dtype=np.float64), (rows, length))[kept]])
    columns |= {feature: pa.chunked_array([block[kept]]) for feature, block in blocks.items()}
    lines = np.arange(rows) + table.first_row if table.lines is None else table.lines
    notes = [f"{length} columns are the samples of each trial; time is their number, {numbers[0]} to {numbers[-1]}."]
    if (lengths < length).any():
        notes.append(f"{int((lengths < length).sum())} trials end earlier: what lacks at their ends was left out.")
    read_as = f"{table.read_as}, a row per trial" if table.read_as else "a row per trial"
    return replace(table, table=pa.table(columns), read_as=read_as, lines=lines[of_row], notes=(*table.notes, *notes))


def _is_repeated(table: pa.Table) -> bool:
    """Whether a trial has several rows."""
    keys = [column for column in table.column_names if column.casefold() in _KEYS]
    return bool(keys) and table.select(keys).group_by(keys).aggregate([]).num_rows < table.num_rows


def unnested(table: pa.Table, name: str) -> tuple[pa.Table, Lines]:
    """A table whose cells are lists of samples, as one with a row per sample, and the row that each came from, from 1.

    Where no column is called as time, ``time`` counts samples.

    Raises:
        UserError: the lists of a row have different lengths.
    """
    nested = [column for column in table.column_names if is_list(table[column].type)]
    lengths = {column: pc.fill_null(pc.list_value_length(table[column]), 0).to_numpy() for column in nested}
    expected = lengths[nested[0]]
    for column, some in lengths.items():
        if (some != expected).any():
            row = int(np.argmax(some != expected))
            raise UserError(
                f"{name}, row {row + 1}: column {shown(column)} holds {some[row]} samples, but {shown(nested[0])} "
                f"{expected[row]}; expected as many in each column of a row"
            )
    of_row = np.repeat(np.arange(table.num_rows), expected)
    check_values(float(len(of_row)) * table.num_columns, RawFile(b"", name))
    columns = {
        column: pc.list_flatten(table[column]) if column in lengths else table[column].take(of_row)
        for column in table.column_names
    }
    if not any(map(is_time, table.column_names)):
        starts = np.cumsum(expected) - expected
        columns["time"] = pa.chunked_array([(np.arange(len(of_row)) - starts[of_row]).astype(np.float64)])
    return pa.table(columns), of_row + 1


def is_list(kind: pa.DataType) -> bool:
    """Whether cells of this type are lists of single values."""
    some = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    return bool(some and kinds.is_primitive(kind.value_type))
