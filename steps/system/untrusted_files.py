"""Files that may be anything: a pipe that never ends, a device, a few kilobytes that unpack to gigabytes."""

from __future__ import annotations

import math
import os
import resource
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

import psutil
import pyarrow.parquet as pq

from steps.errors import UserError
from steps.system.capacity import MIB, available_mib

_SPECIAL = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe (FIFO)"), (stat.S_ISSOCK, "a socket"),
            (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))  # fmt: skip
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_SMALL = 64 * MIB  # smaller files are read without asking how much memory is free
_BYTES_PER_CELL = 8
_UNPACKED_SMALL = 256 * MIB
_UNPACKED_RATIO: Final = (
    1000  # measured values hardly shrink to a third; only a file made for it shrinks more than this
)
_WORKING_COPIES: Final = 4  # of the values: as read, side by side, in order, as float32
_SLACK = 512 * MIB
_lock = threading.Lock()


def what_it_is(mode: int) -> str | None:
    """What a file of this mode is called where it is no regular file; None where it is one."""
    if stat.S_ISREG(mode):
        return None
    return next((name for test, name in _SPECIAL if test(mode)), "no ordinary file")


def read_regular(path: Path, name: str) -> bytes:
    """The bytes of a regular file, or of one that a link leads to; nothing else is opened or waited for.

    Raises:
        UserError: it is something else, cannot be read, or does not fit into memory; the message calls it ``name``.
    """
    with open_regular(path, name) as file:
        check_files(os.fstat(file.fileno()).st_size, name)
        return file.read()


@contextmanager
def open_regular(path: Path, name: str) -> Iterator[FileIO]:
    """The same file, open inside the block, however large it is.

    Raises:
        UserError: as `read_regular`, also where reading inside the block fails.
    """
    try:
        _check_regular(path.stat(), name)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with FileIO(handle, "rb") as file:
            _check_regular(os.fstat(handle), name)  # it may have been replaced meanwhile
            yield file
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from error
    except (ValueError, MemoryError) as error:
        reason = "it does not fit into memory" if isinstance(error, MemoryError) else str(error)
        raise UserError(f"{name} cannot be read: {reason}") from error


def _check_regular(status: os.stat_result, name: str) -> None:
    if special := what_it_is(status.st_mode):
        raise UserError(f"{name} is {special}, expected a file")


def check_files(total: int, name: str) -> None:
    """Refuse files of so many bytes where what is made of them would not fit into memory.

    Raises:
        UserError: it would not.
    """
    if total > _SMALL:
        check_memory(_WORKING_COPIES * total, f"{name} has {size(total)}")


def check_memory(needed: float, what: str) -> None:
    """Refuse what would not fit into memory.

    Raises:
        UserError: it would not; the line begins with ``what``.
    """
    free = available_mib() * MIB
    if needed > free:
        raise UserError(
            f"{what} and takes about {size(needed)} of memory, but {size(free)} are free; "
            "expected less (fewer time points, features or trials), or a machine with more memory"
        )


def size(count: float) -> str:
    """A number of bytes as text: ``3.9 GB``."""
    thousands = min(int(math.log10(max(count, 1)) // 3), len(_UNITS) - 1)
    return f"{count / 1000**thousands:.4g} {_UNITS[thousands]}"


def parquet_bytes(metadata: pq.FileMetaData) -> int:
    """How many bytes a Parquet file unpacks to, by its footer: a few bytes can stand for millions of equal rows."""
    # Nothing is asked about single columns: where their part of a footer is damaged, Arrow ends the process.
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    return int(max(sum(group.total_byte_size for group in groups), _BYTES_PER_CELL * rows * metadata.num_columns))


def check_parquet(metadata: pq.FileMetaData, file_bytes: int, name: str, copies: float = _WORKING_COPIES) -> int:
    """Refuse a Parquet file that unpacks to far more than its size, or to more than memory holds, before it does.

    Args:
        metadata: its footer.
        file_bytes: its size.
        name: what messages call it.
        copies: how often memory has to hold what it unpacks to, in numbers of 8 bytes.

    Returns:
        How many bytes it says it unpacks to.

    Raises:
        UserError: it is refused.
    """
    unpacked = parquet_bytes(metadata)
    what = f"{name} has {size(file_bytes)} and unpacks to {size(unpacked)} ({metadata.num_rows:,} rows)"
    if unpacked > max(_UNPACKED_SMALL, _UNPACKED_RATIO * file_bytes):
        raise UserError(f"{what}, which no recordings do: it is damaged or made to fill the memory; save it again")
    if unpacked > _SMALL:
        check_memory(copies * unpacked, what)
    return unpacked


@contextmanager
def bounded_memory(unpacked: int, name: str) -> Iterator[None]:
    """A block that reads a file which says it unpacks to so many bytes: if it takes far more, reading ends.

    Where the system limits address space (Linux), the limit is the whole process's while the block runs.

    Raises:
        UserError: the file takes more than it says.
    """
    with _lock:
        limits = resource.getrlimit(resource.RLIMIT_AS)
        allowed = psutil.Process().memory_info().vms + _WORKING_COPIES * unpacked + _SLACK
        if limits[0] in (resource.RLIM_INFINITY, -1) or limits[0] > allowed:
            resource.setrlimit(resource.RLIMIT_AS, (allowed, limits[1]))
        try:
            yield
        except MemoryError as error:
            raise UserError(
                f"{name} says that it unpacks to {size(unpacked)}, but takes far more memory: it is damaged or made to "
                "fill the memory; save it again"
            ) from error
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
