"""Runs of a SQLite store -> one file, a zip.

It holds the rows of the store's tables as JSON, a line each, and the artifacts; ``record.json`` comes last and has size
and SHA-256 of everything. The same runs make the same file, byte for byte, wherever the same zlib is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from steps.errors import UserError, shown_path
from steps.tracking.carry import rows, tables
from steps.tracking.spool import lost_text, missing
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.moved import local_path

MANIFEST: Final = "record.json"
FORMAT: Final = "fear-record"
VERSION: Final = 1
_CHUNK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
# Everything else is compressed already: networks, tables in Parquet, pictures.
_COMPRESSED = {".json", ".jsonl", ".csv", ".md", ".html", ".txt", ".yaml", ".yml", ""}


@dataclass
class Packed:
    """What a record holds.

    Attributes:
        runs: how many.
        models: how many.
        versions: how many registered versions.
        files: size and SHA-256 by name.
        sha256: of the list of these, which so stands for all of it.
    """

    runs: int = 0
    models: int = 0
    versions: int = 0
    files: dict[str, dict[str, int | str]] = field(default_factory=dict)
    sha256: str = ""


def pack(
    path: Path, connection: sqlite3.Connection, uri: str, run_ids: Iterable[str], noted: Mapping[str, set[str]]
) -> Packed:
    """Write runs, their models and registered versions to one file; it appears whole or not at all.

    Args:
        path: of the file, which must not exist.
        connection: to the store.
        uri: of the store.
        run_ids: of the runs.
        noted: files that were ever logged, by run and model, where that is known.

    Raises:
        UserError: a file of a run was lost, cannot be read, or nothing can be written there.
    """
    part = path.with_name(f".{path.name}.part")
    selection = rows.select(connection, run_ids)
    packed = Packed(len(selection.runs), len(selection.models), len(selection.versions))
    try:
        with zipfile.ZipFile(part, "w", allowZip64=True) as archive:
            places: dict[str, str] = {}
            for table, these in rows.read(connection, selection):
                _add(archive, f"tables/{table}.jsonl", _lines(table, these, places), packed)
            for owner, place in sorted(places.items()):
                with _folder(place, uri) as folder:
                    if lost := lost_text(missing(noted.get(owner, ()), folder), folder):
                        raise UserError(f"not written: {lost}")
                    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
                        if file.is_file() and not file.is_symlink():
                            name = f"artifacts/{owner}/{file.relative_to(folder).as_posix()}"
                            with file.open("rb") as content:
                                _add(archive, name, _chunks(content), packed)
            manifest = _manifest(packed)
            packed.sha256 = hashlib.sha256(manifest).hexdigest()
            with archive.open(_entry(MANIFEST), "w") as entry:
                entry.write(manifest)
        if path.exists():
            raise UserError(f"{path} exists by now; nothing was written")
        part.rename(path)
    except OSError as error:
        raise UserError(f"{shown_path(str(path))} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return packed


def _manifest(packed: Packed) -> bytes:
    document = {
        "format": FORMAT,
        "version": VERSION,
        "mlflow": importlib.metadata.version("mlflow"),
        "runs": packed.runs,
        "models": packed.models,
        "registered_versions": packed.versions,
        "files": packed.files,
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _lines(table: str, these: Iterable[tables.Row], places: dict[str, str]) -> Iterator[bytes]:
    """Rows as JSON; where the artifacts of runs and models are is noted in ``places``."""
    known = tables.TABLES[table]
    for row in these:
        if known.kind in ("run", "model") and known.places:
            places[row[known.owner]] = row[known.places[0]]
        yield (json.dumps(row, sort_keys=True, allow_nan=False) + "\n").encode()


def _add(archive: zipfile.ZipFile, name: str, content: Iterable[bytes], packed: Packed) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(_entry(name), "w", force_zip64=True) as file:
        for chunk in content:
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    packed.files[name] = {"bytes": size, "sha256": digest.hexdigest()}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o600 << 16
    is_text = Path(name).suffix in _COMPRESSED
    entry.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
    return entry


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    read: Callable[[], bytes] = lambda: file.read(_CHUNK)  # noqa: E731
    return iter(read, b"")


@contextmanager
def _folder(place: str, uri: str) -> Iterator[Path]:
    """The artifacts at a place, fetched where it is no folder of this machine."""
    if folder := local_path(place):
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        files = repository(place, uri)
        if files.list_artifacts():
            files.download_artifacts("", scratch)
        yield Path(scratch)
