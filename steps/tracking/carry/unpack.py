"""One file with runs -> a store of its own in an empty folder. The file may come from anybody.

Nothing of it decides where something is written or read: names are checked before the first byte, artifacts go to
folders named by the identifiers of their runs, rows are checked one by one and inserted into a database that is made
here. Sizes and SHA-256 are those of its own list.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steps.errors import UserError, shown, shown_path
from steps.system.private_files import private_file, private_folder
from steps.system.untrusted_files import size, what_it_is
from steps.tracking.carry import rows, tables
from steps.tracking.carry.pack import FORMAT, MANIFEST, VERSION
from steps.tracking.store.opening import making

_CHUNK = 1 << 20
_MOST_FILES, _LONGEST_LIST, _LONGEST_LINE = 1_000_000, 256 << 20, 16 << 20
# Text of a study shrinks to a tenth; only what was made for it shrinks to less than this.
_RATIO, _SMALL = 200, 64 << 20
_SPARE = 64 << 20
_NAME: Final = re.compile(rf"tables/({'|'.join(tables.TABLES)})\.jsonl|artifacts/(m-)?[0-9a-f]{{32}}/.+", re.DOTALL)
_SHORTEST_PLACE = 8


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Manifest(BaseModel):
    """``record.json``."""

    model_config = ConfigDict(strict=True)
    format: str
    version: int
    runs: int
    files: dict[str, _File]


class Unpacked:
    """A record whose every byte was compared with its list.

    Attributes:
        before: where texts of the record say that artifacts are -> where they are now.
        sha256: of its list, which stands for all of it.
        runs: identifiers of its runs.
    """

    def __init__(self, folder: Path, sha256: str) -> None:
        self._folder = folder
        self.before: dict[str, str] = {}
        self.sha256 = sha256
        self.runs: list[str] = []

    def place_of(self, table: str, row: tables.Row) -> str:
        """Where the artifacts of a row are now."""
        spec = tables.TABLES[table]
        if table == "model_versions":
            return self._place(row["source"])
        if spec.kind == "experiment":
            return (self._folder / "unused").as_uri()
        place, was = self._place(row[spec.owner]), row[spec.places[0]]
        if was and len(was) >= _SHORTEST_PLACE and "/" in was:
            self.before[was] = place
        if table == "runs":
            self.runs.append(row["run_uuid"])
        return place

    def _place(self, owner: str) -> str:
        return (self._folder / "artifacts" / owner).as_uri()


def unpack(path: Path, folder: Path) -> Unpacked:
    """Make a store of a record.

    Args:
        path: of the file.
        folder: empty; gets ``mlflow.db`` and ``artifacts``.

    Raises:
        UserError: it is no record, damaged, or made to do harm; the folder is to be thrown away.
    """
    name = shown_path(str(path))
    try:
        if special := what_it_is(path.stat().st_mode):
            raise UserError(f"{name} is {special}, expected a record made by sync -P to=record.zip")
        with zipfile.ZipFile(path) as archive:
            manifest, sha256 = _manifest(archive, path)
            _check_names(archive, manifest, name)
            _check_sizes(archive, manifest, path, folder)
            for entry in sorted(archive.infolist(), key=lambda one: one.filename):
                if entry.filename != MANIFEST:
                    _extract(archive, entry, manifest.files[entry.filename], folder, name)
        return _fill(folder, sha256, name)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {name}; expected a record made by sync -P to=record.zip") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{name} is no whole zip file: {error}; copy it again") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read or unpacked: {error.strerror or error}") from error


def _refuse(name: str, reason: str) -> UserError:
    return UserError(f"{name} is refused: {reason}; nothing was taken from it. Copy it again, or ask who made it")


def _manifest(archive: zipfile.ZipFile, path: Path) -> tuple[_Manifest, str]:
    name = shown_path(str(path))
    entries = [entry for entry in archive.infolist() if entry.filename == MANIFEST]
    if len(entries) != 1:
        raise UserError(f"{name} is no record: it has no list {MANIFEST}; expected one made by sync -P to=record.zip")
    if entries[0].file_size > _LONGEST_LIST or _is_bomb(entries[0]):
        raise _refuse(name, f"its list {MANIFEST} unpacks to {size(entries[0].file_size)}")
    content = archive.read(entries[0])
    try:
        manifest = _Manifest.model_validate_json(content)
    except (ValidationError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "nested too deep"
        raise _refuse(name, f"its list {MANIFEST} is damaged ({reason})") from error
    if (manifest.format, manifest.version) != (FORMAT, VERSION):
        raise UserError(
            f"{name} is a record of kind {shown(manifest.format)}, version {manifest.version}; this project reads "
            f"{FORMAT!r}, version {VERSION}: use the version of the project that made it"
        )
    return manifest, hashlib.sha256(content).hexdigest()


def _check_names(archive: zipfile.ZipFile, manifest: _Manifest, name: str) -> None:
    """Names are those of the list, each once, and lead to where they belong."""
    entries = [entry for entry in archive.infolist() if entry.filename != MANIFEST]
    if len(entries) > _MOST_FILES:
        raise _refuse(name, f"it has {len(entries)} files, more than {_MOST_FILES}")
    seen: set[str] = set()
    for entry in entries:
        # What zipfile makes of a name is not always what stands in the file.
        raw, mode = entry.orig_filename, entry.external_attr >> 16
        parts = raw.split("/")
        if (
            raw != entry.filename
            or not _NAME.fullmatch(raw)
            or any(part in ("", ".", "..") or len(part.encode(errors="replace")) > 255 for part in parts)
            or "\\" in raw
            or "\0" in raw
        ):
            raise _refuse(name, f"a file in it is called {shown(raw)}, which leads somewhere else")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _refuse(name, f"{shown(raw)} in it is no ordinary file")
        if entry.flag_bits & 1:
            raise _refuse(name, f"{shown(raw)} in it is encrypted")
        if raw in seen:
            raise _refuse(name, f"{shown(raw)} is in it twice")
        if raw not in manifest.files:
            raise _refuse(name, f"{shown(raw)} in it is not in its list")
        seen.add(raw)
    if lost := sorted(manifest.files.keys() - seen):
        raise _refuse(name, f"{shown(lost[0])} is in its list, but not in it")
    folders = {"/".join(one.split("/")[:length]) for one in seen for length in range(1, one.count("/") + 1)}
    if both := sorted(folders & seen):
        raise _refuse(name, f"{shown(both[0])} is a file and a folder in it")


def _check_sizes(archive: zipfile.ZipFile, manifest: _Manifest, path: Path, folder: Path) -> None:
    name, entries = shown_path(str(path)), archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if bomb := next((entry for entry in entries if _is_bomb(entry)), None):
        raise _refuse(name, f"{shown(bomb.filename)} in it unpacks to {size(bomb.file_size)}, as no study's files do")
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise _refuse(name, "files in it lie upon each other")
    for entry in entries:
        if entry.filename != MANIFEST and manifest.files[entry.filename].bytes != entry.file_size:
            raise _refuse(name, f"{shown(entry.filename)} in it has another size than in its list")
    if total + _SPARE > (free := shutil.disk_usage(folder).free):
        raise UserError(
            f"{name} unpacks to {size(total)}, but {size(free)} are free for temporary files; name another folder for "
            "them: TMPDIR=/another/folder"
        )


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > max(_SMALL, _RATIO * entry.compress_size)


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, listed: _File, folder: Path, name: str) -> None:
    target = folder / entry.filename
    private_folder(target.parent)
    digest = hashlib.sha256()
    with archive.open(entry) as source, private_file(target).open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != listed.sha256:
        raise _refuse(
            name,
            f"{shown(entry.filename)} in it is not the file that was packed (SHA-256 {digest.hexdigest()[:12]}…, "
            f"expected {listed.sha256[:12]}…)",
        )


def _fill(folder: Path, sha256: str, name: str) -> Unpacked:
    """A database of the tables' rows."""
    made, known = Unpacked(folder, sha256), tables.Known()
    database = private_file(folder / "mlflow.db")
    uri = f"sqlite:///{database}"
    with making(uri):
        MlflowClient(uri, uri).search_experiments(max_results=1)
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM experiments")
            for table in tables.TABLES:
                rows.write(connection, table, _rows(folder / "tables" / f"{table}.jsonl", table, known), made.place_of)
    except tables.RowError as error:
        raise _refuse(name, str(error)) from error
    except sqlite3.Error as error:
        raise _refuse(name, f"its tables fit into no store ({error})") from error
    return made


def _rows(path: Path, table: str, known: tables.Known) -> Iterator[tables.Row]:
    if not path.is_file():
        raise tables.RowError(f"table {table} is missing")
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise tables.RowError(f"table {table} is no JSON, a row in each line") from error
            yield tables.check_row(table, row, known)


__all__ = ["Unpacked", "unpack"]
