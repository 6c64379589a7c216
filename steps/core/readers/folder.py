"""A study as a folder of trial files, read one by one or, where they are plain CSV, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.resample import Doubles
from steps.core.readers.seconds import unit_of_time
from steps.core.readers.text_files import Texts, check_unnamed, is_plain_csv
from steps.core.readers.trial_files import StudyFiles, TrialFile, study_files
from steps.errors import UserError, shown, shown_path
from steps.system.untrusted_files import read_regular

_RUN_BYTES: Final = 4 << 20

_Run = list[tuple[TrialFile, bytes]]
_Tables = Iterator[tuple[Parsed, list[int]]]  # columns in the order of the first file, and the rows of each file


def read_folder(folder: Path, request: Request, run_bytes: int = _RUN_BYTES) -> LongTable:
    """Read every trial of a study; features are put in the order of the first file.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        request: how; where there is no label folder, the label is "".
        run_bytes: of files to parse at once.

    Raises:
        UserError: a file is malformed, its columns are not those of the first file, or the choice names columns that no
            file has.
    """
    return read_trials(study_files(folder, labelled=request.labelled), str(folder), request, run_bytes)


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
    files, choice, told = study.trials, request.choice, Told()
    tables = _tables(files, study.kind, request, told, run_bytes)
    expected: list[str] = []
    names: dict[str, None] = {}
    every = Columns({})
    lines: dict[int, Lines] = {}
    values: list[Doubles] = []
    times: list[Doubles] = []
    lengths: list[int] = []
    first_row = 2
    for parsed, rows in tables:
        if not values:
            expected, every, first_row = parsed.table.column_names, parsed.columns, parsed.first_row
        values.append(row_major(parsed.table, features_of(expected)))
        has_time = "time" in expected
        seconds = unit_of_time(parsed) if request.processing.steps else 1.0
        recorded = [parsed.table["time"].to_numpy() * seconds] if has_time else []
        times += recorded or [np.arange(n, dtype=np.float64) for n in rows]
        if parsed.lines is not None:
            lines[len(lengths)] = parsed.lines
        elif parsed.first_row != first_row:
            lines[len(lengths)] = np.arange(parsed.table.num_rows) + parsed.first_row
        lengths += rows
        if parsed.names and parsed.columns is not every:
            every = every.merged_with(parsed.columns)
        names |= dict.fromkeys(parsed.names)
    request.fingerprint.add_notes(study.notes)
    check_patterns("ignore", choice.ignore, names, shown_path(where))
    columns: dict[str, object] = {
        name: text_column(pa.chunked_array([[getattr(file, name) for file in files]]), name).take(
            np.repeat(np.arange(len(files)), lengths)
        )
        for name in ("subject", "label", "trial", "group", *(["side"] if any(file.side for file in files) else []))
    }
    columns["test_number"] = categorical(np.zeros(sum(lengths), dtype=np.int64), [""])
    columns["time"] = np.concatenate(times)
    return LongTable(
        frame=pd.DataFrame(columns, copy=False),
        values=np.concatenate(values),
        features=features_of(expected),
        origins=tuple(file.name for file in files),
        starts=tuple((np.cumsum(lengths) - lengths).tolist()),
        first_row=first_row,
        has_time="time" in expected,
        lines=lines,
        left_out=every.left_out,
        units=told.units,
        notes=(*told.notes(), *every.notes, *study.notes),
    )


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
