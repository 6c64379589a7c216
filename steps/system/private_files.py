"""Files and folders that their owner alone may read, whatever the umask: recordings of people are clinical data."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS = 0o077
_FILE, _FOLDER = 0o600, 0o700
_lock = threading.Lock()
_before: list[int] = []  # the umask to go back to, once for every block that is open


@contextmanager
def owner_alone() -> Iterator[None]:
    """What is made inside the block, by whatever library, is the owner's alone: files 0600, folders 0700.

    What exists already keeps its permissions. The umask is the whole process's: what other threads make meanwhile is
    the owner's alone, too, and so is what processes make that are started inside.
    """
    with _lock:
        given = os.umask(_OTHERS)
        _before.append(_before[0] if _before else given)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:  # otherwise another thread is still inside
                os.umask(before)


def private_folder(folder: Path) -> Path:
    """The folder, made with those above it where they are missing; what is made is the owner's alone.

    A folder that was there already keeps its permissions.

    Raises:
        OSError: it cannot be made.
    """
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(_FOLDER, exist_ok=True)
        missing.chmod(_FOLDER)  # a umask may have taken something from the owner, too
    return folder


def private_file(path: Path) -> Path:
    """The file, made empty where it is missing; the owner's alone before anything is written to it.

    Raises:
        OSError: it cannot be made, is somebody else's, or is a link.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, _FILE)
    try:
        os.fchmod(handle, _FILE)
    finally:
        os.close(handle)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that is the owner's alone; who reads it meanwhile sees the old content or the new one, never half.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, _FILE)
            file.write(content)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
