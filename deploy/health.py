"""Is a tracking server well? A line for each thing that was looked at.

    python -m deploy.health [--disk FOLDER …] [--free 5] [--backups FOLDER] [--age 26]

Looks whether the server answers, the database holds MLflow's tables, the object store takes a file and gives it back,
disks have room, and the newest backup is young. It reads the variables that `deploy.serve` reads. Exit status 0 when
all is well, 1 when something is not, 2 when it cannot be told.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup import Backups
from deploy.serve import ConfigurationError
from deploy.stores import StoreError, Stores, first_line


def server(environment: Mapping[str, str]) -> str:
    """The server answers on this machine."""
    host = environment.get("MLFLOW_HOST") or "127.0.0.1"
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{environment.get('MLFLOW_PORT') or 5000}/health"  # noqa: S104
    try:
        with urllib.request.urlopen(address, timeout=5):
            return f"{address} answers"
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a port that is no number
        raise StoreError(f"{address} does not answer: {getattr(error, 'reason', None) or error}") from error


def databases(stores: Stores) -> str:
    """MLflow's tables are there."""
    found = {database.shown: len(database.tables()) for database in stores.databases.values()}
    empty = [name for name, tables in found.items() if not tables]
    if empty:
        raise StoreError(f"{empty[0]} holds no tables")
    return ", ".join(f"{tables} tables in {name}" for name, tables in found.items())


def object_store(stores: Stores) -> str:
    """A file can be stored and read."""
    stores.artifacts.probe()
    return f"bucket {stores.artifacts.bucket} takes a file and gives it back"


def disk(folder: Path, free: float) -> str:
    """There are so many GB left."""
    left = shutil.disk_usage(folder).free / 1e9
    if left < free:
        raise StoreError(f"{left:.1f} GB left at {folder}, expected at least {free:g}")
    return f"{left:.1f} GB left at {folder}"


def backup(folder: Path, age: float, now: datetime) -> str:
    """There is a backup that is not older than so many hours."""
    name = Backups(folder).named(None)
    hours = (now - datetime.strptime(name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)).total_seconds() / 3600
    if hours > age:
        raise StoreError(f"the newest, {name}, is {hours:.0f} hours old, expected at most {age:g}")
    return f"the newest is {name}"


def main(arguments: list[str] | None = None) -> int:
    """Look at everything, and say it."""
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(prog="python -m deploy.health", description="Is a tracking server well?")
    parser.add_argument("--disk", type=Path, action="append", default=[], help="a disk to look at, besides TMPDIR's")
    parser.add_argument("--free", type=float, default=1.0, help="GB that have to be left")
    parser.add_argument("--backups", type=Path, help="the folder of backups")
    parser.add_argument("--age", type=float, default=26.0, help="hours that the newest backup may be old")
    given = parser.parse_args(arguments)
    try:
        stores = Stores.of(os.environ)
    except (ConfigurationError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    checks: list[tuple[str, Callable[[], str]]] = [
        ("server", lambda: server(os.environ)),
        ("database", lambda: databases(stores)),
        ("object store", lambda: object_store(stores)),
    ]
    # Whoever stores a file passes it through the server's folder for temporary ones.
    for folder in [Path(tempfile.gettempdir()), *given.disk]:
        checks.append(("disk", lambda folder=folder: disk(folder, given.free)))  # type: ignore[misc]
    if given.backups:
        checks.append(("backup", lambda: backup(given.backups, given.age, datetime.now(UTC))))
    well = True
    for name, check in checks:
        try:
            print(f"ok      {name}: {check()}")
        except (StoreError, OSError, BotoCoreError, ClientError) as error:
            well = False
            print(f"failed  {name}: {first_line(str(error))}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
