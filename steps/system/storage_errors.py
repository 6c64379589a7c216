"""Errors of disks and stores in one line: a traceback does not help with a full disk."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator

_AGAIN = "then give the same command again: what was finished is kept"
_FULL = f"free some space, {_AGAIN}"
_WRITE = f"allow writing there, or work in another folder, {_AGAIN}"
_DISK = {
    errno.ENOSPC: ("disk full", _FULL),
    errno.EDQUOT: ("disk full, your quota is used up", _FULL),
    errno.EROFS: ("read-only file system", _WRITE),
    errno.EACCES: ("permission denied", _WRITE),
    errno.EPERM: ("operation not permitted", _WRITE),
    errno.EIO: ("the disk fails", "look into the system's log; copy what is there to another disk"),
}
# What SQLite says, which comes wrapped in exceptions of others.
_SQLITE = {
    "database or disk is full": ("disk full", _FULL),
    "attempt to write a readonly database": ("the tracking store is read-only", _WRITE),
    "disk I/O error": ("disk full, or the disk fails", _FULL),
    "unable to open database file": ("the tracking store cannot be opened", _WRITE),
    "database disk image is malformed": ("the tracking store is damaged", "restore it from a copy, or move it away"),
    "file is not a database": ("the tracking store is damaged", "restore it from a copy, or move it away"),
}


def in_one_line(error: BaseException) -> str | None:
    """What a disk or a store refused, and what to do; None for any other error, which is a bug."""
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in _DISK:
            what, mend = _DISK[cause.errno]
            return f"{what}: {_where(cause)}; {mend}"
        text = str(cause)
        for said, (what, mend) in _SQLITE.items():
            if said in text and "sqlite" in text + type(cause).__module__:
                return f"{what}: the tracking store ({said}); {mend}"
    return None


class OneLine(logging.Filter):
    """For loggers of libraries that print an exception with its traceback, and raise it as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop messages about exceptions that are raised as well, and keep the first line of all others."""
        first, *_ = record.getMessage().splitlines() or [""]
        record.msg, record.args, record.exc_info, record.exc_text = first, (), None, None
        return not first.startswith("SQLAlchemy database error")


def _where(error: OSError) -> str:
    place = error.filename2 or error.filename  # of two files the second is the one being written
    return ascii(str(place))[1:-1] if place else str(error.strerror)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and its causes, the first cause first."""
    errors: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in errors:
        errors.append(step)
        step = step.__cause__ or step.__context__
    yield from reversed(errors)
