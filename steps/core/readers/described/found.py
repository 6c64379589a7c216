"""Which files of a folder are the recordings that a description means, and what each file's path says about it."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from steps.core.data.manifest import WARNING
from steps.core.formats.table import format_of
from steps.core.formats.text.container import stem_of
from steps.core.readers import not_read
from steps.core.readers.described.description import Description
from steps.core.readers.described.pattern import AmbiguousError, Pattern, ambiguous
from steps.core.readers.described.schema import OWN
from steps.core.readers.described.sidecars import find_sidecars
from steps.core.readers.described.small_table import SUFFIXES
from steps.core.readers.described.who import tables_of
from steps.core.readers.files import SourceFiles
from steps.core.readers.walk import Contents, Parts, find_files
from steps.errors import UserError, listed, shown, shown_path

# What of a path becomes part of a trial's name, in this order.
_OF_TRIAL: Final = ("site", "session", "trial", "side")
# What an Empatica E4 leaves beside its signals: intervals of heartbeats, marks, a text.
_OF_WRISTBANDS: Final = re.compile(r"IBI\.csv|tags.*\.csv|info\.txt")
WHOLE: Final = "recording"  # name of a trial where nothing else tells


@dataclass(frozen=True)
class Found:
    """One recording.

    Attributes:
        files: source -> path below the study's folder; one file under "" where recordings are a file each.
        said: placeholder -> what the path says.
        companions: files that belong to it, as their format says.
        sidecars: of some of its files, JSON that says more about them, the nearest last.
    """

    files: Mapping[str, str]
    said: Mapping[str, str]
    companions: tuple[str, ...] = ()
    sidecars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All of them, in the order in which they are read."""
        files = [path for one in self.files.values() for path in (one, *self.sidecars.get(one, ()))]
        return [*files, *self.companions]

    @property
    def name(self) -> str:
        """What messages call it."""
        return shown_path(next(iter(self.files.values())))

    @property
    def stem(self) -> str:
        """Its file's name without suffix; "" where it is several files."""
        return stem_of(PurePosixPath(self.files[""]).name) if "" in self.files else ""


@dataclass(frozen=True)
class FoundFiles:
    """All recordings of a study.

    Attributes:
        folder: of the study.
        description: of the study.
        recordings: in the order of their paths.
        tables: tables of participants that are there, by name.
        events: files of events -> what their paths say.
        notes: what is not read, one sentence each.
    """

    folder: Path
    description: Description
    recordings: Sequence[Found]
    tables: Mapping[str, Path]
    events: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> SourceFiles:
        """The same as any source names its files, in the order in which they are read."""
        paths = {self.description.name: self.description.file} if self.description.file else {}
        paths |= self.tables
        paths |= {name: self.folder / name for name in self.events}
        paths |= {path: self.folder / path for one in self.recordings for path in one.paths}
        return SourceFiles(paths, self.notes)


def find_recordings(source: str, description: Description, *, labelled: bool = True) -> FoundFiles:
    """The recordings of a source.

    Args:
        source: a folder, or one file.
        description: of the study.
        labelled: whether every recording has a label; else folders of labels may be missing.

    Raises:
        UserError: nothing fits, a file fits in two ways, a source of a recording is missing, or events have no
            recording.
    """
    if Path(source).is_file():
        return _one_file(Path(source), description)
    folder = Path(source)
    if not any(description.patterns.values()):
        raise UserError(
            f"{description.name} says no files, expected files: '{{subject}}/{{label}}/{{trial}}.csv' or the like"
        )
    contents = find_files(folder, "")
    paths = ["/".join(parts) for parts in contents.others]
    reserved = {*tables_of(description)}
    if description.file and description.file.resolve().parent == folder.resolve():
        reserved.add(description.file.name)
    paths = sorted(path for path in paths if path not in reserved)
    events = _events(description, paths)
    free = [path for path in paths if path not in events]
    recordings = _joined(description, free, labelled=labelled)
    if not recordings:
        some = listed([shown_path(path)[:120] for path in free], 3) if free else "nothing"
        raise UserError(
            f"{description.name}: no file of {shown_path(str(folder))} fits "
            f"{' or '.join(shown(one.text, 160) for some in description.patterns.values() for one in some)}; it "
            f"holds {some}"
        )
    sidecars = find_sidecars([path for one in recordings for path in one.files.values()], free)
    recordings = [
        replace(
            one,
            companions=_companions(one, free),
            sidecars={path: sidecars[path] for path in one.files.values() if path in sidecars},
        )
        for one in recordings
    ]
    read = {path for one in recordings for path in one.paths}
    notes = _notes([path for path in free if path not in read], contents, read)
    tables = {name: folder / name for name in tables_of(description) if (folder / name).is_file()}
    return FoundFiles(folder, description, recordings, tables, events, tuple(notes))


def trial_name(said: Mapping[str, str], stem: str, composed: str | None) -> str:
    """A trial's name of what is known of it: site and session, the trial or the file, the side."""
    of_subject = composed or ""
    parts = [
        said.get(name) or (stem if name == "trial" else "") for name in _OF_TRIAL if f"{{{name}}}" not in of_subject
    ]
    return "_".join(part for part in parts if part) or WHOLE


def names_note(recordings: Sequence[Found], composed: str | None) -> list[str]:
    """What trials are called by, where it is more than their number."""
    said = {name for one in recordings for name in one.said}
    parts = [name for name in _OF_TRIAL if name in said and f"{{{name}}}" not in (composed or "")]
    return [f"Trials are called by {' and '.join(parts)}."] if set(parts) - {"trial"} else []


def subject_name(said: Mapping[str, str], composed: str | None, where: str) -> str:
    """A subject's name, put together as the description says.

    Raises:
        UserError: it names what is not known.
    """
    if composed is None:
        return said.get("subject", "")
    try:
        return composed.format_map(said)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f"{where} is {shown(composed)}, but there is only {listed(sorted(said))}") from error


def check_sites(subjects: Sequence[tuple[str, str]], description: Description) -> None:
    """Check that one subject's name is not used at two sites.

    Args:
        subjects: pairs of subject and site.
        description: of the study.

    Raises:
        UserError: one is: nobody but the user knows whether that is one person.
    """
    sites: dict[str, set[str]] = defaultdict(set)
    for subject, site in subjects:
        sites[subject].add(site)
    for subject, own in sites.items():
        if len(own) > 1:
            raise UserError(
                f"{description.name}: subject {shown(subject)} is there at the sites {listed(sorted(own))}; if they "
                "are "
                "different people, write subject: '{site}-{subject}'; if they are one person, call the sites sessions"
            )


def _one_file(file: Path, description: Description) -> FoundFiles:
    if description.study.sources:
        raise UserError(
            f"{description.name} says sources, several files for each recording; expected a folder as source"
        )
    said: Mapping[str, str] = {}
    for pattern in description.patterns[""]:
        if found := _matched(pattern, file.name):
            said = found
            break
    tables = {name: file.parent / name for name in tables_of(description) if (file.parent / name).is_file()}
    events = _events(description, sorted(one.name for one in file.parent.iterdir() if one.is_file()))
    return FoundFiles(file.parent, description, [Found({"": file.name}, said)], tables, events)


def _joined(description: Description, paths: Sequence[str], *, labelled: bool) -> list[Found]:
    """Recordings, in the order of their first files."""
    found: dict[str, dict[tuple[tuple[str, str], ...], str]] = {}
    for source, patterns in description.patterns.items():
        own: dict[str, Mapping[str, str]] = {}
        for pattern in patterns if labelled else [*patterns, *(one.without_label_folder for one in patterns)]:
            for path in paths:
                if path not in own and (said := _matched(pattern, path)) is not None:
                    own[path] = said
        if source == "":
            return [Found({"": path}, own[path]) for path in sorted(own)]
        by_what: dict[tuple[tuple[str, str], ...], str] = {}
        for path in sorted(own):
            key = tuple(sorted(own[path].items()))
            if key in by_what:
                raise UserError(
                    f"{description.where('sources', source)}: {shown_path(by_what[key])} and {shown_path(path)} are "
                    f"both {shown(source)} of one recording, expected one file"
                )
            by_what[key] = path
        found[source] = by_what
    keys = sorted({key for by_what in found.values() for key in by_what})
    for key in keys:
        missing = [source for source, by_what in found.items() if key not in by_what]
        if missing:
            there = next(by_what[key] for by_what in found.values() if key in by_what)
            raise UserError(
                f"{description.where('sources', missing[0])}: there is no {listed(missing)} beside "
                f"{shown_path(there)}, expected all sources of every recording"
            )
    return [Found({source: by_what[key] for source, by_what in found.items()}, dict(key)) for key in keys]


def _companions(found: Found, paths: Sequence[str]) -> tuple[str, ...]:
    """Files that its format reads with it: named alike, with other suffixes."""
    kind = format_of(found.files.get("", ""))
    if kind is None or not kind.companions:
        return ()
    stem = os.path.splitext(found.files[""])[0]  # noqa: PTH122
    return tuple(
        path
        for path in paths
        if path.lower().endswith(kind.companions) and os.path.splitext(path)[0] == stem  # noqa: PTH122
    )


def _matched(pattern: Pattern, path: str) -> dict[str, str] | None:
    try:
        return pattern.match(path)
    except AmbiguousError as error:
        raise ambiguous(error, pattern, path) from None


def _events(description: Description, paths: Sequence[str]) -> dict[str, Mapping[str, str]]:
    trials = description.study.trials
    if not trials or not trials.events or trials.events.files == OWN:
        return {}
    pattern = Pattern(trials.events.files, description.where("trials", "events", "files"))
    return {path: said for path in paths if (said := _matched(pattern, path)) is not None}


def _notes(others: Sequence[str], contents: Contents, read: Collection[str]) -> list[str]:
    """Notes on what is not read: a warning where it may be recordings, being called as those that are."""
    alike = {PurePosixPath(path).suffix.lower() for path in read} - {".json"}
    parts: list[Parts] = [tuple(path.split("/")) for path in others]
    loud = any(
        PurePosixPath(path).suffix.lower() in alike
        or (not_read.holds_recordings(path) and not path.lower().endswith(SUFFIXES))
        for path in others
        if not _OF_WRISTBANDS.fullmatch(PurePosixPath(path).name)
    )
    notes = [note.removeprefix(WARNING) for note in not_read.below(Contents(others=parts, loops=contents.loops))]
    return [WARNING + note if loud and note.startswith("Not read") else note for note in notes]
