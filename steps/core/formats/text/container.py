"""Compressed files of one text: never more is unpacked than a text can be."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Final

from steps.errors import UserError, listed, shown_path
from steps.system.untrusted_files import check_files, size

TEXT_SUFFIXES: Final = (".csv", ".tsv", ".txt", ".tab", ".dat", ".asc", ".mot", ".sto", ".trc")
PACKED: Final = (".gz", ".zip")
_CHUNK: Final = 1 << 24
_SMALL: Final = 256 << 20
_RATIO: Final = 200  # numbers as text shrink to a third, or a tenth where they repeat
_GZIP: Final = 31  # of zlib: with the header of gzip


def unpacked(raw: bytes, name: str) -> bytes:
    """What a ``.gz`` or ``.zip`` file holds; any other file as it is.

    Raises:
        UserError: damaged, encrypted, not one file, or more than a text shrinks to or memory holds.
    """
    if name.lower().endswith(".gz"):
        return _gunzip(raw, name)
    if name.lower().endswith(".zip"):
        return _unzip(raw, name)
    return raw


def stem_of(name: str) -> str:
    """The name of a file without its suffix, and without that of the text in it."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122, a path for each of many files takes time
    if suffix.lower() in PACKED and stem.lower().endswith(TEXT_SUFFIXES):
        stem = os.path.splitext(stem)[0]  # noqa: PTH122
    return stem


def _gunzip(raw: bytes, name: str) -> bytes:
    parts: list[bytes] = []
    total = 0
    rest = raw
    try:
        while rest:
            gzip = zlib.decompressobj(_GZIP)
            while not gzip.eof:
                part = gzip.decompress(rest, _CHUNK)
                rest = gzip.unconsumed_tail
                total += len(part)
                _check(total, len(raw), name)
                parts.append(part)
                if not part and not rest and not gzip.eof:
                    raise UserError(f"{name} is cut off: the compressed file ends in the middle; copy it again")
            rest = gzip.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise UserError(f"{name} cannot be unpacked, it is damaged or no gzip file: {error}") from error
    return b"".join(parts)


def _unzip(raw: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and not _is_junk(one.filename)]
            if len(members) != 1:
                told = listed([one.filename for one in members], 4) if members else "none"
                raise UserError(f"{name} holds {len(members)} files, expected one table: {told}; unpack it first")
            (member,) = members
            inner = PurePosixPath(member.filename).name
            if member.flag_bits & 1:
                raise UserError(f"{name} is encrypted: unpack it first")
            if PurePosixPath(inner).suffix.lower() not in TEXT_SUFFIXES:
                raise UserError(f"{name} holds {shown_path(inner)}, expected a table as text; unpack it first")
            _check(member.file_size, len(raw), name)
            with archive.open(member) as file:
                content = file.read(member.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError, RuntimeError) as error:
        raise UserError(f"{name} cannot be unpacked, it is damaged or no zip file: {error}") from error
    if len(content) != member.file_size:
        raise UserError(f"{name} does not hold as much as it says: it is damaged; pack it again")
    return content


def _is_junk(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or parts[-1].startswith(".")


def _check(total: int, packed: int, name: str) -> None:
    if total > max(_SMALL, _RATIO * packed):
        raise UserError(
            f"{name} has {size(packed)} and unpacks to more than {size(total)}, which no recordings do: it is damaged "
            "or made to fill the memory"
        )
    check_files(total, name)
