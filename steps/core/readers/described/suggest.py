"""A first ``study.yaml`` for a folder: what was recognised, and comments on what is unsure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import RawFile
from steps.core.formats.table import FORMATS, format_of, read_file, suffix_of
from steps.core.formats.text.container import unpacked
from steps.core.formats.text.read import read_any
from steps.core.formats.time_column import is_time
from steps.core.readers.columns import ALSO_CALLED
from steps.core.readers.described.description import FILE, parse_description
from steps.core.readers.described.found import find_recordings
from steps.core.readers.described.layout import Layout, guess
from steps.core.readers.described.sidecars import find_sidecars, read_sidecars
from steps.core.readers.described.small_table import SmallTable, is_missing, is_small_table, number, read_participants
from steps.core.readers.groups import is_control_name
from steps.core.readers.trial_files import PARTICIPANTS
from steps.core.readers.walk import find_files
from steps.errors import UserError, listed, shown_path
from steps.system.untrusted_files import read_regular

_E4: Final = ("EDA", "BVP", "TEMP", "HR", "ACC")
_TEXT: Final = (".csv", ".tsv", ".txt")
_PEOPLE = re.compile(r"(participants?|subjects?|demographics?|probands?|metadata|scores?)", re.IGNORECASE)
_EVENTS = re.compile(r"(^|.*[_-])(events?|tags?|marks?|markers?)([_-].*)?$", re.IGNORECASE)
_OF_BODIES: Final = {"age", "height", "weight", "bmi", "handedness", "sex", "gender"}
_BESIDE: Final = {"readme", "license", "changes", "ibi", "info"}
# Tampa Scale of Kinesiophobia, 17 to 68: high from 37 on.
_CUT_OFFS: Final = {"tsk": 37.0, "tsk17": 37.0}
_FEW: Final = 6
_CLASSES: Final = 2
_LOOK: Final = 1000
_FEWEST_OF_A_CLOCK: Final = 10
_UNEVEN: Final = 0.01


@dataclass
class _Suggestion:
    """A description that is being written."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    has_label: bool = False
    has_subject: bool = False

    def add(self, line: str) -> None:
        self.lines.append(line)


def suggestion(folder: Path) -> str:
    """A first description of the study in a folder.

    Raises:
        UserError: it is no folder, needs no description, or holds nothing that could be recordings.
    """
    if not folder.is_dir():
        raise UserError(f"{shown_path(str(folder))} is no folder, expected the folder of a study")
    if (folder / PARTICIPANTS).is_dir():
        raise UserError(
            f"{shown_path(str(folder))} has a folder {PARTICIPANTS}/, which is read without a description: "
            f"prepare --source {shown_path(str(folder))}"
        )
    paths = ["/".join(parts) for parts in find_files(folder, "").others if parts != (FILE,)]
    people = [path for path in paths if "/" not in path and is_small_table(path) and _PEOPLE.match(path)]
    events = [path for path in paths if path.lower().endswith(_TEXT) and _EVENTS.match(PurePosixPath(path).stem)]
    recordings = [path for path in paths if path not in people and path not in events and _may_be_recording(path)]
    if not recordings:
        raise UserError(
            f"{shown_path(str(folder))} holds no file that could be a recording, only "
            f"{listed([shown_path(path) for path in paths], 3) or 'nothing'}"
        )
    new = _Suggestion(folder)
    if wristbands := _wristbands(recordings):
        _describe_wristbands(new, wristbands)
    else:
        _describe_files(new, recordings)
    if people:
        _describe_people(new, people[0])
    elif not new.has_label:
        new.unsure.append(
            "Nothing says the labels. Name the part of a path that does {label}, or a column (columns: label: ...), "
            "or a "
            "table of participants (labels: table: participants.tsv, column: ..., or score: TSK >= 37)."
        )
    if events:
        _mention_events(new, events, next(iter(wristbands), ""))
    return _checked(new)


def _may_be_recording(path: str) -> bool:
    name = PurePosixPath(path)
    if name.stem.casefold() in _BESIDE:
        return False
    return suffix_of(path) in (*_TEXT, ".parquet", *FORMATS)


def _wristbands(paths: Sequence[str]) -> dict[str, list[str]]:
    """Folders of an Empatica E4 and the signals in each; none if they are none."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        parent, _, name = path.rpartition("/")
        if name.removesuffix(".csv") in _E4:
            folders[parent].append(name.removesuffix(".csv"))
    return {parent: names for parent, names in folders.items() if parent and len(names) > 1}


def _describe_wristbands(new: _Suggestion, folders: dict[str, list[str]]) -> None:
    layout = guess(sorted(folders))
    _take(new, layout)
    common = [name for name in _E4 if all(name in own for own in folders.values())]
    new.add("sources:  # an Empatica E4: several files for each recording, joined on one clock")
    for name in common:
        new.add(f"  {name}: {_quoted(f'{layout.pattern}/{name}.csv')}")
    new.add("rate: 4  # samples per second, to which all are brought")
    new.add("trials:")
    new.add("  windows: {length: 60}  # seconds; step: 30 would let them overlap")
    new.unsure.append("Which windows suit the question? Their length decides what a trial is.")


def _describe_files(new: _Suggestion, paths: Sequence[str]) -> None:
    kinds = Counter(map(suffix_of, paths))
    suffix = kinds.most_common(1)[0][0]
    own = [path for path in paths if path.lower().endswith(suffix)]
    layout = guess(own, own[0][len(own[0]) - len(suffix) :])
    new.add(f"files: {_quoted(layout.pattern)}")
    _take(new, layout)
    if len(kinds) > 1:
        more = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()[1:])
        new.unsure.append(f"Other files may be recordings as well: {more}.")
    if layout.others:
        new.unsure.append(
            f"{len(layout.others)} files lie at another depth, as {layout.others[0]}: they fit no pattern."
        )
    if suffix != ".parquet":
        _describe_columns(new, own[0], set(layout.values))


def _take(new: _Suggestion, layout: Layout) -> None:
    new.has_label, new.has_subject = "label" in layout.values, "subject" in layout.values
    for role, values in layout.values.items():
        if role in ("subject", "label", "group", "site", "side", "session"):
            more = f" ... ({len(values)})" if len(values) > _FEW else ""
            new.add(f"# {role}: {', '.join(values[:_FEW])}{more}")
    new.unsure += layout.unsure
    if len(labels := layout.values.get("label", [])) > _CLASSES:
        new.unsure.append(
            f"There are {len(labels)} labels: write positive_label: (one of them), the others become one class."
        )


def _is_clock(cells: pa.ChunkedArray) -> bool:
    """Whether numbers rise evenly (to 1%) by steps that are no whole number, as counted samples do."""
    if pa.types.is_string(cells.type) or cells.null_count or len(cells) < _FEWEST_OF_A_CLOCK:
        return False
    steps = np.diff(cells.to_numpy().astype(np.float64))
    usual = float(np.median(steps))
    return usual > 0 and usual != round(usual) and bool((np.abs(steps - usual) <= _UNEVEN * usual).all())


def _describe_columns(new: _Suggestion, path: str, said: set[str]) -> None:
    """Columns of one file: time, what is no number, what is called as identities are."""
    table = _first_table(new, path)
    if table is None:
        return
    columns = {name.strip(): table.column(name) for name in table.column_names if name.strip()}
    taken: dict[str, str] = {}
    for role in ("subject", "label", "trial"):
        found = [one for one in columns if one.casefold() == role or _plain(one) in ALSO_CALLED[role]]
        found = [one for one in found if one not in taken.values() and not (role == "label" and _plain(one) == "group")]
        if found and role not in said:
            taken[role] = found[0]
            if len(found) > 1:
                new.unsure.append(f"{role} may be {' or '.join(found)}.")
    if times := [one for one in columns if is_time(one)] or [
        one for one in columns if _plain(one) in ALSO_CALLED["time"]
    ]:
        taken["time"] = times[0]
        if len(times) > 1:
            new.unsure.append(f"time may be {' or '.join(times)}: the others have to be left out (ignore).")
    elif clocks := [one for one, cells in columns.items() if one not in taken.values() and _is_clock(cells)]:
        taken["time"] = clocks[0]
        new.unsure.append(f"{clocks[0]} rises evenly by fractions, so it was taken for the time.")
    if taken:
        new.add("columns:")
        for role, column in taken.items():
            new.add(f"  {role}: {_quoted(column)}")
    text = [
        name
        for name, cells in columns.items()
        if name not in taken.values() and pa.types.is_string(cells.type) and not _is_number(_present(cells))
    ]
    if text:
        new.add(f"ignore: [{', '.join(map(_quoted, text))}]  # no numbers")
    new.has_label |= "label" in taken
    new.has_subject |= "subject" in taken
    if not new.has_subject:
        new.unsure.append(
            "Nothing says whose a recording is: put {subject} into files, or a column (columns: subject: ...)."
        )


def _first_table(new: _Suggestion, path: str) -> pa.Table | None:
    """The table in one file, if it can be read."""
    name, kind = shown_path(path), format_of(path)
    try:
        raw = read_regular(new.folder / path, name)
        if kind and not kind.is_text:
            return read_file(RawFile(raw, name), kind).table
        text = unpacked(raw, name)
        names: tuple[str, ...] = ()
        beside = [one.relative_to(new.folder).as_posix() for one in new.folder.rglob("*.json")]
        if sidecars := find_sidecars([path], beside).get(path):
            names = read_sidecars({one: read_regular(new.folder / one, one) for one in sidecars}).columns_of(text)
        if read := read_any(text, name, names):
            return read[0].table
        new.unsure.append(f"The columns of {name} were not recognised: has it a line with their names (header: [...])?")
    except UserError as error:
        new.unsure.append(f"{name} could not be read: {error}")
    return None


def _present(cells: pa.ChunkedArray) -> list[str]:
    """The first cells of a column that hold something."""
    return [cell for cell in cells.slice(0, _LOOK).to_pylist() if cell is not None and not is_missing(cell)]


def _describe_people(new: _Suggestion, path: str) -> None:
    try:
        table = read_participants(read_regular(new.folder / path, path), path)
    except UserError as error:
        new.unsure.append(f"{path} could not be read: {error}")
        return
    own = {name: [cell for cell in table.column(name, path) if not is_missing(cell)] for name in table.header}
    few = {name for name, cells in own.items() if 2 <= len(set(cells)) <= min(_FEW, len(table.rows) - 1)}
    words = [name for name, cells in own.items() if name in few and not _is_number(cells)]
    groups = [name for name in words if any(is_control_name(cell) for cell in own[name])]
    words = [name for name in words if name not in groups and _plain(name) not in _OF_BODIES]
    scores = [
        name
        for name, cells in own.items()
        if len(set(cells)) > 2 and _is_number(cells) and _plain(name) not in (*ALSO_CALLED["subject"], *_OF_BODIES)
    ]
    if not new.has_label and (words or scores):
        new.add("labels:")
        new.add(f"  table: {_quoted(path)}")
        if words:
            new.add(f"  column: {_quoted(words[0])}  # {', '.join(sorted(set(own[words[0]])))}")
        else:
            values = sorted(float(cell) for cell in own[scores[0]])
            published = _CUT_OFFS.get(_plain(scores[0]))
            cut = published or values[len(values) // 2]
            new.add(f"  score: {_quoted(f'{scores[0]} >= {cut:g}')}  # fear from here on, else no_fear")
            why = "that of Vlaeyen et al. 1995 (Pain 62:363-372)" if published else "its middle value"
            new.unsure.append(f"The cut-off of {scores[0]} is {why}.")
        if len(words) + len(scores) > 1:
            new.unsure.append(f"Other columns of {path} could be the label: {', '.join([*words, *scores][1:])}.")
    elif not new.has_label:
        new.unsure.append(f"No column of {path} ({', '.join(table.header)}) looks like a label.")
    elif scores:
        new.unsure.append(
            f"Labels are those of the recordings. If they are to come from {scores[0]} of {path}, write * in place of "
            f'{{label}} and labels: {{table: {path}, score: "{scores[0]} >= ..."}}.'
        )
    if groups:
        _add_group(new, table, path, groups[0], own[groups[0]])


def _add_group(new: _Suggestion, table: SmallTable, path: str, column: str, cells: Sequence[str]) -> None:
    control = sorted({cell for cell in cells if is_control_name(cell)})
    new.add(
        f"group: {{table: {_quoted(path)}, column: {_quoted(column)}, control: [{', '.join(map(_quoted, control))}]}}"
    )
    new.unsure.append(
        f"Is {', '.join(control)} of {table.name} a control group, which is never tested? If it is a class, write "
        f"labels: {{table: {path}, column: {column}}} instead of group."
    )


def _mention_events(new: _Suggestion, events: Sequence[str], wristband: str) -> None:
    name = re.sub(r"\d.*", "*", PurePosixPath(events[0]).stem) + PurePosixPath(events[0]).suffix
    new.unsure.append(
        f"There are {len(events)} files of events, as {events[0]}, which are not used yet; to cut trials by them: "
        "trials: "
        + (
            f'{{events: {{files: "{{subject}}/{name}", between: [calm, fear]}}}}, a label for each stretch in between.'
            if wristband and "tag" in name
            else f'{{events: {{files: ".../{name}", duration: duration, label: trial_type}}}}.'
        )
    )


def _checked(new: _Suggestion) -> str:
    """The text, with what it finds in the folder above it."""
    text = "\n".join(new.lines) + "\n"
    try:
        description = parse_description(text.encode(), FILE)
        found = find_recordings(str(new.folder), description)
        subjects = {one.said["subject"] for one in found.recordings if "subject" in one.said}
        of = f" of {len(subjects)} subjects" if subjects else ""
        told = [
            f"# {len(found.recordings)} recordings{of}.",
            *(f"# {note.removeprefix('WARNING: ')}" for note in found.notes),
        ]
    except UserError as error:
        told = [f"# Not read yet: {error}"]
    unsure = ["# Unsure:", *(f"# - {one}" for one in new.unsure)] if new.unsure else []
    head = [
        "# A first description of this study, by prepare --suggest: read it, and mend what is wrong.",
        *told,
        *unsure,
    ]
    return "\n".join(line.replace("\n", " ") for line in head) + "\n" + text


def _is_number(cells: Sequence[str]) -> bool:
    return bool(cells) and all(number(cell) is not None for cell in cells)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _quoted(text: str) -> str:
    """A text as YAML takes it for text: plain where that is safe, else in double quotes."""
    if re.fullmatch(r"[A-Za-z][\w./ -]*", text) and not text.endswith(" "):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in escaped) + '"'
