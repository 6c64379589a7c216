"""Which file or folder of this machine a source names: as a path, below the home folder, or as an address."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from steps.errors import SHOWN_PATH_LENGTH, UserError, shown
from steps.system.source_address import is_address, scheme_of, split_digest

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FILE = re.compile(r"file:(?://([^/]*))?(/.*)?", re.IGNORECASE | re.DOTALL)
_THIS_MACHINE = ("", "localhost")
_COMMON = ("s3", "gs", "az", "https", "sftp")  # of those of `steps.system.source_address.SCHEMES`


def is_remote(source: str) -> bool:
    """Whether a source is the address of an artifact rather than a path; ``file:`` addresses are paths."""
    return ("://" in source or source.startswith("runs:/")) and not source.lower().startswith("file:/")


def local_path(source: str) -> str:
    """The path that a source means: as it is, below the home folder (``~``), or as a ``file:`` address.

    Raises:
        UserError: it is an address of another machine, or there is no such home folder.
    """
    if source.lower().startswith("file:/") and (address := _FILE.fullmatch(source)):
        host, path = address.groups()
        if (host or "") not in _THIS_MACHINE:
            raise UserError(
                f"source {shown(source, SHOWN_PATH_LENGTH)} names the machine {shown(host)}, expected a file of this "
                "machine, which has three slashes: file:///folder/file.csv"
            )
        return unquote(path or "/")
    if is_address(source):
        raise UserError(
            f"source is an address ({scheme_of(source)}:), expected a folder or file of this machine: download it first"
        )
    if scheme := _SCHEME.match(source):
        raise UserError(
            f"source is an address ({scheme[1]}:) that is not read; expected a folder or file of this machine, or an "
            f"address that begins with {', '.join(f'{one}://' for one in _COMMON)}"
        )
    if not source.startswith("~"):
        return source
    try:
        return str(Path(source).expanduser())
    except RuntimeError as error:
        raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)}: {error}; expected the whole path") from error


def as_uri(source: str) -> str:
    """A source as an address: an artifact's own, or that of a file or folder of this machine."""
    if is_remote(source):
        return source
    named, _ = split_digest(source)
    return Path(local_path(named)).resolve().as_uri()
