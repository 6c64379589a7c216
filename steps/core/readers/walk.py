"""Which files lie below a folder of a study: those that are trials, and those that are not read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steps.errors import UserError, shown_path

Parts = tuple[str, ...]  # of a path below the study's folder
_DEEPEST: Final = 16
_MOST: Final = 1_000_000  # a tree of links to each other has more paths through it than any study has files
# What systems and programs leave behind, besides names that begin with a dot.
_JUNK = {"thumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "system volume information", "@eadir",
         "lost+found"}  # fmt: skip


@dataclass
class Contents:
    """What lies below a folder, each as the parts of its path below the study's folder, in sorted order.

    Attributes:
        trials: files that are trials, by `with_trials`. A link to nothing is among them, so that reading it is an error
            and not a trial less.
        others: all other files.
        folders: all folders.
        loops: links that lead back to a folder they lie in, which are not followed.
        companions: files that belong to a trial, by its parts without its suffix.
    """

    trials: list[Parts] = field(default_factory=list)
    others: list[Parts] = field(default_factory=list)
    folders: list[Parts] = field(default_factory=list)
    loops: list[Parts] = field(default_factory=list)
    companions: dict[Parts, list[Parts]] = field(default_factory=dict)

    def with_trials(self, suffixes: tuple[str, ...], companions: tuple[str, ...] = ()) -> Contents:
        """The same, files with one of these suffixes as trials, those named alike with others as their companions."""
        trials = [parts for parts in self.others if parts[-1].lower().endswith(suffixes)]
        stems = {_stem(parts) for parts in trials} if companions else set()
        theirs: dict[Parts, list[Parts]] = {}
        others = []
        for parts in self.others:
            if parts[-1].lower().endswith(suffixes):
                continue
            if stems and parts[-1].lower().endswith(companions) and (stem := _stem(parts)) in stems:
                theirs.setdefault(stem, []).append(parts)
            else:
                others.append(parts)
        return Contents(trials, others, self.folders, self.loops, theirs)


def is_junk(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or left behind by a system or an open spreadsheet."""
    return name.startswith((".", "~$")) or name.lower() in _JUNK


def find_files(folder: Path, below: str) -> Contents:
    """All files below ``folder / below``, or the folder itself for "", none of them a trial yet, junk left out.

    Links are followed.

    Raises:
        UserError: a folder cannot be read, or there are too many folders in each other, or too many files.
    """
    contents = Contents()
    if (folder / below).is_dir():
        for parts, is_folder, is_loop in _walk(folder, (below,) if below else ()):
            if is_loop:
                contents.loops.append(parts)
            elif is_folder:
                contents.folders.append(parts)
            else:
                contents.others.append(parts)
    for parts_of in (contents.others, contents.folders, contents.loops):
        parts_of.sort()
    return contents


def _stem(parts: Parts) -> Parts:
    return (*parts[:-1], os.path.splitext(parts[-1])[0])  # noqa: PTH122, a path for each of many files takes time


def _walk(folder: Path, start: Parts) -> Iterator[tuple[Parts, bool, bool]]:
    """Everything below: its parts, whether it is a folder, whether it is a link back."""
    seen = 0
    above_all = frozenset(_identity(path.stat()) for path in (*([folder] if start else []), *folder.resolve().parents))
    waiting = [(start, above_all)]
    while waiting:
        parts, above = waiting.pop()
        path = "/".join(parts)
        try:
            within = above | {_identity((folder / path).stat())}
            if len(within) == len(above):
                yield parts, True, True
                continue
            if len(parts) > len(start):
                yield parts, True, False
            with os.scandir(folder / path) as entries:
                for entry in entries:
                    if is_junk(entry.name):
                        continue
                    if _is_folder(entry):
                        waiting.append(((*parts, entry.name), within))
                    else:
                        yield (*parts, entry.name), False, False
                    seen += 1
        except OSError as error:
            raise UserError(f"folder {shown_path(path)} cannot be read: {error.strerror}") from error
        if seen > _MOST or len(parts) > _DEEPEST:
            what = f"more than {_MOST:,} files" if seen > _MOST else f"more than {_DEEPEST} folders in each other"
            raise UserError(
                f"{shown_path(str(folder.joinpath(*start)))} holds {what} (the last in {shown_path(path)[:200]}); "
                "expected "
                "the files of a study: is there a link to another place?"
            )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
