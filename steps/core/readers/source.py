"""Which file or folder of this machine a source names."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote

from steps.core.readers.file_kinds import describe
from steps.core.readers.parse import shown
from steps.core.readers.table import SUFFIXES
from steps.errors import SHOWN_PATH_LENGTH, UserError
from steps.system.untrusted_files import what_it_is

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_HERE = ("", "localhost")


def is_file_uri(source: str) -> bool:
    """Whether ``source`` is a ``file:`` address, which means a path."""
    return source.lower().startswith("file:/")


def source_path(source: str) -> Path:
    """The path that a source means: as it is, below the home folder (``~``), or as a ``file://`` address.

    Raises:
        UserError: it is an address of another machine, or there is no such home folder.
    """
    if is_file_uri(source):
        host, path = re.fullmatch(r"file:(?://([^/]*))?(/.*)?", source, re.IGNORECASE | re.DOTALL).groups()  # type: ignore[union-attr]
        if (host or "") not in _HERE:
            raise UserError(
                f"source {shown(source, SHOWN_PATH_LENGTH)} names the machine {shown(host)}, expected a file of this "
                "machine, which has "
                "three slashes: file:///folder/file.csv"
            )
        return Path(unquote(path or "/"))
    if scheme := _SCHEME.match(source):
        raise UserError(
            f"source is an address ({scheme[1]}:), expected a folder or file of this machine: download it first"
        )
    try:
        return Path(source).expanduser()
    except RuntimeError as error:
        raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)}: {error}; expected the whole path") from error


def locate(source: str, expected: str) -> tuple[Path, bool]:
    """The path that a source means, and whether it is a folder; nothing is opened.

    Args:
        source: as the user named it.
        expected: what messages say a source may be.

    Raises:
        UserError: nothing is there, or neither a folder nor a table.
    """
    path = source_path(source)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)} does not exist, expected {expected}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(
            f"source {shown(source, SHOWN_PATH_LENGTH)} cannot be opened: {reason}; expected {expected}"
        ) from error
    if stat.S_ISDIR(mode):
        return path, True
    if special := what_it_is(mode):
        raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)} is {special}, expected {expected}")
    suffix = os.path.splitext(path.name)[1]  # noqa: PTH122, Path has none for '.csv'
    if suffix.lower() not in SUFFIXES:
        if kind := describe(path.name):
            raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)} is {kind}; expected {expected}")
        raise UserError(f"source {shown(source, SHOWN_PATH_LENGTH)} ends in {shown(suffix)}, expected {expected}")
    return path, False
