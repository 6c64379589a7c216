"""A study as a folder of trial files: ``participants/<subject>/<label>/<trial>.csv`` and ``control_data/``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from steps.core.data.manifest import CONTROL, PATIENT
from steps.core.readers import not_read
from steps.core.readers.choice import Choice, check_patterns
from steps.core.readers.columns import IDENTITIES, Columns, Lines, Parsed, features_of
from steps.core.readers.csv_file import Header, csv_header, is_plain, parse_csv, parse_together
from steps.core.readers.files import Fingerprint, Request, SourceFiles
from steps.core.readers.long_table import LongTable, categorical, row_major, text_column
from steps.core.readers.resample import Doubles
from steps.core.readers.walk import Contents, find_files
from steps.errors import UserError, shown, shown_path
from steps.system.untrusted_files import read_regular

PARTICIPANTS, CONTROL_DATA = "participants", "control_data"
_LAYOUT = f"{PARTICIPANTS}/<subject>/<label>/<trial>.csv"
_RUN_BYTES: Final = 4 << 20
_UNLABELLED_LAYOUT = f"{PARTICIPANTS}/<subject>/<trial>.csv"


_Run = list[tuple["TrialFile", bytes]]


@dataclass(frozen=True)
class TrialFile:
    """Where one trial lies, and what its folders say about it.

    Attributes:
        folder: the folder of the study.
        relative: the file's path below it, with ``/``.
        subject: the person, by the folder above (of the control group, by all folders above).
        label: by the folder above; "" where there is none.
        trial: name of the file without its suffix.
        group: ``patient`` or ``control``.
    """

    folder: Path
    relative: str
    subject: str
    label: str
    trial: str
    group: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / self.relative

    @property
    def name(self) -> str:
        """What messages call it."""
        return shown_path(self.relative)


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study.

    Attributes:
        trials: in sorted order, participants first.
        notes: what else lies there and is not read, one sentence each.
    """

    trials: list[TrialFile]
    notes: list[str]

    @property
    def files(self) -> SourceFiles:
        """The same as any source names its files."""
        return SourceFiles({trial.relative: trial.path for trial in self.trials}, tuple(self.notes))


def study_files(folder: Path, *, labelled: bool = True) -> StudyFiles:
    """The files of a study.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        labelled: whether there must be label folders; else ``participants/<subject>/<trial>.csv`` will do as well.

    Raises:
        UserError: no ``participants/``, no trial file in it, or a trial file at another depth; a subject, a label of a
            subject or a control group would be left out.
    """
    if not (folder / PARTICIPANTS).is_dir():
        raise UserError(f"{shown_path(str(folder))} has no folder {PARTICIPANTS}/, expected {_layout(labelled)}")
    notes = not_read.beside(folder, (PARTICIPANTS, CONTROL_DATA))
    participants, control = find_files(folder, PARTICIPANTS), find_files(folder, CONTROL_DATA)
    trials = [_participant(folder, parts, labelled) for parts in participants.trials]
    if not trials:
        instead = not_read.instead(participants)
        raise UserError(f"{shown_path(str(folder))} has no .csv file{instead}; expected {_layout(labelled)}")
    not_read.check_nobody_is_missing(participants, {trial.label for trial in trials})
    not_read.check_nobody_is_missing(control, ())
    if not control.trials and (folder / CONTROL_DATA).is_dir():
        if instead := not_read.instead(control):
            raise UserError(f"{CONTROL_DATA}/ has no .csv file{instead}, or move them out of {CONTROL_DATA}/")
        notes.append(f"There is no control group: {CONTROL_DATA}/ holds no file.")
    trials += [_control(folder, parts) for parts in control.trials]
    both = Contents(others=participants.others + control.others, loops=participants.loops + control.loops)
    return StudyFiles(trials, [*not_read.below(both), *notes])


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
    study, choice = study_files(folder, labelled=request.labelled), request.choice
    files = study.trials
    first = files[0].name
    header = csv_header(read_regular(files[0].path, first), first, choice=choice)
    expected = list(header.columns.taken.values())
    _check_columns(first, header.columns, first, expected, choice)
    features = features_of(expected)
    has_time = "time" in expected
    names, every = dict.fromkeys(header.names), header.columns
    lines: dict[int, Lines] = {}
    values: list[Doubles] = []
    times: list[Doubles] = []
    lengths: list[int] = []
    for run, plain in _runs(files, header, request.fingerprint, run_bytes):
        for parsed, rows in _parse(run, plain, header, first, choice):
            values.append(row_major(parsed.table, features))
            times += [parsed.table["time"].to_numpy()] if has_time else [np.arange(n, dtype=np.float64) for n in rows]
            if parsed.lines is not None:
                lines[len(lengths)] = parsed.lines
            lengths += rows
            if parsed.columns is not header.columns:
                names, every = names | dict.fromkeys(parsed.names), every.merged_with(parsed.columns)
    request.fingerprint.add_notes(study.notes)
    check_patterns("ignore", choice.ignore, names, shown_path(str(folder)))
    columns: dict[str, object] = {
        name: text_column(pa.chunked_array([[getattr(file, name) for file in files]]), name).take(
            np.repeat(np.arange(len(files)), lengths)
        )
        for name in ("subject", "label", "trial", "group")
    }
    columns["test_number"] = categorical(np.zeros(sum(lengths), dtype=np.int64), [""])
    columns["time"] = np.concatenate(times)
    return LongTable(
        frame=pd.DataFrame(columns, copy=False),
        values=np.concatenate(values),
        features=features,
        origins=tuple(file.name for file in files),
        starts=tuple((np.cumsum(lengths) - lengths).tolist()),
        has_time=has_time,
        lines=lines,
        left_out=every.left_out,
        notes=(*every.notes, *study.notes),
    )


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


def _parse(run: _Run, plain: bool, header: Header, first: str, choice: Choice) -> Iterator[tuple[Parsed, list[int]]]:
    """A run's tables, with the columns of the first file in its order, and the rows of each of their files."""
    if plain and (together := parse_together([raw for _, raw in run], header)):
        table, rows = together
        yield Parsed(table, header.names, header.columns), rows
        return
    expected = list(header.columns.taken.values())
    for file, raw in run:
        parsed = parse_csv(raw, file.name, choice=choice)
        _check_columns(file.name, parsed.columns, first, expected, choice)
        yield replace(parsed, table=parsed.table.select(expected)), [parsed.table.num_rows]


def _layout(labelled: bool) -> str:
    return _LAYOUT if labelled else f"{_LAYOUT} or {_UNLABELLED_LAYOUT}"


def _participant(folder: Path, parts: tuple[str, ...], labelled: bool) -> TrialFile:
    subject, *labels = parts[1:-1] or ("",)
    file = _trial_file(folder, parts, subject, "".join(labels), PATIENT)
    if not subject or len(labels) > 1 or (labelled and not labels):
        raise UserError(f"{file.name} is out of place, expected {_layout(labelled)}")
    return file


def _control(folder: Path, parts: tuple[str, ...]) -> TrialFile:
    return _trial_file(folder, parts, "_".join(parts[1:-1]) or CONTROL, "", CONTROL)


def _trial_file(folder: Path, parts: tuple[str, ...], subject: str, label: str, group: str) -> TrialFile:
    trial = os.path.splitext(parts[-1])[0]  # noqa: PTH122, a path for each of many files takes time
    file = TrialFile(folder, "/".join(parts), subject=subject, label=label, trial=trial, group=group)
    try:
        f"{folder}/{file.relative}".encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {file.name} is not UTF-8, expected folder and file names in UTF-8") from error
    return file


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
