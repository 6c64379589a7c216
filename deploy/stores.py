"""Where a tracking server keeps rows and files, as programs beside it see them: PostgreSQL and S3."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.serve import settle_stores

THREADS: Final = 8
_CHUNK: Final = 1 << 20
_PROBE: Final = ".health-check"
_NO_OWNERS: Final = ("--no-owner", "--no-privileges")


class StoreError(Exception):
    """A store or a backup cannot be used: why, in one line."""


class ObjectStore:
    """The artifacts of a server: everything below one address ``s3://bucket/folder``."""

    def __init__(self, uri: str, endpoint: str | None) -> None:
        import boto3
        from botocore.config import Config

        parts = urlsplit(uri)
        self.bucket, folder = parts.netloc, parts.path.strip("/")
        self._prefix = f"{folder}/" if folder else ""
        config = Config(
            connect_timeout=10,
            read_timeout=120,
            retries={"max_attempts": 5, "mode": "standard"},
            max_pool_connections=THREADS,
        )
        self._client = boto3.client("s3", endpoint_url=endpoint or None, config=config)

    def files(self) -> dict[str, tuple[int, str]]:
        """Size and mark (ETag) of everything there is, by key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix)
        found = {
            one["Key"][len(self._prefix) :]: (int(one["Size"]), str(one["ETag"]))
            for page in pages
            for one in page.get("Contents", ())
        }
        found.pop(_PROBE, None)
        return found

    def read(self, key: str) -> tuple[str, Iterator[bytes]] | None:
        """The mark and the content, in parts, of a file; none when it is gone.

        An answer that is cut off raises botocore's ``IncompleteReadError`` at its end.
        """
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._prefix + key)
        except self._client.exceptions.NoSuchKey:
            return None
        return str(answer["ETag"]), answer["Body"].iter_chunks(_CHUNK)

    def write(self, key: str, path: Path) -> None:
        """Store a file, in several parts where it is large."""
        self._client.upload_file(str(path), self.bucket, self._prefix + key)

    def probe(self) -> None:
        """Write a small file, read it back, delete it."""
        place = {"Bucket": self.bucket, "Key": self._prefix + _PROBE}
        self._client.put_object(**place, Body=b"well")
        if self._client.get_object(**place)["Body"].read() != b"well":
            raise StoreError(f"bucket {self.bucket} does not give back what was written to it")
        self._client.delete_object(**place)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete files."""
        for key in keys:
            self._client.delete_object(Bucket=self.bucket, Key=self._prefix + key)


class Database:
    """A database of PostgreSQL; its password is in ``PGPASSWORD``."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.replace("postgresql+psycopg2://", "postgresql://", 1)
        parts = urlsplit(self.uri)
        self.shown = f"{parts.path.strip('/')} at {parts.hostname}:{parts.port or 5432}"

    def dump(self, path: Path) -> None:
        """Write the state of one moment, without owners: another account may restore it."""
        _run("pg_dump", f"--dbname={self.uri}", "--format=custom", *_NO_OWNERS, f"--file={path}")

    def restore(self, path: Path) -> None:
        """Bring all of a dump back, or nothing."""
        _run("pg_restore", f"--dbname={self.uri}", "--single-transaction", "--exit-on-error", *_NO_OWNERS, str(path))

    def tables(self) -> list[str]:
        """Names of its tables."""
        return [name for (name,) in self._ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def others(self) -> int:
        """How many other programs are connected."""
        ((number,),) = self._ask(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(number)

    def clear(self) -> None:
        """Drop all tables, and the functions that MLflow's triggers call."""
        import psycopg2
        from psycopg2 import sql

        functions = self._ask(
            "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace "
            # those of an extension are somebody else's
            "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid "
            "AND d.deptype = 'e')"
        )
        tables = [sql.Identifier("public", name) for name in self.tables()]
        drop = [sql.SQL("DROP TABLE {} CASCADE").format(table) for table in tables]
        drop += [sql.SQL(f"DROP ROUTINE {signature} CASCADE") for (signature,) in functions]  # as PostgreSQL quotes it
        with closing(psycopg2.connect(self.uri, connect_timeout=10)) as connection, connection:
            connection.cursor().execute(sql.SQL("SET search_path = public; ") + sql.SQL("; ").join(drop))

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        import psycopg2

        try:
            with closing(psycopg2.connect(self.uri, connect_timeout=10)) as connection:
                cursor = connection.cursor()
                cursor.execute(query)
                return list(cursor.fetchall())
        except psycopg2.Error as error:
            raise StoreError(f"database {self.shown} cannot be used: {first_line(str(error))}") from error


@dataclass(frozen=True)
class Stores:
    """The databases by the names of their dumps, users before runs, and the object store."""

    databases: Mapping[str, Database]
    artifacts: ObjectStore

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Stores:
        """The stores that the variables name; secrets are put into the environment of this process."""
        settled = dict(environment)
        runs, users = settle_stores(settled)
        place = settled["MLFLOW_ARTIFACTS_DESTINATION"]
        if runs.startswith("sqlite") or users.startswith("sqlite") or not place.startswith("s3://"):
            raise StoreError(
                "this is for PostgreSQL and S3; SQLite files and folders are copied while the server is stopped"
            )
        for name in ("PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if name in settled:
                os.environ[name] = settled[name]
        databases = {"runs.dump": Database(runs)}
        if users != runs:
            databases = {"users.dump": Database(users)} | databases
        return cls(databases, ObjectStore(place, settled.get("MLFLOW_S3_ENDPOINT_URL")))


def first_line(text: str) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "it does not say why"


def _run(program: str, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise StoreError(f"{program} is not installed; expected PostgreSQL's client programs, of the server's version")
    done = subprocess.run([path, "--no-password", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise StoreError(f"{program} failed: {first_line(done.stderr)}")
