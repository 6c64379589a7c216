"""Files that are not read: what they are, and what to do with them; listed, or an error where it must be a mistake."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from steps.core.data.manifest import WARNING
from steps.core.formats.table import format_of
from steps.core.readers.groups import is_control_name
from steps.core.readers.walk import Contents, Parts, is_junk
from steps.errors import UserError, shown_path

_EXAMPLES: Final = 3


class _Kind(NamedTuple):
    suffixes: tuple[str, ...]
    what: str
    how: str


_KINDS: Final = (
    _Kind((".xls", ".xlsb", ".ods"), "an older spreadsheet or one of another program", "save it as .xlsx"),
    _Kind((".gz", ".bz2", ".xz", ".zst", ".lz4"), "a compressed file", "unpack it first (gunzip, bunzip2, unxz)"),
    _Kind((".tar", ".tgz", ".7z", ".rar"), "an archive", "unpack it first"),
    _Kind((".pq", ".parq"), "a Parquet file under another suffix", "rename it to .parquet"),
    _Kind((".parquet",), "a Parquet file", "write CSV, or put all trials into one long table"),
    _Kind((".npy",), "a NumPy array",
          "in Python, pandas.DataFrame(array, columns=[...]).to_csv('recordings.csv', index=False)"),
    _Kind((".pkl", ".pickle", ".joblib"), "a pickle, which can run code and is never opened",
          "in Python, where you trust it, write its table with to_parquet('recordings.parquet', index=False)"),
    _Kind((".anc",), "a motion capture file", "export its signals as CSV, one header row and a row per sample"),
    _Kind((".gdf", ".vhdr", ".eeg", ".fif", ".set", ".acq"), "a file of biosignals",
          "export its signals as CSV, one header row and a row per sample (MNE: raw.to_data_frame().to_csv)"),
    _Kind((".json", ".jsonl", ".xml", ".yaml"), "text that is no table", "write it as CSV, a row per time point"),
    _Kind((".rds", ".rda", ".rdata"), "an R file", "in R, write.csv(x, 'recordings.csv', row.names = FALSE)"),
    _Kind((".sav", ".dta", ".sas7bdat", ".por"), "a file of a statistics program", "export it as CSV"),
    _Kind((".db", ".sqlite", ".sqlite3"), "a database", "export its table as CSV"),
)  # fmt: skip
_BY_SUFFIX: Final = {suffix: kind for kind in _KINDS for suffix in kind.suffixes}
_SIDECARS: Final = {".json", ".jsonl", ".xml", ".yaml"}  # often describe recordings, but seldom are recordings


def describe(name: str) -> str:
    """What a file with this name is, and what to do with it; "" if unknown."""
    kind, readable = _BY_SUFFIX.get(Path(name).suffix.lower()), format_of(name)
    if readable and not readable.is_table:
        layout = f"participants/<subject>/<label>/<trial>{readable.suffixes[0]}"
        return f"one recording ({readable.title}), and a study is a folder of them: {layout}"
    return f"{kind.what}, which is not read: {kind.how}" if kind else ""


def how_to_convert(name: str) -> str:
    """What to do with a file with this name."""
    kind, readable = _BY_SUFFIX.get(Path(name).suffix.lower()), format_of(name)
    if readable and readable.is_text:
        return "write all trials in one way (text that is like the others needs no more than their suffix)"
    return kind.how if kind else "save them as CSV"


def holds_recordings(name: str) -> bool:
    """Whether a file with this name may well hold recordings."""
    return format_of(name) is not None or Path(name).suffix.lower() in _BY_SUFFIX.keys() - _SIDECARS


def beside(folder: Path, read: Sequence[str]) -> list[str]:
    """Notes on what lies in the study's folder beside the folders that are read.

    Raises:
        UserError: a folder looks like a control group under another name, or the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            contents = sorted((entry.name, entry.is_dir()) for entry in entries if not is_junk(entry.name))
    except OSError as error:
        raise UserError(f"folder {shown_path(str(folder))} cannot be read: {error.strerror}") from error
    names = []
    for name, is_folder in contents:
        if name in read:
            continue
        if is_folder and is_control_name(re.sub(r"[\W_]*data$", "", name, flags=re.IGNORECASE)):
            raise UserError(
                f"{shown_path(str(folder))} holds a folder {shown_path(name)}/, which is not read: if it is the "
                f"control group, rename it to {read[-1]}/, else move it elsewhere"
            )
        names.append((f"{name}/" if is_folder else name,))
    return [f"Not read, beside {read[0]}/: {_some(names)}."] if names else []


def below(contents: Contents) -> list[str]:
    """Notes on files that are not read and links that are not followed."""
    notes = []
    if contents.others:
        loud = WARNING if any(holds_recordings(parts[-1]) for parts in contents.others) else ""
        notes.append(f"{loud}Not read: {'; '.join(_by_suffix(contents.others))}.")
    if contents.loops:
        notes.append(f"Not followed, a link back to a folder that it lies in: {_some(contents.loops)}.")
    return notes


def check_nobody_is_missing(contents: Contents, labels: Iterable[str], suffix: str) -> None:
    """Refuse a subject, or a label of a subject, whose recordings would all be left out.

    Args:
        contents: below ``participants/`` or ``control_data/``.
        labels: the names of folders that hold trials, of whatever subject; none for the control group.
        suffix: of trials.

    Raises:
        UserError: a subject's folder holds no trial, or a folder of a label holds none but recordings of another kind.
    """
    read = {parts[:depth] for parts in contents.trials for depth in range(1, len(parts))}
    left_out: dict[Parts, list[Parts]] = defaultdict(list)
    for parts in contents.others:
        for depth in range(1, len(parts)):
            left_out[parts[:depth]].append(parts)
    labels = set(labels)
    for folder in contents.folders:
        others = left_out.get(folder, [])
        is_label = len(folder) > 2 and folder[-1] in labels
        recorded = bool(others) and (is_label or any(holds_recordings(parts[-1]) for parts in others))
        if folder in read or not (len(folder) == 2 or recorded):
            continue
        name = f"{shown_path('/'.join(folder))}/"
        if not others:
            raise UserError(f"{name} holds no file: put the subject's {suffix} files there, or remove the folder")
        raise UserError(
            f"{name} holds no {suffix} file, only {'; '.join(_by_suffix(others))}: {how_to_convert(others[0][-1])}, or "
            f"move the folder out of {folder[0]}/"
        )


def instead(contents: Contents) -> str:
    """What a folder without trials holds, for a message: `` only 4 files .mot (…): how to convert them``; or ""."""
    if not contents.others:
        return ""
    return f", only {'; '.join(_by_suffix(contents.others))}: {how_to_convert(contents.others[0][-1])}"


def _by_suffix(files: Sequence[Parts]) -> list[str]:
    by_suffix: dict[str, list[Parts]] = defaultdict(list)
    for parts in files:
        by_suffix[Path(parts[-1]).suffix.lower()].append(parts)
    ordered = sorted(by_suffix.items(), key=lambda item: (-len(item[1]), item[0]))
    told = [
        f"{len(some)} file{'s' if len(some) > 1 else ''} {shown_path(suffix)[:20] or 'without suffix'} "
        f"({_some(some, counted=False)})"
        for suffix, some in ordered[:_EXAMPLES]
    ]
    rest = sum(len(some) for _, some in ordered[_EXAMPLES:])
    return [*told, f"{rest} others"] if rest else told


def _some(paths: Sequence[Parts], *, counted: bool = True) -> str:
    """A few of them, and a sign that there are more."""
    told = ", ".join(shown_path("/".join(parts))[:120] for parts in paths[:_EXAMPLES])
    if len(paths) <= _EXAMPLES:
        return told
    return f"{told}, … ({len(paths)})" if counted else f"{told}, …"
