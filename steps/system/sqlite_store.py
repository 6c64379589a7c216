"""Can a file hold a SQLite store? Asked in milliseconds, before MLflow tries for minutes.

Uses nothing but the standard library, as `steps.check` needs it.
"""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote

_COMMIT_S = 0.5
_MAGIC = b"SQLite format 3\0"
_RESTORE = "restore it from a copy, or move it away; the next run makes a new one"


def sqlite_path(uri: str) -> Path:
    """The file of an absolute SQLite URI, which MLflow percent-encodes."""
    return Path(unquote(re.sub(r"^sqlite(\+\w+)?:///", "", uri).partition("?")[0]))


def refusal(folder: Path) -> str | None:
    """Why nothing can be written into a folder, or into the nearest there is above it; None when it can."""
    try:
        with tempfile.TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            return None
    except OSError as error:
        return str(error.strerror)


def trouble(path: Path) -> tuple[str, str] | None:
    """Why a file cannot be a store to write to, and what to do about it; None where nothing speaks against it.

    Args:
        path: the file, which need not be there yet.
    """
    if path.is_dir():
        return f"{path} is a folder, expected a SQLite file", "move it away, or name another file: MLFLOW_TRACKING_URI"
    # SQLite keeps its journal beside the file; being allowed to write the file alone is not enough.
    where, reason, header = f"folder {path.parent} of {path.name}", refusal(path.parent), b""
    if reason is None and path.exists():
        try:
            with path.open("r+b") as file:
                header = file.read(100)
        except OSError as error:
            where, reason = str(path), error.strerror
    if reason:
        allow = f"become its owner, or allow writing: chmod u+w {shlex.join([str(path.parent), str(path)])}"
        return (
            f"{where} cannot be written: {reason}",
            f"{allow}; or record elsewhere: MLFLOW_TRACKING_URI=sqlite:////another/folder/mlflow.db",
        )
    if not header:
        return None
    if not header.startswith(_MAGIC):
        return f"{path}: file is not a database", _RESTORE
    if _lacks(path):
        time.sleep(_COMMIT_S)  # it may have been in the middle of a commit
        if lack := _lacks(path):
            return f"{path} is cut off: {lack}", _RESTORE
    return None


def _lacks(path: Path) -> str | None:
    """``100 of 200 bytes`` if the file is shorter than its header says; else None."""
    if any(path.with_name(f"{path.name}{suffix}").exists() for suffix in ("-journal", "-wal")):
        return None  # another process writes, or was killed while it wrote; SQLite repairs that
    with path.open("rb") as file:
        header, size = file.read(100), path.stat().st_size
    page = int.from_bytes(header[16:18], "big")
    expected = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    return f"{size} of {expected} bytes" if header[24:28] == header[92:96] and size < expected else None
