"""What both readers make of their files: one long table, a row per trial and time point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from steps.core.data.example import Example
from steps.core.readers.columns import Lines
from steps.core.readers.identities import clean, made_one
from steps.core.readers.resample import Doubles
from steps.errors import shown


@dataclass(frozen=True, eq=False)
class LongTable:
    """A study as read.

    Attributes:
        frame: a row per trial and time point. Categorical text columns ``subject``, ``label``, ``trial``, ``group`` and
            ``test_number`` ("" where there is none), of some studies ``side``, and a float64 column ``time``.
        values: float64, shape ``(rows, features)``, NaN where missing.
        features: names of the features, in the order of the first file.
        origins: the files the rows came from, in order, as messages name them.
        starts: row of ``frame`` at which each origin begins, shape ``(origins,)``.
        first_row: number of the first data row of a file in messages (2 below the header of a CSV).
        has_time: whether ``time`` was recorded; else it counts samples.
        lines: of an origin whose rows are not numbered one after the other, the number of each of its rows.
        left_out: columns of the files that were not taken.
        excluded: trials that are there, but were left out.
        notes: what was taken for what, left out or not read, one sentence each.
        units: unit of a feature, where the files say.
        processed: how many steps of the study's recipe were done already, to whole recordings.
        example: the first trial before, and once all steps are done after them.
    """

    frame: pd.DataFrame
    values: Doubles
    features: tuple[str, ...]
    origins: tuple[str, ...]
    starts: tuple[int, ...]
    first_row: int = 2
    has_time: bool = True
    lines: Mapping[int, Lines] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    processed: int = 0
    example: Example | None = None

    @cached_property
    def largest(self) -> float:
        """The largest magnitude among the values: NaN or infinite where one is missing."""
        return float(np.maximum(self.values.max(), -self.values.min()))

    def column(self, feature: int) -> Doubles:
        """The values of one feature in all rows, shape ``(rows,)``."""
        return self.values[:, feature]

    def origin(self, row: int) -> int:
        """Which origin ``row`` of the frame came from."""
        return int(np.searchsorted(self.starts, row, side="right")) - 1

    def where(self, row: int) -> str:
        """File, row, subject and trial of ``row`` of the frame, for a message."""
        return f"{self.line(row)}{self._identity(row)}"

    def line(self, row: int) -> str:
        """File and row of ``row`` of the frame, for a message."""
        origin = self.origin(row)
        number = row - self.starts[origin]
        lines = self.lines.get(origin)
        return f"{self.origins[origin]}, row {number + self.first_row if lines is None else lines[number]}"

    def trial(self, row: int) -> str:
        """File, subject and trial of ``row`` of the frame, for a message."""
        return f"{self.origins[self.origin(row)]}{self._identity(row)}"

    def _identity(self, row: int) -> str:
        if len(self.origins) > 1:  # the file is the trial
            return ""
        keys = ("subject", "label", "trial", "test_number")
        values = [(key, str(self.frame[key].iat[row])) for key in keys]
        return f" ({', '.join(f'{key} {shown(value)}' for key, value in values if value)})"


def row_major(table: pa.Table, columns: Sequence[str]) -> Doubles:
    """Columns of float64 side by side, shape ``(rows, columns)``, so that a trial is one block; NaN for null."""
    parts = [batch.to_tensor(null_to_nan=True, row_major=True) for batch in table.select(columns).to_batches()]
    return np.concatenate([part.to_numpy() for part in parts])


def text_column(column: pa.ChunkedArray, name: str = "", merged: list[str] | None = None) -> pd.Categorical:
    """Identities as categories in sorted order, as `identities.clean` writes them; null becomes "".

    Args:
        column: of text.
        name: of the column.
        merged: receives a sentence for each name that had several spellings.
    """
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    if merged is not None:
        merged += made_one(texts, name)
    names = [*clean(texts, name), ""]
    return categorical(encoded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False), names)


def categorical(codes: npt.ArrayLike, names: Sequence[str]) -> pd.Categorical:
    """Categories in sorted order from ``codes`` into ``names``, which may repeat."""
    unique, position = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    return pd.Categorical.from_codes(position[np.asarray(codes)], categories=pd.Index(unique, dtype="str"))
