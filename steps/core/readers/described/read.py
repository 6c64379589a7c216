"""A described study as one long table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from steps.core.data.manifest import PATIENT
from steps.core.formats.table import Format, format_of
from steps.core.readers.choice import closest
from steps.core.readers.described.all_pieces import all_pieces
from steps.core.readers.described.description import Description
from steps.core.readers.described.event_files import EventFiles
from steps.core.readers.described.found import (
    Found,
    FoundFiles,
    check_sites,
    find_recordings,
    names_note,
    subject_name,
    trial_name,
)
from steps.core.readers.described.piece import Piece
from steps.core.readers.described.pieces import Reading
from steps.core.readers.described.schema import OWN
from steps.core.readers.described.who import Who, who
from steps.core.readers.described.whole_recordings import WholeRecordings
from steps.core.readers.files import Request, SourceFiles
from steps.core.readers.folder import trials_of
from steps.core.readers.groups import is_control_name
from steps.core.readers.identities import clean
from steps.core.readers.in_parts import InParts, changed
from steps.core.readers.long_table import LongTable, text_column
from steps.core.readers.trial_files import PARTICIPANTS, StudyFiles, TrialFile, study_files
from steps.errors import UserError, listed, shown, shown_path
from steps.system.untrusted_files import read_regular

_OF_SIGNALS: Final = {"process", "features", "ignore", "units", "positive_label"}


def read_described(source: str, description: Description, request: Request) -> LongTable | InParts:
    """The recordings of a source, as its description explains them.

    Args:
        source: a folder, or one file.
        description: of the study.
        request: how.

    Raises:
        UserError: files, tables or events are not as described, or anything is wrong with them, in one line.
    """
    if is_laid_out(source, description):
        return _laid_out(source, description, request)
    found = find_recordings(source, description, labelled=request.labelled)
    request = replace(request, choice=description.choice(request.choice))
    raws: dict[str, bytes] = {}
    for name, path in found.files.paths.items():
        if path == description.file or name in found.tables or name in found.events:
            raws[name] = read_regular(path, shown_path(name))
            request.fingerprint.add(name, raws[name])
    read = _whole(found, request, raws) if _is_trial_each(found) else _pieces(found, request, raws)
    said = f"Read as {description.name} says."
    return changed(read, lambda table: replace(_with_units(table, description), notes=(said, *table.notes)))


def is_laid_out(source: str, description: Description) -> bool:
    """Whether a folder is laid out as folders are, and its description is about signals only."""
    said = description.study.model_fields_set
    return bool(said) and said <= _OF_SIGNALS and (Path(source) / PARTICIPANTS).is_dir()


def laid_out_files(source: str, description: Description, *, labelled: bool = True) -> StudyFiles:
    """The files of a folder that is laid out as folders are.

    Raises:
        UserError: as for `study_files`.
    """
    own = description.file
    is_beside = own is not None and own.resolve().parent == Path(source).resolve()
    return study_files(Path(source), labelled=labelled, known=(own.name,) if own and is_beside else ())


def described_files(source: str, description: Description) -> SourceFiles:
    """The files of a described source, in the order in which they are read.

    Raises:
        UserError: they are not as described.
    """
    if not is_laid_out(source, description):
        return find_recordings(source, description).files
    files = laid_out_files(source, description).files
    own = {description.name: description.file} if description.file else {}
    return SourceFiles(own | files.paths, files.notes)


def _laid_out(source: str, description: Description, request: Request) -> LongTable | InParts:
    request = replace(request, choice=description.choice(request.choice))
    if description.file:
        request.fingerprint.add(description.name, read_regular(description.file, description.name))
    files = laid_out_files(source, description, labelled=request.labelled)
    return changed(trials_of(files, source, request), lambda table: _with_units(table, description))


def _is_trial_each(found: FoundFiles) -> bool:
    """Whether each file is one trial, and its path says whose: then plain files are read many at once."""
    study = found.description.study
    return (
        not study.sources
        and study.rate is None
        and study.trials is None
        and not (study.labels and study.labels.names)
        and set(study.called) <= {"time"}
        and not any(one.sidecars for one in found.recordings)
        and all("subject" in one.said for one in found.recordings)
        and (bool(study.labels) or any("label" in one.said for one in found.recordings))
        and not any(one.files[""].lower().endswith(".parquet") for one in found.recordings)
    )


def _whole(found: FoundFiles, request: Request, raws: Mapping[str, bytes]) -> LongTable | InParts:
    description, study = found.description, found.description.study
    where = description.where("subject")
    subjects = [subject_name(one.said, study.subject, where) for one in found.recordings]
    subjects = clean(subjects, "subject")
    sites = [one.said.get("site", "") for one in found.recordings]
    if study.subject is None:
        check_sites(list(zip(subjects, sites, strict=True)), description)
    people = _who(found, subjects, request, raws)
    labels = clean([one.said.get("label", "") for one in found.recordings], "label")
    groups = [
        _group(people, subject, one.said, description) for subject, one in zip(subjects, found.recordings, strict=True)
    ]
    people.check(_by_subject(subjects, labels, groups))
    trials = [
        TrialFile(
            found.folder,
            one.files[""],
            subject,
            people.label(subject, label) or "",
            trial_name(one.said, one.stem, study.subject),
            group,
            one.companions,
            one.said.get("side", ""),
        )
        for one, subject, label, group in zip(found.recordings, subjects, labels, groups, strict=True)
    ]
    kind = _one_format(found)
    said = names_note(found.recordings, study.subject)
    read = trials_of(StudyFiles(trials, list(found.notes), kind), str(found.folder), request)
    return changed(read, lambda table: replace(table, notes=(*table.notes, *said)))


def _one_format(found: FoundFiles) -> Format | None:
    kinds: dict[Format | None, str] = {}
    for one in found.recordings:
        kinds.setdefault(format_of(one.files[""]), one.name)
    if len(kinds) > 1:
        raise UserError(
            f"{' and '.join(list(kinds.values())[:2])} are files of different kinds, expected recordings of one kind; "
            "name it in the pattern"
        )
    return next(iter(kinds))


def _pieces(found: FoundFiles, request: Request, raws: dict[str, bytes]) -> LongTable:
    description, study = found.description, found.description.study
    events = study.trials.events if study.trials and study.trials.events else None
    events = None if events and events.files == OWN else events

    def raw(path: str) -> bytes:
        if path in raws:  # a sidecar of several files
            return raws[path]
        data = read_regular(found.folder / path, shown_path(path))
        request.fingerprint.add(path, data)
        return raws.setdefault(path, data) if path.lower().endswith(".json") else data

    event_files = (
        EventFiles(events, description.where("trials", "events"), found.events, raws)
        if events and (request.labelled or found.events)
        else None
    )
    reading = Reading(
        description,
        request.choice,
        raw,
        event_files,
        labelled=request.labelled,
        wholes=WholeRecordings(request.processing, request.max_gap, request.trim),
    )
    pieces = all_pieces(reading, found.recordings, request.watch)
    request.fingerprint.add_notes(found.notes)
    reading.check_ignored()
    for piece in pieces:
        if not piece.subject:
            raise UserError(
                f"{description.name} does not say whose {piece.origin} is; expected {{subject}} in files, or columns: "
                "subject: (a column)"
            )
    subjects = clean([piece.subject for piece in pieces], "subject")
    if event_files and request.labelled:
        event_files.check_all_used(subjects)
    if study.subject is None:
        sites = [(subject, piece.said.get("site", "")) for subject, piece in zip(subjects, pieces, strict=True)]
        check_sites(sites, description)
    people = _who(found, subjects, request, raws)
    if request.labelled and people.labels is None and not any("label" in piece.said for piece in pieces):
        raise UserError(
            f"{description.name} does not say where labels are; expected {{label}} in files, columns: label: (a "
            "column), labels: table: (a table of participants), or trials: events: label:"
        )
    labels = clean([piece.said.get("label", "") for piece in pieces], "label")
    if not request.labelled and "" in labels and people.labels is None:
        labels = [""] * len(labels)  # some have no label, so none counts
    groups = [_group(people, subject, one.said, description) for subject, one in zip(subjects, pieces, strict=True)]
    people.check(_by_subject(subjects, labels, groups))
    kept, named, left_out = [], [], Counter[str]()
    for i, subject in enumerate(subjects):
        label = people.label(subject, labels[i])
        if label is None:
            left_out[labels[i]] += 1
        else:
            kept.append(i)
            named.append(label)
    if not kept:
        raise UserError(f"{people.where}: no trial is left; there are the labels {listed(sorted(left_out))}")
    notes = (
        *reading.notes(),
        *(["There are no events: all of each recording was taken."] if events and not event_files else []),
        *names_note([Found({}, piece.said) for piece in pieces[:1]], study.subject),
        *_left_out_note(left_out),
        *found.notes,
    )
    return _as_table(
        [pieces[i] for i in kept], [subjects[i] for i in kept], named, [groups[i] for i in kept], reading, notes
    )


def _as_table(
    pieces: Sequence[Piece],
    subjects: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    reading: Reading,
    notes: tuple[str, ...],
) -> LongTable:
    lengths = [len(piece.values) for piece in pieces]
    has_time = all(piece.time is not None for piece in pieces)
    sides = [piece.said.get("side", "") for piece in pieces]
    texts = {
        **({"side": sides} if any(sides) else {}),
        "subject": list(subjects),
        "label": list(labels),
        "trial": [piece.trial for piece in pieces],
        "group": list(groups),
        "test_number": [piece.said.get("test_number", "") for piece in pieces],
    }
    columns: dict[str, object] = {
        name: text_column(pa.chunked_array([pa.array(some, pa.string())]), name).take(
            np.repeat(np.arange(len(some)), lengths)
        )
        for name, some in texts.items()
    }
    times = [
        piece.time if has_time and piece.time is not None else np.arange(len(piece.values), dtype=np.float64)
        for piece in pieces
    ]
    columns["time"] = np.concatenate(times)
    origins, starts = [piece.origin for piece in pieces], (np.cumsum(lengths) - lengths).tolist()
    lines = [piece.lines for piece in pieces]
    if reading.is_one_table:
        origins, starts, lines = [reading.first], [0], [np.concatenate(lines)]
    return LongTable(
        frame=pd.DataFrame(columns, copy=False),
        values=np.concatenate([piece.values for piece in pieces]),
        features=reading.features,
        origins=tuple(origins),
        starts=tuple(starts),
        has_time=has_time,
        lines=dict(enumerate(lines)),
        left_out=reading.left_out,
        notes=notes,
        units=reading.units,
        processed=reading.wholes.processing.of_recordings if reading.cuts else 0,
        example=reading.wholes.example,
    )


def _who(found: FoundFiles, subjects: Sequence[str], request: Request, raws: Mapping[str, bytes]) -> Who:
    excused = [entry[0] for entry in request.exclude if len(entry) == 1]
    return who(
        found.description,
        found.folder,
        sorted(set(subjects)),
        lambda name, _path: raws[name],
        labelled=request.labelled,
        excused=excused,
        label_kind=request.label_kind,
    )


def _group(people: Who, subject: str, said: Mapping[str, str], description: Description) -> str:
    group = description.study.group
    told = said.get("group", "")
    if group and group.column is None and told:
        return "control" if told in group.control else PATIENT
    return people.group(subject, told)


def _by_subject(subjects: Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> dict[str, set[str]]:
    """Labels of each subject outside the control group."""
    some: dict[str, set[str]] = defaultdict(set)
    for subject, label, group in zip(subjects, labels, groups, strict=True):
        if not is_control_name(group):
            some[subject].add(label)
    return some


def _left_out_note(left_out: Counter[str]) -> list[str]:
    if not left_out:
        return []
    told = ", ".join(f"{shown(label)} ({count})" for label, count in left_out.most_common(8))
    return [f"Left out {left_out.total()} trials under labels that the description does not name: {told}."]


def _with_units(table: LongTable, description: Description) -> LongTable:
    """Units as the description says, for features by name or glob."""
    units = dict(table.units)
    for pattern, unit in description.study.units.items():
        meant = [one for one in table.features if one == pattern or fnmatchcase(one, pattern)]
        if not meant:
            close = closest(pattern, table.features)
            raise UserError(
                f"{description.where('units', pattern)} names no feature; there are {listed(table.features)}"
                + (f"; did you mean {shown(close[0])}?" if close else "")
            )
        units |= dict.fromkeys(meant, unit)
    return replace(table, units=units)
