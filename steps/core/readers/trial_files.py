"""Which files of a folder are trials: ``participants/<subject>/<label>/<trial>.csv`` and ``control_data/``.

All trials of a study are files of one kind: CSV where there are any, else the only kind of `FORMATS` that is there.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steps.core.data.manifest import CONTROL, PATIENT
from steps.core.formats.table import Format, format_of
from steps.core.formats.text.container import stem_of
from steps.core.readers import not_read
from steps.core.readers.files import SourceFiles
from steps.core.readers.walk import Contents, Parts, find_files
from steps.errors import UserError, shown_path

PARTICIPANTS, CONTROL_DATA = "participants", "control_data"
CSV: Final = ".csv"
_DEPTH: Final = 2  # a trial lies in a subject's folder; what lies above it is no trial


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
        companions: paths of files that belong to it, below the study's folder.
        side: of the body; "" where nothing says it.
    """

    folder: Path
    relative: str
    subject: str
    label: str
    trial: str
    group: str
    companions: tuple[str, ...] = ()
    side: str = ""

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
        kind: the format of all of them; None for CSV.
    """

    trials: list[TrialFile]
    notes: list[str]
    kind: Format | None = None

    @property
    def files(self) -> SourceFiles:
        """The same as any source names its files."""
        paths = {
            relative: trial.folder / relative
            for trial in self.trials
            for relative in (trial.relative, *trial.companions)
        }
        return SourceFiles(paths, tuple(self.notes))


def study_files(folder: Path, *, labelled: bool = True, known: Sequence[str] = ()) -> StudyFiles:
    """The files of a study.

    Args:
        folder: holds ``participants/`` and perhaps ``control_data/``.
        labelled: whether there must be label folders; else ``participants/<subject>/<trial>.csv`` will do as well.
        known: names of files beside ``participants/`` about which nothing is said.

    Raises:
        UserError: no ``participants/``, no trial file in it, or a trial file at another depth; a subject, a label of a
            subject or a control group would be left out.
    """
    if not (folder / PARTICIPANTS).is_dir():
        name = shown_path(str(folder))
        raise UserError(
            f"{name} has no folder {PARTICIPANTS}/, expected {_layout(labelled)}, or a study.yaml that says how files "
            f"are called: python -m steps.prepare --suggest {shlex.quote(name)}"
        )
    notes = not_read.beside(folder, (PARTICIPANTS, *known, CONTROL_DATA))
    found = [find_files(folder, below) for below in (PARTICIPANTS, CONTROL_DATA)]
    kind = _kind(folder, [parts for contents in found for parts in contents.others])
    suffixes = kind.suffixes if kind else (CSV,)
    participants, control = (contents.with_trials(suffixes, kind.companions if kind else ()) for contents in found)
    trials = [_participant(folder, parts, participants, suffixes[0], labelled) for parts in participants.trials]
    if not trials:
        instead = not_read.instead(participants)
        raise UserError(f"{shown_path(str(folder))} has no {suffixes[0]} file{instead}; expected {_layout(labelled)}")
    not_read.check_nobody_is_missing(participants, {trial.label for trial in trials}, suffixes[0])
    not_read.check_nobody_is_missing(control, (), suffixes[0])
    if not control.trials and (folder / CONTROL_DATA).is_dir():
        if instead := not_read.instead(control):
            raise UserError(f"{CONTROL_DATA}/ has no {suffixes[0]} file{instead}, or move them out of {CONTROL_DATA}/")
        notes.append(f"There is no control group: {CONTROL_DATA}/ holds no file.")
    trials += [_control(folder, parts, control) for parts in control.trials]
    both = Contents(others=participants.others + control.others, loops=participants.loops + control.loops)
    return StudyFiles(trials, [*not_read.below(both), *notes], kind)


def _kind(folder: Path, files: Sequence[Parts]) -> Format | None:
    """What the trials of a study are: None for CSV, which goes before any other kind.

    Raises:
        UserError: there are several kinds that are not CSV.
    """
    if any(parts[-1].lower().endswith(CSV) for parts in files):
        return None
    deep = [parts for parts in files if len(parts) > _DEPTH]
    kinds = Counter(format_of(parts[-1]) for parts in deep)
    for kind in [kind for kind in kinds if kind and kind.companions]:  # files that belong to others are no kind
        contents = Contents(others=deep).with_trials(kind.suffixes, kind.companions)
        kinds = Counter(format_of(parts[-1]) for parts in contents.trials + contents.others)
    counts = [(kind, count) for kind, count in kinds.most_common() if kind]
    if len(counts) > 1:  # text and tables of text may stand beside recordings, and give way to them
        counts = [(kind, count) for kind, count in counts if not (kind.is_text and kind.is_table)] or counts
    if len(counts) > 1:
        (first, many), (second, few) = counts[:2]
        raise UserError(
            f"{shown_path(str(folder))} holds {many} {first.title} ({first.suffixes[0]}) and {few} {second.title} "
            f"({second.suffixes[0]}) files, expected trials of one kind: move the others out of {PARTICIPANTS}/ and "
            f"{CONTROL_DATA}/"
        )
    return counts[0][0] if counts else None


def _layout(labelled: bool, suffix: str = CSV) -> str:
    layout = f"{PARTICIPANTS}/<subject>/<label>/<trial>{suffix}"
    return layout if labelled else f"{layout} or {PARTICIPANTS}/<subject>/<trial>{suffix}"


def _participant(folder: Path, parts: Parts, contents: Contents, suffix: str, labelled: bool) -> TrialFile:
    subject, *labels = parts[1:-1] or ("",)
    file = _trial_file(folder, parts, contents, subject, "".join(labels), PATIENT)
    if not subject or len(labels) > 1 or (labelled and not labels):
        raise UserError(f"{file.name} is out of place, expected {_layout(labelled, suffix)}")
    return file


def _control(folder: Path, parts: Parts, contents: Contents) -> TrialFile:
    return _trial_file(folder, parts, contents, "_".join(parts[1:-1]) or CONTROL, "", CONTROL)


def _trial_file(folder: Path, parts: Parts, contents: Contents, subject: str, label: str, group: str) -> TrialFile:
    trial = stem_of(parts[-1])
    companions = tuple("/".join(one) for one in contents.companions.get((*parts[:-1], trial), ()))
    file = TrialFile(folder, "/".join(parts), subject, label, trial, group, companions)
    try:
        f"{folder}/{file.relative}".encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of {file.name} is not UTF-8, expected folder and file names in UTF-8") from error
    return file
