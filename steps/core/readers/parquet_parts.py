"""Large Parquet tables, in parts of whole trials: rows are read a piece at a time, names of trials before all else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from steps.core.formats.wide import is_list
from steps.core.readers.columns import IDENTITIES, Columns, check_columns, features_of
from steps.core.readers.files import Request
from steps.core.readers.groups import group_notes
from steps.core.readers.in_parts import PART, STREAMED_FROM, InParts, check_fits
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.parquet import readable, text_columns, typed_column
from steps.core.readers.stored import check_space
from steps.errors import UserError, shown
from steps.system.untrusted_files import bounded_memory, check_parquet, open_regular, parquet_bytes, size

_KEYS: Final = ("subject", "label", "trial", "test_number")
_OPTIONAL: Final = ("label", "group", "test_number")
_ROWS: Final = 1 << 17  # of names to read at once
_BUFFER: Final = 1 << 20  # bytes of each column
_SMALLEST_FILE: Final = 1 << 20  # bytes: a smaller one is not asked what it unpacks to
_PIECE: Final = 256 << 20  # what reading one piece may take, and a few times that


def parquet_in_parts(path: Path, request: Request, required: Sequence[str]) -> InParts | None:
    """A large Parquet file with a row per time point; None for others, which are read at once.

    Args:
        path: of the file.
        request: how; the fingerprint receives the file.
        required: columns that must be there.

    Raises:
        UserError: it is damaged, columns that `check_columns` refuses, columns of a wrong type, the rows of a trial do
            not stand together, or the dataset would not fit into memory.
    """
    name = path.name
    if request.processing.steps or not request.labelled or path.stat().st_size < _SMALLEST_FILE:
        return None
    with open_regular(path, name) as file, readable(name), pq.ParquetFile(file) as first:
        if parquet_bytes(first.metadata) < STREAMED_FROM or any(is_list(one.type) for one in first.schema_arrow):
            return None
        check_parquet(first.metadata, path.stat().st_size, name, copies=0)
        header = [column.strip() or f"Unnamed: {i}" for i, column in enumerate(first.schema_arrow.names)]
        called = dict(zip(header, first.schema_arrow.names, strict=True))
        text = text_columns(first, name)
        columns = check_columns(header, name, required, request.choice)
    reading = _Reading(path, request, columns, called, text)
    reading.read_names()
    request.fingerprint.add_file(name, path)
    return InParts(reading.names, reading.parts, lambda: reading.names)


@dataclass
class _Reading:
    """Reads one file."""

    path: Path
    request: Request
    columns: Columns
    called: dict[str, str]
    text: list[str]
    starts: list[int] = field(default_factory=list)  # first row of each trial, and the number of rows
    texts: dict[str, pd.Categorical] = field(default_factory=dict)

    names: LongTable = field(init=False)

    @property
    def _name(self) -> str:
        return self.path.name

    @property
    def _features(self) -> tuple[str, ...]:
        return features_of(self.columns.taken.values())

    def read_names(self) -> None:
        """Read whose each row is; of neighbouring rows of one trial, once."""
        wanted = {column: taken for column, taken in self.columns.taken.items() if taken in IDENTITIES}
        found: dict[str, list[str | None]] = {taken: [] for taken in wanted.values()}
        done = 0
        before: tuple[str | None, ...] | None = None
        for table in self._tables(list(wanted), _ROWS):
            codes, texts = [], []
            for column, taken in wanted.items():
                names = typed_column(table[column], column, taken, self._name, self.request.choice, done + 1)
                if not isinstance(names, pa.DictionaryArray):
                    names = names.combine_chunks().dictionary_encode()
                codes.append(names.indices.fill_null(-1).to_numpy(zero_copy_only=False))
                texts.append([*names.dictionary.to_pylist(), None])
            is_next = np.zeros(table.num_rows, dtype=np.bool_)
            is_next[0] = True
            for code in codes:
                is_next[1:] |= code[1:] != code[:-1]
            for row in np.flatnonzero(is_next).tolist():
                now = tuple(some[code[row]] for some, code in zip(texts, codes, strict=True))
                if now != before:
                    self.starts.append(done + row)
                    for taken, text in zip(found, now, strict=True):
                        found[taken].append(text)
                    before = now
            done += table.num_rows
        if not done:
            raise UserError(f"{self._name} holds columns but no rows, expected a row per time point")
        self._take(found, done)

    def _take(self, found: dict[str, list[str | None]], rows: int) -> None:
        merged: list[str] = []
        count = len(self.starts)
        self.starts.append(rows)
        for taken in ("subject", "label", "trial", "group", "test_number"):
            if taken in found:
                column = pa.chunked_array([pa.array(found[taken], pa.string())])
                self.texts[taken] = text_column(column, taken, merged)
            elif taken in _OPTIONAL:
                self.texts[taken] = categorical(np.zeros(count, dtype=np.int64), [""])
        frame = pd.DataFrame({**self.texts, "time": np.zeros(count)}, copy=False)
        self._check_together(frame)
        lengths = np.diff(self.starts)
        if not self.request.exclude:
            check_fits(lengths.tolist(), self.request.timesteps, len(self._features), self._name)
            check_space(8.0 * rows * (len(self._features) + 1), self._name)
        self.names = LongTable(
            frame=frame,
            values=np.zeros((count, 1)),
            features=self._features,
            origins=(self._name,),
            starts=(0,),
            lines={0: np.array(self.starts[:-1]) + 1},
            left_out=self.columns.left_out,
            notes=(*self.columns.notes, *merged, *group_notes(frame)),
        )

    def _check_together(self, frame: pd.DataFrame) -> None:
        """Check that no trial stands in two places.

        Raises:
            UserError: one does.
        """
        again = frame.duplicated(list(_KEYS)).to_numpy()
        if not again.any():
            return
        second = int(again.argmax())
        key = frame.loc[second, list(_KEYS)]
        first = int((frame[list(_KEYS)] == key).all(axis=1).to_numpy().argmax())
        raise UserError(
            f"{self._name}, row {self.starts[second] + 1}: rows of subject {shown(key['subject'])}, trial "
            f"{shown(key['trial'])} stand from row {self.starts[first] + 1} on, too; expected the rows of each trial "
            f"together in a file of more than {size(STREAMED_FROM)}, sort it by subject, label and trial"
        )

    def parts(self) -> Iterator[LongTable]:
        """Whole trials, as many as make about `PART` bytes.

        Raises:
            UserError: a column is of a wrong type, or the file is damaged.
        """
        wanted = {column: taken for column, taken in self.columns.taken.items() if taken not in IDENTITIES}
        rows = max(1, PART // (8 * len(wanted)))
        megabytes = self.path.stat().st_size / 1e6
        waiting: list[pa.Table] = []
        first, done = 0, 0  # of the trials; of the rows
        for table in self._tables(list(wanted), rows):
            typed = {
                taken: typed_column(table[column], column, taken, self._name, self.request.choice, done + 1)
                for column, taken in wanted.items()
            }
            waiting.append(pa.table(typed))
            done += table.num_rows
            whole = int(np.searchsorted(self.starts, done, side="right")) - 1
            if whole <= first or (done < self.starts[-1] and sum(one.nbytes for one in waiting) < PART):
                continue
            self.request.watch(megabytes * done / self.starts[-1], megabytes, "MB")
            together = pa.concat_tables(waiting)
            count = self.starts[whole] - self.starts[first]
            yield self._part(together.slice(0, count), first, whole)
            waiting, first = [together.slice(count)], whole

    def _part(self, table: pa.Table, first: int, whole: int) -> LongTable:
        lengths = np.diff(self.starts[first : whole + 1])
        columns: dict[str, object] = {
            name: column[first:whole].remove_unused_categories().take(np.repeat(np.arange(len(lengths)), lengths))
            for name, column in self.texts.items()
        }
        columns["time"] = table["time"].to_numpy()
        return LongTable(
            frame=pd.DataFrame(columns, copy=False),
            values=row_major(table, self._features),
            features=self._features,
            origins=(self._name,),
            starts=(0,),
            first_row=self.starts[first] + 1,
        )

    def _tables(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """The columns, so many rows at a time, under the names that messages give them."""
        theirs = [self.called[column] for column in columns]
        with (
            open_regular(self.path, self._name) as file,
            readable(self._name),
            pq.ParquetFile(file, read_dictionary=self.text, pre_buffer=False, buffer_size=_BUFFER) as whole,
        ):
            batches = whole.iter_batches(rows, columns=theirs, use_threads=False)
            while True:
                with bounded_memory(_PIECE, self._name):
                    batch = next(batches, None)
                if batch is None:
                    return
                if batch.num_rows:
                    yield pa.Table.from_batches([batch]).select(theirs).rename_columns(list(columns))
