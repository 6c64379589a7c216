"""Back up a tracking server's databases and artifacts, check a backup, and bring one back.

    python -m deploy.backup save FOLDER [--keep 14]
    python -m deploy.backup check FOLDER [--backup NAME]
    python -m deploy.backup restore FOLDER [--backup NAME] [--replace]

It reads the variables that `deploy.serve` reads (PostgreSQL and S3 only) and needs the programs ``pg_dump`` and
``pg_restore``. The server goes on running while it is saved. A backup holds, for its owner alone:

    backups/2026-11-28T021500Z/     backup.json, and a dump of each database
    objects/ab/ab12…                every artifact once, by its SHA-256, for all backups

**Databases first, artifacts after them.** A dump is the state of one moment. What a row of that moment vouches for (a
finished run, a model that is ready) was stored before the row was written, so it is among the artifacts that are copied
afterwards, which the other order does not grant. What is newer than the rows is there, too, and does no harm. For the
same reason the users come before the runs: a permission for an experiment that the dump of runs does not know would be
one for whatever experiment is given its number next.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from deploy.serve import ConfigurationError
from deploy.stores import THREADS, ObjectStore, StoreError, Stores, first_line

FORMAT: Final = 1
_NAME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artifact:
    """A file of the object store: its size in bytes, the SHA-256 of its content, and the store's mark for it."""

    size: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made: when it was begun, UTC.
        mlflow: version of MLflow whose tables are in it.
        databases: names of the dumps, in the order in which they were made, each with size and SHA-256.
        artifacts: by their keys, below the artifacts' folder.
    """

    made: str
    mlflow: str
    databases: Mapping[str, tuple[int, str]]
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all artifacts."""
        return sum(artifact.size for artifact in self.artifacts.values())


class Backups:
    """A folder of backups."""

    def __init__(self, folder: Path) -> None:
        self._backups, self._objects = folder / "backups", folder / "objects"
        self._lock = folder / "lock"

    def names(self) -> list[str]:
        """Those that are whole, oldest first."""
        found = self._backups.iterdir() if self._backups.is_dir() else ()
        return sorted(path.name for path in found if _NAME.fullmatch(path.name))

    def folder(self, name: str) -> Path:
        """Where a backup's list and dumps are."""
        return self._backups / name

    def named(self, name: str | None) -> str:
        """A backup by its name, or the newest."""
        names = self.names()
        if not names:
            raise StoreError(f"{self._backups.parent} holds no backup")
        if name is not None and name not in names:
            raise StoreError(f"{self._backups.parent} holds no backup {name}; there are {', '.join(names[-5:])}")
        return name or names[-1]

    def object(self, sha256: str) -> Path:
        """Where the content with this digest is."""
        return self._objects / sha256[:2] / sha256

    def manifest(self, name: str) -> Manifest:
        """The list of a backup, as it was written.

        Raises:
            StoreError: it is damaged.
        """
        path = self.folder(name) / "backup.json"
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if (read["format"], read["sha256"]) != (FORMAT, _digest_of_list(read["content"])):
                raise ValueError("it was changed after it was written")
            content = read["content"]
            databases = {name: (int(size), str(sha256)) for name, (size, sha256) in content["databases"].items()}
            artifacts = {key: Artifact(**artifact) for key, artifact in content["artifacts"].items()}
            if not all(_SHA256.fullmatch(artifact.sha256) for artifact in artifacts.values()):
                raise ValueError("a digest in it is none")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"{path} is damaged: {error}; use another backup, and remove this one") from error
        return Manifest(str(content["made"]), str(content["mlflow"]), databases, artifacts)

    def check(self, name: str) -> Manifest:
        """Read a whole backup.

        Raises:
            StoreError: something in it is missing, or is not what was saved.
        """
        manifest = self.manifest(name)
        expected = [(self.folder(name) / dump, *known) for dump, known in manifest.databases.items()]
        expected += [(self.object(one.sha256), one.size, one.sha256) for one in manifest.artifacts.values()]
        with ThreadPoolExecutor(THREADS) as pool:
            wrong = [text for text in pool.map(lambda one: _fault(*one), expected) if text]
        if wrong:
            raise StoreError(f"backup {name} is damaged: {wrong[0]} (files that are: {len(wrong)}); use another one")
        return manifest

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the folder; what a process that was killed has left is swept away."""
        for path in (self._backups, self._objects):
            path.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"another backup is being made, or restored, in {self._lock.parent}") from error
            for path in self._backups.iterdir():
                if path.suffix == ".new" and _NAME.fullmatch(path.stem):
                    shutil.rmtree(path)
            for path in self._objects.glob("*.new"):
                if _SHA256.fullmatch(path.stem):
                    path.unlink()
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody makes a backup meanwhile, of what is half restored, or removes this one; the folder is only read."""
        if not self._lock.exists():  # it was carried here
            yield
            return
        with self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"a backup is being made in {self._lock.parent}; wait until it is done") from error
            yield

    def save(self, stores: Stores, now: datetime) -> tuple[str, str, Manifest, int, int]:
        """Make a backup.

        Returns:
            Its name, the SHA-256 of its list, the list, how many files were fetched because no earlier backup has
            them, and how many were deleted on the server in the meantime.
        """
        for database in stores.databases.values():
            if not database.tables():  # night after night, it would push out the backups of what was there
                raise StoreError(f"database {database.shown} holds no tables; nothing was saved")
        name = f"{now:%Y-%m-%dT%H%M%SZ}"
        folder = self._backups / f"{name}.new"
        folder.mkdir()
        databases = {}
        for dump, database in stores.databases.items():
            database.dump(folder / dump)
            databases[dump] = _size_and_digest(folder / dump)
        earlier = self._earlier()
        listed = stores.artifacts.files()
        if earlier and not listed:
            raise StoreError(
                f"the object store is empty, and the last backup has {len(earlier)} files; nothing was saved. If that "
                "is meant, save to another folder"
            )

        def copied(key: str) -> tuple[Artifact | None, bool]:
            known, (size, etag) = earlier.get(key), listed[key]
            if known and (known.size, known.etag) == (size, etag) and not self._fault_of(known):
                return known, False
            return self._fetched(stores.artifacts, key), True

        with ThreadPoolExecutor(THREADS) as pool:
            done = dict(zip(listed, pool.map(copied, listed), strict=True))
        artifacts = {key: artifact for key, (artifact, _) in sorted(done.items()) if artifact}
        manifest = Manifest(f"{now:%Y-%m-%dT%H:%M:%SZ}", version("mlflow"), databases, artifacts)
        content = asdict(manifest)
        digest = _digest_of_list(content)
        text = json.dumps({"format": FORMAT, "sha256": digest, "content": content}, indent=1)
        (folder / "backup.json").write_text(text, encoding="utf-8")
        os.sync()  # a backup that is there is on the disk
        folder.rename(self._backups / name)
        fetched = sum(new and artifact is not None for artifact, new in done.values())
        return name, digest, manifest, fetched, len(listed) - len(artifacts)

    def forget(self, keep: int) -> int:
        """Remove all but the newest backups, and what only they need; return how many were removed."""
        old = self.names()[:-keep]
        kept = {one.sha256 for name in self.names()[-keep:] for one in self.manifest(name).artifacts.values()}
        for name in old:
            shutil.rmtree(self.folder(name))
        for path in self._objects.glob("*/*"):  # somebody else's `objects` may have been here before
            if _SHA256.fullmatch(path.name) and path.parent.name == path.name[:2] and path.name not in kept:
                path.unlink()
        return len(old)

    def _earlier(self) -> Mapping[str, Artifact]:
        """What the newest backup that can be read knows."""
        for name in reversed(self.names()):
            try:
                return self.manifest(name).artifacts
            except StoreError as error:
                print(f"warning: {error}", file=sys.stderr)
        return {}

    def _fault_of(self, artifact: Artifact) -> str | None:
        return _fault(self.object(artifact.sha256), artifact.size, artifact.sha256)

    def _fetched(self, store: ObjectStore, key: str, tries: int = 3) -> Artifact | None:
        from botocore.exceptions import IncompleteReadError

        temporary = self._objects / f"{hashlib.sha256(key.encode()).hexdigest()}.new"
        for left in reversed(range(tries)):
            if (answer := store.read(key)) is None:
                return None
            etag, parts = answer
            digest, size = hashlib.sha256(), 0
            try:
                with temporary.open("wb") as file:
                    for part in parts:
                        digest.update(part)
                        size += file.write(part)
                break
            except IncompleteReadError:
                if not left:
                    raise
        artifact = Artifact(size, digest.hexdigest(), etag)
        path = self.object(artifact.sha256)
        path.parent.mkdir(exist_ok=True)
        temporary.rename(path)
        return artifact


def restore(backups: Backups, name: str, stores: Stores, *, replace: bool) -> Manifest:
    """Bring a backup back: files, then rows, so that no row is without its file; then read both back.

    Args:
        backups: the folder.
        name: which backup.
        stores: where to.
        replace: whether what is there may go.

    Raises:
        StoreError: the backup is damaged, a server is running, or something is there and may not go. Nothing was
            changed then.
    """
    manifest = backups.check(name)
    if set(manifest.databases) != set(stores.databases):
        raise StoreError(
            f"backup {name} holds {', '.join(manifest.databases)}, the variables name {', '.join(stores.databases)}; "
            "set MLFLOW_AUTH_DATABASE_URI as it was"
        )
    for database in stores.databases.values():
        if others := database.others():
            raise StoreError(f"programs are connected to database {database.shown} ({others}); stop the server first")
    tables = sum(len(database.tables()) for database in stores.databases.values())
    there = stores.artifacts.files()
    if (tables or there) and not replace:
        raise StoreError(
            f"something is there already: {tables} tables and {len(there)} files; nothing was changed. "
            "--replace puts the backup in their place"
        )
    try:
        _put(backups, name, manifest, stores)
        stores.artifacts.remove(set(there) - set(manifest.artifacts))
        found = {key: size for key, (size, _) in stores.artifacts.files().items()}
        if found != {key: artifact.size for key, artifact in manifest.artifacts.items()}:
            raise StoreError("the object store does not hold what was written to it")
    except Exception as error:
        reason = first_line(str(error))
        raise StoreError(f"{reason}; what is there now is not whole: restore once more, with --replace") from error
    return manifest


def _put(backups: Backups, name: str, manifest: Manifest, stores: Stores) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        written = [
            pool.submit(stores.artifacts.write, key, backups.object(artifact.sha256))
            for key, artifact in manifest.artifacts.items()
        ]
        for done in written:
            done.result()
    for dump, database in stores.databases.items():
        database.clear()
        database.restore(backups.folder(name) / dump)


def _fault(path: Path, size: int, sha256: str) -> str | None:
    """What is wrong with a file, if anything."""
    try:
        found = _size_and_digest(path)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    return None if found == (size, sha256) else f"{path} is not what was saved"


def _size_and_digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_list(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 after one line that says what is wrong."""
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description="Backups of a tracking server.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("save", "check", "restore"):
        options = commands.add_parser(command)
        options.add_argument("folder", type=Path)
        if command == "save":
            options.add_argument("--keep", type=int, default=14, help="how many backups stay, the newest")
        else:
            options.add_argument("--backup", help="its name; the newest unless given")
        if command == "restore":
            options.add_argument("--replace", action="store_true", help="what is there may go")
    given = parser.parse_args(arguments)
    umask = os.umask(0o077)
    try:
        print(_carry_out(given))
    except (StoreError, ConfigurationError) as error:
        print(f"error: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"error: the object store failed: {first_line(str(error))}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
    else:
        return 0
    finally:
        os.umask(umask)
    return 2


def _carry_out(given: argparse.Namespace) -> str:
    backups = Backups(given.folder)
    if given.command == "check":
        name = backups.named(given.backup)
        manifest = backups.check(name)
        return f"{name}: whole; {_what(manifest)}"
    stores = Stores.of(os.environ)
    if given.command == "restore":
        with backups.held():
            name = backups.named(given.backup)
            manifest = restore(backups, name, stores, replace=given.replace)
        return (
            f"{name}: restored; {_what(manifest)}. Start the server; what people recorded after {manifest.made} comes "
            "back by their `sync`"
        )
    if given.keep < 1:
        raise StoreError(f"--keep is {given.keep}, expected at least 1")
    with backups.locked():
        name, digest, manifest, fetched, gone = backups.save(stores, datetime.now(UTC))
        try:
            removed = backups.forget(given.keep)
        except StoreError as error:  # of a list that cannot be read nobody knows which files it needs
            raise StoreError(f"backup {name} was made, but no older one was removed: {error}") from error
    return (
        f"{name}: {_what(manifest)}, {fetched} of them new, {gone} deleted meanwhile; {removed} older backups removed; "
        f"SHA-256 of its list {digest}"
    )


def _what(manifest: Manifest) -> str:
    rows = sum(size for size, _ in manifest.databases.values())
    return (
        f"MLflow {manifest.mlflow}, databases of {rows / 1e6:.1f} MB, "
        f"{len(manifest.artifacts)} files of {manifest.size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
