"""Where temporary files go: to a folder of this process, which the next step removes if this one cannot.

Temporary files hold recordings: a copy of the dataset for all processes, networks, downloads. `temporary_files` gives
everything in this process and the processes it starts (libraries included) one folder for them, below one that belongs
to the user alone. Whoever is killed leaves his folder behind unlocked, and the next step of the same user removes it.
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
# Tells processes that we start where temporary files go when it is not for one process.
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
    if folder is None:  # not above: what goes wrong in the block would be taken for this error's consequence
        yield
        return
    if len(str(folder)) > _LONGEST:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        yield
        return
    get_temp_dir()  # made before: multiprocessing's sockets, no recordings, which it removes after us
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
    """From now on, in this process of a pool: its fork server may have been started by an earlier command."""
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
