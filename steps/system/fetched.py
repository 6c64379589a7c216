"""A source that lies in a store elsewhere, as files of this machine: fetched, checked, removed afterwards.

A folder's digest is that of what ``sha256sum`` prints of its files, in the order of their names as bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from steps.errors import UserError, shown
from steps.system.environment_variables import environment_variables
from steps.system.fetching import Fetching, Watch, listed_files, local_name, open_store, too_large
from steps.system.file_digests import digest_of_list, digest_of_path
from steps.system.local_path import local_path
from steps.system.private_files import owner_alone
from steps.system.source_address import is_address, split_digest
from steps.system.untrusted_files import size

_COPY = "FEAR_FETCHED"  # for processes that we start: where the copy lies
_SHARE_OF_DISK: Final = 0.95
_SAID: Final = ("etag", "e_tag", "versionid", "version_id", "generation", "md5hash", "crc32c", "content-md5", "digest")


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        address: as the user named it, without a digest.
        files: how many.
        bytes: of all files together.
        sha256: of the file, or of the list of a folder's files.
        said: what the store says of a single file: its checksum, its version.
    """

    address: str
    files: int
    bytes: int
    sha256: str
    said: dict[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """One sentence."""
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        return f"Fetched {self.address}: {files}, {size(self.bytes)}, SHA-256 {self.sha256}."


@dataclass(frozen=True)
class AtHand:
    """A source as a path of this machine."""

    path: str

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said."""
        return ()

    @property
    def origin(self) -> dict[str, Any] | None:
        """What was fetched, as plain values; None for what lies on this machine."""
        return None


@dataclass(frozen=True)
class Copy(AtHand):
    """A source that was fetched."""

    fetched: Fetched

    @property
    def notes(self) -> tuple[str, ...]:
        """What was fetched."""
        return (self.fetched.note,)

    @property
    def origin(self) -> dict[str, Any] | None:
        """What was fetched."""
        return asdict(self.fetched)


def not_watched(_done: float, _of: float, _unit: str) -> None:
    """Nobody looks at how far it is."""


@contextmanager
def at_hand(source: str, watch: Watch = not_watched, called: str = "source") -> Iterator[AtHand]:
    """A source as files of this machine, inside the block; a copy is removed at its end.

    Blocks inside this one, also in processes that are started there, use the same copy.

    Args:
        source: a path, an address, or the name of a study that is made up; perhaps with ``#sha256=…`` at its end.
        watch: told how far fetching is.
        called: what messages call it, the name of the parameter that it was given in.

    Raises:
        UserError: it cannot be fetched, or has another digest than expected. Messages from inside the block name the
            address instead of the copy.
    """
    named, expected = split_digest(source, called)
    if not is_address(named):
        with _called(called):
            path = local_path(named)
            if expected:
                _check(named, _of_path(path), expected)
        yield AtHand(path)
        return
    if earlier := _earlier(named):
        with _called(called):
            _check(named, earlier.fetched.sha256, expected)
        with _named_in_messages(earlier.path, named):
            yield earlier
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # something may still be on its way
        with _called(called):
            with owner_alone():
                here = _fetch(named, Path(folder), watch)
            _check(named, here.fetched.sha256, expected)
        copy = {_COPY: json.dumps(asdict(here))}
        with environment_variables(copy), _named_in_messages(here.path, named):
            yield here


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Messages that begin with the word source begin with another one instead."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"^source\b", name, str(error))) from error.__cause__


@contextmanager
def _named_in_messages(path: str, named: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(path, named)) from error.__cause__


def _of_path(path: str) -> str:
    try:
        return digest_of_path(Path(path))
    except OSError as error:
        raise UserError(f"source {shown(path)} cannot be read: {error.strerror}") from error


def _earlier(named: str) -> Copy | None:
    """The copy of a block around this one, perhaps in the process that started this."""
    if not (text := os.environ.get(_COPY)):
        return None
    document = json.loads(text)
    here = Copy(document["path"], Fetched(**document["fetched"]))
    return here if here.fetched.address == named and Path(here.path).exists() else None


def _check(named: str, found: str, expected: str) -> None:
    if expected and found != expected:
        raise UserError(
            f"source {named} has the SHA-256 {found}, expected {expected}: it is another one than was meant, or has "
            "changed"
        )


def _fetch(named: str, folder: Path, watch: Watch) -> Copy:
    store, path = open_store(named)
    whole, files = listed_files(named, store, path)
    limit = int(_SHARE_OF_DISK * shutil.disk_usage(folder).free)
    total = sum(one.size or 0 for one in files)
    if total > limit:
        raise too_large(named, f"has {size(total)} in {len(files):,} files", limit)
    target = folder / local_name(named)
    hashes = Fetching(named, store, files, target if whole else folder, limit, watch).all()
    names = [one.relative for one in files]
    digest = digest_of_list(dict(zip(names, hashes, strict=True))) if whole else hashes[0]
    came = sum(((target if whole else folder) / name).stat().st_size for name in names)
    return Copy(str(target), Fetched(named, len(files), came, digest, {} if whole else _said(files[0].said)))


def _said(said: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value).strip('"') for key, value in sorted(said.items()) if key.lower() in _SAID and value}
