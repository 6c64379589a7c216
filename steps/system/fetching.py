"""Files of a store elsewhere, by fsspec: listed, fetched several at once, their sizes and checksums compared.

Every call ends in time, and everything that goes wrong is one line, without what may be a token.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from steps.errors import UserError, shown
from steps.system.deadline import within
from steps.system.file_digests import digest_of_file
from steps.system.source_address import SCHEMES, scheme_of
from steps.system.store_failures import why
from steps.system.untrusted_files import size

QUERY: Final = "FEAR_SOURCE_QUERY"  # what follows ? in an address of the web; never recorded, as it may be a token
_PATIENCE_S: Final = 60.0  # without an answer, or a byte
_LISTING_S: Final = 600.0
_AT_ONCE: Final = 16
_RELEASED_WITH_FSSPEC: Final = ("s3fs",)  # and need the same version

# Takes how much came, of how much, and of what: files, or MB of a single one.
Watch = Callable[[float, float, str], None]


@dataclass(frozen=True)
class StoredFile:
    """One to fetch: its name in the store, its path below the source, its size and what else the store says."""

    remote: str
    relative: str
    size: int | None
    said: Mapping[str, Any]


def open_store(named: str) -> tuple[Any, str]:
    """The store of an address, and what it calls the file or folder there.

    Raises:
        UserError: a package is missing, or the store does not answer.
    """
    import fsspec  # takes long to import, and few sources lie elsewhere

    scheme = scheme_of(named)
    address = named
    if scheme in ("http", "https") and (query := os.environ.get(QUERY)):
        address = f"{named}?{query.removeprefix('?')}"
    options = {"version_aware": True} if scheme in ("s3", "s3a") and "?versionid=" in named.lower() else {}
    with _told(named):
        try:
            return within(  # type: ignore[no-any-return]
                _PATIENCE_S, lambda: fsspec.core.url_to_fs(address, skip_instance_cache=True, **options)
            )
        except ImportError as error:
            package = SCHEMES[scheme]
            if not package:
                raise UserError(f"source {named} needs a package that is missing: {error}") from error
            if package in _RELEASED_WITH_FSSPEC:
                package += f"=={fsspec.__version__}"
            raise UserError(
                f"source {named} needs a package that is not installed: pip install {package!r}, and run with "
                "--env-manager local"
            ) from error


def listed_files(named: str, store: Any, path: str) -> tuple[bool, list[StoredFile]]:
    """Whether it is a folder, and its files in the order of their names.

    Raises:
        UserError: there is no such file or folder, it may not be read, or it cannot have these names here.
    """
    on_web = scheme_of(named) in ("http", "https")
    with _told(named):
        if not (on_web and named.endswith("/")):
            said = within(_PATIENCE_S, lambda: store.info(path))
            if on_web and said.get("mimetype") == "text/html":
                raise UserError(
                    f"source {named} is a web page, expected a file; the address of a folder ends in /, and a page to "
                    "log in needs credentials (docs/prepare.md)"
                )
            if said.get("type") != "directory":
                return False, [StoredFile(path, local_name(named), said.get("size"), said)]
        found = within(_LISTING_S, lambda: store.find(path, detail=True))
    root = path.partition("?")[0].rstrip("/") + "/"
    files = []
    for remote, said in found.items():
        relative = remote.removeprefix(root)
        if on_web:
            if "?" in relative or "#" in relative:  # other ways to sort a page
                continue
            relative = unquote(relative)
        if not relative or relative.endswith("/") or said.get("type") == "directory":
            continue
        if any(part in ("", ".", "..") for part in relative.split("/")) or "\0" in relative:
            raise UserError(f"source {named} holds {shown(remote)}, which cannot be the name of a file here")
        files.append(StoredFile(remote, relative, said.get("size"), said))
    if not files:
        raise UserError(f"source {named} holds no file, or there is no such folder")
    return True, sorted(files, key=lambda one: os.fsencode(one.relative))


class Fetching:
    """Files on their way, several at once; one that stands still, or never ends, is given up."""

    def __init__(
        self, named: str, store: Any, files: Sequence[StoredFile], target: Path, limit: int, watch: Watch
    ) -> None:
        self._named, self._store, self._files, self._target = named, store, files, target
        self._limit, self._watch = limit, watch
        self._waiting = deque(range(len(files)))
        self._on_their_way: dict[int, Path] = {}
        self._hashes: dict[int, str] = {}
        self._bytes = 0
        self._error: BaseException | None = None

    def all(self) -> list[str]:
        """SHA-256 of each file."""
        # Threads of our own, which end with the process: a call that never returns must not keep it.
        workers = [
            threading.Thread(target=self._work, name="fetch", daemon=True)
            for _ in range(min(_AT_ONCE if getattr(self._store, "async_impl", False) else 1, len(self._files)))
        ]
        for one in workers:
            one.start()
        try:
            self._wait(workers)
        finally:
            self._waiting.clear()
        if self._error:
            with _told(self._named):
                raise self._error
        return [self._hashes[i] for i in range(len(self._files))]

    def _wait(self, workers: Sequence[threading.Thread]) -> None:
        seen, at = -1, time.monotonic()
        while any(one.is_alive() for one in workers) and not self._error:
            next(one for one in workers if one.is_alive()).join(0.05)
            total = self._bytes + sum(_size(path) for path in list(self._on_their_way.values()))
            if total > self._limit:
                raise too_large(self._named, f"has more than {size(self._limit)}", self._limit)
            now = time.monotonic()
            if total + len(self._hashes) != seen:
                seen, at = total + len(self._hashes), now
            elif now - at > _PATIENCE_S:
                raise UserError(f"source {self._named}: nothing came for {_PATIENCE_S:g} s; run this again")
            if len(self._files) > 1:
                self._watch(len(self._hashes), len(self._files), "files")
            elif whole := self._files[0].size:
                self._watch(total / 1e6, whole / 1e6, "MB")

    def _work(self) -> None:
        try:
            while self._waiting:
                try:
                    i = self._waiting.popleft()
                except IndexError:  # another took the last one
                    return
                self._one(i)
        except BaseException as error:
            self._error = self._error or error
            self._waiting.clear()

    def _one(self, i: int) -> None:
        file, path = self._files[i], self._target / self._files[i].relative
        path.parent.mkdir(parents=True, exist_ok=True)
        self._on_their_way[i] = path
        self._store.get_file(file.remote, str(path))
        came = path.stat().st_size
        if file.size is not None and came != file.size:
            raise UserError(
                f"source {self._named}: {file.relative} came with {came:,} of {file.size:,} bytes; run this again"
            )
        self._hashes[i] = digest_of_file(path)
        md5 = _md5(file.said)
        if md5 and digest_of_file(path, "md5") != md5:
            raise UserError(f"source {self._named}: {file.relative} came damaged: its MD5 is not what the store says")
        self._bytes += came  # under the lock of the interpreter only: it is for the watch and the limit
        del self._on_their_way[i]


@contextmanager
def _told(named: str) -> Iterator[None]:
    """Errors of stores as one line each, without what may be a token."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"source {named} cannot be fetched: {_why(error)}") from error


def _why(error: BaseException) -> str:
    text = why(error, _PATIENCE_S)
    if query := os.environ.get(QUERY):
        text = text.replace(query.removeprefix("?"), "***")
    return text


def too_large(named: str, has: str, limit: int) -> UserError:
    """What is said of a source that does not fit onto the disk."""
    return UserError(
        f"source {named} {has}, but {size(limit)} fit into the folder for temporary files; name a part of it, or put "
        "temporary files on a larger disk (TMPDIR=…)"
    )


def local_name(named: str) -> str:
    """What a copy is called: as the last part of the address."""
    place = urlsplit(named)
    last = unquote(place.path.rstrip("/").rpartition("/")[2] or place.netloc.rpartition("@")[2])
    return last if last not in ("", ".", "..") and "/" not in last and "\0" not in last else "source"


def _md5(said: Mapping[str, Any]) -> str:
    """The MD5 that a store vouches for, in hexadecimal digits; "" where it says none."""
    settings = said.get("content_settings")
    value = said.get("md5Hash") or said.get("Content-MD5") or (settings and settings.get("content_md5"))
    if isinstance(value, str):
        value = base64.b64decode(value)
    return bytes(value).hex() if value else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
