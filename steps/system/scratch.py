"""Temporary files go to one folder of this process. If this process cannot remove it, the next step does.

Temporary files hold recordings: a copy of the dataset for all processes, networks, downloads. `temporary_files` makes
one folder for those of this process, its libraries and the processes it starts, below a folder that belongs to the user
alone. A process that is killed leaves its folder behind unlocked, and the next step of the same user removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import get_temp_dir
from pathlib import Path

from steps.system.environment_variables import environment_variables

_TMPDIR = "TMPDIR"
# For processes that we start: the folder that all processes share.
_COMMON = "FEAR_TMPDIR"
# A socket's path has a hundred characters; what multiprocessing adds to this has forty.
_LONGEST = 60


def common_folder() -> Path:
    """The folder for temporary files that all processes of this machine share."""
    return Path(os.environ.get(_COMMON) or tempfile.gettempdir())


@contextmanager
def temporary_files() -> Iterator[None]:
    """All temporary files made inside the block go to a folder of their own, which is removed at its end.

    What processes that were killed have left behind is removed first. Where no such folder can be had, because somebody
    else has taken its name, that is said, and temporary files go where they would go anyway.
    """
    common, folder, lock = common_folder(), None, -1
    try:
        parent = _parent(common)
        remove_leftovers(parent)
        folder, lock = _locked_folder(parent)
    except OSError as error:
        print(f"warning: {error}; temporary files go to {common}, and stay there if this is killed", file=sys.stderr)
    if folder is None:  # outside of `except`, or errors in the block would be chained to the one above
        yield
        return
    if len(str(folder)) > _LONGEST:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        yield
        return
    get_temp_dir()  # multiprocessing's folder for sockets is made outside: it holds no recordings and is removed later
    before = tempfile.tempdir
    try:
        with environment_variables({_TMPDIR: str(folder), _COMMON: str(common)}):
            tempfile.tempdir = str(folder)
            yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def put_temporary_files_in(folder: str) -> None:
    """Put this process's temporary files there; a pool's fork server may be that of an earlier command."""
    os.environ[_TMPDIR] = tempfile.tempdir = folder


def remove_leftovers(parent: Path) -> None:
    """Remove the folders whose processes are gone: nobody holds their locks."""
    for folder in parent.iterdir():
        with suppress(OSError):  # gone meanwhile, or on a file system that cannot lock folders
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _parent(common: Path) -> Path:
    parent = common / f"fear-{os.getuid()}"
    with suppress(FileExistsError):
        parent.mkdir(0o700)
    status = parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{parent} is not a folder of yours")
    if stat.S_IMODE(status.st_mode) != 0o700:
        parent.chmod(0o700)
    return parent


def _locked_folder(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=""))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):  # a file system that cannot lock folders; then nobody removes this one either
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)  # another process took it for a leftover before it was locked
