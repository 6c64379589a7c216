"""A study as a folder of trial files, read one by one or, where they are plain CSV, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from steps.core.formats.file_table import RawFile
from steps.core.formats.table import Format, read_file
from steps.core.formats.text.dialect import PLAIN
from steps.core.readers.choice import Choice, check_patterns
from steps.core.readers.columns import IDENTITIES, Columns, Lines, Parsed, features_of
from steps.core.readers.csv_file import Header, csv_header, is_plain, parse_together
from steps.core.readers.file_tables import Told, parse_file_table
from steps.core.readers.files import Fingerprint, Request
from steps.core.readers.in_parts import PART, STREAMED_FROM, InParts
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.resample import Doubles
from steps.core.readers.seconds import unit_of_time
from steps.core.readers.text_files import Texts, check_unnamed, is_plain_csv
from steps.core.readers.trial_files import StudyFiles, TrialFile, study_files
from steps.errors import UserError, shown, shown_path
from steps.system.untrusted_files import check_files, read_regular

_RUN_BYTES: Final = 4 << 20

_Run = list[tuple[TrialFile, bytes]]
_Tables = Iterator[tuple[Parsed, list[int]]]  # columns in the order of the first file, and the rows of each file


def read_folder(folder: Path, request: Request, run_bytes: int = _RUN_BYTES) -> LongTable | InParts:
    """Read every trial of a study; features are put in the order of the first file.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        request: how; where there is no label folder, the label is "".

        run_bytes: of files to parse at once.

    Raises:
        UserError: a file is malformed, its columns are not those of the first file, or the choice names columns that no
            file has.
    """
    return trials_of(study_files(folder, labelled=request.labelled), str(folder), request, run_bytes)


def read_trials(study: StudyFiles, where: str, request: Request, run_bytes: int = _RUN_BYTES) -> LongTable:
    """Read files of which it is known which trial each of them is.

    Args:
        study: the files, at least one.
        where: what messages call the study.
        request: how.
        run_bytes: of files to parse at once.

    Raises:
        UserError: as for `read_folder`.
    """
    reading = _Reading(study, where, request)
    (table,) = reading.parts(run_bytes, np.inf)
    return replace(table, left_out=reading.every.left_out, units=reading.told.units, notes=reading.notes)


def trials_of(study: StudyFiles, where: str, request: Request, run_bytes: int = _RUN_BYTES) -> LongTable | InParts:
    """`read_trials`, in parts where files are many or large.

    Raises:
        UserError: as for `read_folder`; they would not fit into memory, and cannot be read in parts.
    """
    total = sum(file.path.stat().st_size for file in study.trials if file.path.exists())
    if total < STREAMED_FROM or not request.labelled:
        return read_trials(study, where, request, run_bytes)
    if request.processing.steps:  # some of which look at all trials of a subject
        check_files(total, f"source {shown_path(where)}, whose signals are processed,")
        return read_trials(study, where, request)
    reading = _Reading(study, where, request)
    return InParts(reading.names(), lambda: reading.parts(_RUN_BYTES, PART), reading.names)


@dataclass
class _Reading:
    """Reads files of a study one after the other, and knows what is to be said about them at the end."""

    study: StudyFiles
    where: str
    request: Request
    told: Told = field(default_factory=Told)
    every: Columns = field(default_factory=lambda: Columns({}))
    expected: list[str] = field(default_factory=list)
    first_row: int = 2

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence each."""
        return (*self.told.notes(), *self.every.notes, *self.study.notes)

    @cached_property
    def _texts(self) -> dict[str, pd.Categorical]:
        """What is said of each file."""
        files = self.study.trials
        names = ("subject", "label", "trial", "group", *(["side"] if any(file.side for file in files) else []))
        columns = {
            name: text_column(pa.chunked_array([[getattr(file, name) for file in files]]), name) for name in names
        }
        return columns | {"test_number": categorical(np.zeros(len(files), dtype=np.int64), [""])}

    def names(self) -> LongTable:
        """Of each file its first row, without values; what is said about columns is that of the files read so far."""
        count = len(self.study.trials)
        return LongTable(
            frame=pd.DataFrame({**self._texts, "time": np.zeros(count)}, copy=False),
            values=np.zeros((count, 1)),
            features=features_of(self.expected),
            origins=tuple(file.name for file in self.study.trials),
            starts=tuple(range(count)),
            first_row=self.first_row,
            has_time="time" in self.expected,
            left_out=self.every.left_out,
            units=self.told.units,
            notes=self.notes,
        )

    def parts(self, run_bytes: int, part_bytes: float) -> Iterator[LongTable]:
        """Files as long tables of about so many bytes, but of at least two files.

        Raises:
            UserError: as for `read_folder`.
        """
        files, request = self.study.trials, self.request
        names: dict[str, None] = {}
        part, done = _Part(), 0
        for parsed, rows in _tables(files, self.study.kind, request, self.told, run_bytes):
            if not self.expected:
                self.expected, self.every = parsed.table.column_names, parsed.columns
                self.first_row = parsed.first_row
            part.add(parsed, rows, self.first_row, in_seconds=bool(request.processing.steps))
            request.watch(done + len(part.lengths), len(files), "files")
            if parsed.names and parsed.columns is not self.every:
                self.every = self.every.merged_with(parsed.columns)
            names |= dict.fromkeys(parsed.names)
            if part.bytes >= part_bytes and len(part.lengths) > 1 and len(files) - done - len(part.lengths) > 1:
                yield self._table(part, done)
                part, done = _Part(), done + len(part.lengths)
        request.fingerprint.add_notes(self.study.notes)
        check_patterns("ignore", request.choice.ignore, names, shown_path(self.where))
        yield self._table(part, done)

    def _table(self, part: _Part, first: int) -> LongTable:
        own = slice(first, first + len(part.lengths))
        texts = {name: column[own] for name, column in self._texts.items()}
        if len(part.lengths) < len(self.study.trials):
            texts = {name: column.remove_unused_categories() for name, column in texts.items()}
        columns: dict[str, object] = {
            name: column.take(np.repeat(np.arange(len(part.lengths)), part.lengths)) for name, column in texts.items()
        }
        columns["time"] = np.concatenate(part.times)
        return LongTable(
            frame=pd.DataFrame(columns, copy=False),
            values=np.concatenate(part.values),
            features=features_of(self.expected),
            origins=tuple(file.name for file in self.study.trials[own]),
            starts=tuple((np.cumsum(part.lengths) - part.lengths).tolist()),
            first_row=self.first_row,
            has_time="time" in self.expected,
            lines=part.lines,
        )


@dataclass
class _Part:
    """Rows of some files."""

    values: list[Doubles] = field(default_factory=list)
    times: list[Doubles] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    lines: dict[int, Lines] = field(default_factory=dict)
    bytes: int = 0

    def add(self, parsed: Parsed, rows: Sequence[int], first_row: int, *, in_seconds: bool) -> None:
        names = parsed.table.column_names
        self.values.append(row_major(parsed.table, features_of(names)))
        self.bytes += self.values[-1].nbytes
        seconds = unit_of_time(parsed) if in_seconds else 1.0
        recorded = [parsed.table["time"].to_numpy() * seconds] if "time" in names else []
        self.times += recorded or [np.arange(n, dtype=np.float64) for n in rows]
        if parsed.lines is not None:
            self.lines[len(self.lengths)] = parsed.lines
        elif parsed.first_row != first_row:
            self.lines[len(self.lengths)] = np.arange(parsed.table.num_rows) + parsed.first_row
        self.lengths += rows


def _tables(files: Sequence[TrialFile], kind: Format | None, request: Request, told: Told, run_bytes: int) -> _Tables:
    if kind and not kind.is_text:
        check_unnamed(request.choice, files[0].name, kind.title)
        return _of_format(files, kind, request, told)
    if kind or not is_plain_csv(read_regular(files[0].path, files[0].name), files[0].name, request.choice):
        return _of_text(files, request, told)
    return _of_csv(files, request, told, run_bytes)


def _of_text(files: Sequence[TrialFile], request: Request, told: Told) -> _Tables:
    """The tables of texts that are no plain CSV, one by one."""
    first, expected, choice = files[0].name, list[str](), request.choice
    texts = Texts(told, choice)
    for file in files:
        raw = read_regular(file.path, file.name)
        request.fingerprint.add(file.relative, raw)
        parsed = texts.parse(raw, file.name)
        expected = expected or list(parsed.columns.taken.values())
        _check_columns(file.name, parsed.columns, first, expected, choice)
        yield replace(parsed, table=parsed.table.select(expected)), [parsed.table.num_rows]


def _of_format(files: Sequence[TrialFile], kind: Format, request: Request, told: Told) -> _Tables:
    """The tables of files of a format, one by one."""
    first, expected = files[0].name, list[str]()
    for file in files:
        raws = {}
        for relative in (file.relative, *file.companions):
            raws[relative] = read_regular(file.folder / relative, shown_path(relative))
            request.fingerprint.add(relative, raws[relative])
        table = read_file(_raw_file(file, raws, request.choice), kind)
        parsed = parse_file_table(table, file.name, choice=request.choice)
        expected = expected or list(parsed.columns.taken.values())
        _check_columns(file.name, parsed.columns, first, expected, request.choice)
        told.add(file.name, table, parsed.columns)
        yield replace(parsed, table=parsed.table.select(expected)), [parsed.table.num_rows]


def _raw_file(file: TrialFile, raws: dict[str, bytes], choice: Choice) -> RawFile:
    by_name = {relative.rpartition("/")[2]: raw for relative, raw in raws.items()}

    def beside(name: str) -> bytes:
        if name not in by_name:
            raise UserError(f"{file.name} needs the file {shown(name)}, which is not beside it")
        return by_name[name]

    return RawFile(raws[file.relative], file.name, beside, choice.leaves_out, choice.wants)


def _of_csv(files: Sequence[TrialFile], request: Request, told: Told, run_bytes: int) -> _Tables:
    """The tables of CSV files, plain ones together."""
    first, choice = files[0].name, request.choice
    header = csv_header(read_regular(files[0].path, first), first, choice=choice)
    _check_columns(first, header.columns, first, list(header.columns.taken.values()), choice)
    texts = Texts(told, choice, dialect=PLAIN, first=first)
    for run, plain in _runs(files, header, request.fingerprint, run_bytes):
        yield from _parse(run, plain, header, first, texts)


def _runs(
    files: Iterable[TrialFile], header: Header, fingerprint: Fingerprint, run_bytes: int
) -> Iterator[tuple[_Run, bool]]:
    """Files with their contents, in order, and whether they are plain: plain ones together, any other for itself."""
    run: _Run = []
    size = 0
    for file in files:
        try:
            raw = read_regular(file.path, file.name)
        except UserError:
            yield run, True  # what is wrong with an earlier file is said first
            raise
        fingerprint.add(file.relative, raw)
        plain = is_plain(raw, header)
        if run and (not plain or size + len(raw) > run_bytes):
            yield run, True
            run, size = [], 0
        if plain:
            run.append((file, raw))
            size += len(raw)
        else:
            yield [(file, raw)], False
    if run:
        yield run, True


def _parse(run: _Run, plain: bool, header: Header, first: str, texts: Texts) -> Iterator[tuple[Parsed, list[int]]]:
    """A run's tables, with the columns of the first file in its order, and the rows of each of their files."""
    if plain and (together := parse_together([raw for _, raw in run], header)):
        table, rows = together
        yield Parsed(table, header.names, header.columns), rows
        return
    expected = list(header.columns.taken.values())
    for file, raw in run:
        parsed = texts.parse(raw, file.name)
        _check_columns(file.name, parsed.columns, first, expected, texts.choice)
        yield replace(parsed, table=parsed.table.select(expected)), [parsed.table.num_rows]


def _check_columns(name: str, columns: Columns, first: str, expected: Sequence[str], choice: Choice) -> None:
    names = columns.taken.values()
    for column, taken in columns.taken.items():
        if taken in IDENTITIES:
            raise UserError(
                f"{name} has a column {shown(column)}, expected features and at most 'time'; leave it out with "
                f"{choice.without([column])}"
            )
    kind = {True: "column", False: "feature"}
    for taken in expected:
        if taken not in names:
            raise UserError(f"{name} has no {kind[taken == 'time']} {shown(taken)}, which {first} has")
    for taken in names:
        if taken not in expected:
            raise UserError(f"{name} has an additional {kind[taken == 'time']} {shown(taken)}, which {first} has not")
