"""Zip archives of strangers: unpacked to no more than they say, and to no more than memory holds."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

from steps.core.formats.file_table import RawFile
from steps.errors import UserError
from steps.system.untrusted_files import check_memory, size

_COPIES: Final = 4
_SMALL: Final = 64 << 20
_MOST: Final = 10_000


def unpacked(file: RawFile, title: str, again: str, wanted: Callable[[str], bool] = bool) -> dict[str, bytes]:
    """The members of a zip archive by their names.

    Args:
        file: the archive.
        title: what it should be.
        again: what to do where it is damaged.
        wanted: which members to unpack, by their names.

    Raises:
        UserError: it is no archive, damaged, encrypted, or unpacks to more than memory holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file.raw)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and wanted(one.filename)]
            total = sum(one.file_size for one in members)
            if len(members) > _MOST:
                raise UserError(f"{file.name} holds {len(members):,} files, expected {title}")
            if total > _SMALL:
                check_memory(_COPIES * total, f"{file.name} has {size(len(file.raw))}, unpacks to {size(total)}")
            return {one.filename: archive.read(one) for one in members}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"{file.name} is not a readable {title} file: {error}; {again}") from error
