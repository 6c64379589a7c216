"""A list of the files that were logged into a spool, so that a lost file is noticed.

The list lies beside the spool's database, a line each time something is logged. Only spools have one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import mlflow

from steps.tracking.spool.spool import DESCRIPTION

_LIST = "logged.jsonl"
_SQLITE = "sqlite:///"
_NAMED = 5


def note_files(owner: str, names: Iterable[str], spool_folder: Path | None = None) -> None:
    """Note that files were logged, if the store is a spool.

    Args:
        owner: ID of the run or model they belong to.
        names: their paths among its artifacts.
        spool_folder: of the store; the one in use by default.
    """
    uri = mlflow.get_tracking_uri()
    folder = spool_folder or Path(uri.removeprefix(_SQLITE)).parent
    files = sorted(names)
    if files and (spool_folder or uri.startswith(_SQLITE)) and (folder / DESCRIPTION).is_file():
        # Each line is one write that begins with a line break, so that a killed writer spoils only its last line.
        with (folder / _LIST).open("ab", buffering=0) as file:
            file.write(f"\n{json.dumps([owner, files])}\n".encode())


def note_folder(owner: str, folder: Path, artifact_path: str | None = None) -> None:
    """`note_files` for all files of a folder."""
    note_files(owner, files_in(folder, artifact_path))


def files_in(folder: Path, artifact_path: str | None = None) -> list[str]:
    """Paths of all files in a folder, relative to it, as they are called under an artifact path."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(f"{artifact_path}/{name}" if artifact_path else name for name in names)


def noted_files(spool_folder: Path) -> defaultdict[str, set[str]]:
    """The files of each run and model of a spool that were noted; empty where nothing was."""
    noted: defaultdict[str, set[str]] = defaultdict(set)
    try:
        lines = (spool_folder / _LIST).read_bytes().splitlines()
    except FileNotFoundError:
        return noted
    for line in lines:
        try:
            owner, names = json.loads(line)
            noted[owner].update(names)
        except (ValueError, TypeError):  # an empty line, or one that its writer was killed in
            continue
    return noted


def missing(noted: Iterable[str], folder: Path) -> list[str]:
    """Those of the noted files that are not in the folder."""
    return sorted(name for name in noted if not (folder / name).is_file())


def lost_text(lost: list[str], folder: Path) -> str:
    """That files were lost, and what to do about it; empty where none is."""
    if not lost:
        return ""
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return (
        f"logged, but no longer in this spool: {', '.join(lost[:_NAMED])}{more}; put back what is lost under {folder} "
        "and sync again; what is there was copied"
    )
