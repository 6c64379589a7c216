"""Can the tracking store be reached? Asked without MLflow, which would retry a silent server for minutes."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from steps.check.checklist import CheckError
from steps.errors import UserError
from steps.system.sqlite_store import sqlite_path, trouble
from steps.tracking.store.knock import CERTIFICATE_MEND, certificate_problem, get, knock_at_database
from steps.tracking.store.tracking_uri import DATABASE_PORTS, show_uri, usable

_LOCK_SECONDS = 2.0
_SCRATCH_TABLE = "fear_classification_check"
DATABASES = ("sqlite", *DATABASE_PORTS)
_UNAUTHORISED = (401, 403)


def is_server(uri: str) -> bool:
    """Whether the store is a tracking server."""
    return uri.startswith(("http://", "https://"))


def is_usable(uri: str) -> bool:
    """Whether MLflow can make something of a tracking URI."""
    try:
        usable(uri)
    except UserError:
        return False
    return True


def reach(uri: str, timeout: float) -> str:
    """How the store answers.

    Args:
        uri: the tracking URI, a SQLite path absolute.
        timeout: seconds to wait for a server.

    Raises:
        CheckError: it is mistyped, it cannot be reached, or not be written.
    """
    try:
        usable(uri)
    except UserError as error:
        raise CheckError(str(error), "correct MLFLOW_TRACKING_URI") from error
    if is_server(uri):
        return _reach_server(uri, timeout)
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme == "sqlite":
        return _reach_sqlite(uri)
    if scheme in DATABASE_PORTS:
        return _reach_database(uri, timeout)
    return f"a store of kind {scheme!r}, tried below"


def _reach_server(uri: str, timeout: float) -> str:
    import requests

    where = show_uri(uri)
    start = "start it (mlflow server), correct MLFLOW_TRACKING_URI, or unset it to record in this folder"
    try:
        status, _ = get(f"{uri.rstrip('/')}/health", timeout)
    except requests.exceptions.SSLError as error:
        raise CheckError(f"{where}: {certificate_problem(str(error)) or _reason(error)}", CERTIFICATE_MEND) from error
    except requests.exceptions.ConnectTimeout as error:
        raise CheckError(f"{where} cannot be reached within {timeout:g} s", start) from error
    except requests.exceptions.Timeout as error:
        raise CheckError(
            f"{where} takes connections, but does not answer within {timeout:g} s",
            "the server hangs or is overloaded: restart it, or give it longer with -P timeout=30",
        ) from error
    except requests.exceptions.RequestException as error:
        raise CheckError(f"{where}: {_reason(error)}", start) from error
    except ValueError as error:  # a port that is no number, a host that is no name
        raise CheckError(f"{where} is not an address", "correct MLFLOW_TRACKING_URI") from error
    if status in _UNAUTHORISED:
        raise CheckError(
            f"{where} asks who you are (HTTP {status})", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    if status >= 500:
        raise CheckError(f"{where} is in trouble (HTTP {status})", "look into the server's log and restart it")
    if status != 200:
        raise CheckError(
            f"{where} answers HTTP {status} at /health: not an MLflow server", "correct MLFLOW_TRACKING_URI"
        )
    return f"server {where} answers"


def _reason(error: Exception) -> str:
    """Why a connection failed, without the layers of wrapping."""
    text = str(error)
    if match := re.search(r"\[Errno -?\d+\] ([^'\")]+)", text):
        return match[1].strip().lower()
    return text.splitlines()[0][:200]


def server_version(uri: str, timeout: float, client: str) -> str:
    """Versions of server and client.

    Raises:
        CheckError: their major versions differ.
    """
    status, text = get(f"{uri.rstrip('/')}/version", timeout)
    server = text.strip()
    if status != 200 or not re.fullmatch(r"\d+\.\d+[\w.+-]*", server):
        return f"the server does not say; client {client}"
    if server.partition(".")[0] != client.partition(".")[0]:
        raise CheckError(f"server {server}, client {client}", f"use MLflow {client.partition('.')[0]} on both sides")
    return f"server {server}, client {client}" if server != client else f"{client} on both sides"


def _reach_sqlite(uri: str) -> str:
    path = sqlite_path(uri)
    if str(path) == ":memory:":
        return "a database in memory, which ends with each process"
    folder = path.parent
    if not folder.is_dir():
        raise CheckError(
            f"folder {folder} of the SQLite store is missing", f"make it: mkdir -p {shlex.quote(str(folder))}"
        )
    if problem := trouble(path):
        raise CheckError(*problem)
    writable = f"become its owner, or allow writing: chmod u+w {shlex.join([str(folder), str(path)])}"
    if not path.exists():
        return f"SQLite store {path}, made by the first run{_odd_name(uri, path)}"
    try:
        address = f"{path.as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # refused on a file that is locked or no database
            connection.execute(f"CREATE TABLE {_SCRATCH_TABLE} (x)")  # refused on a file that is read-only
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise _sqlite_failure(path, error, writable) from error
    return f"SQLite store {path}, {path.stat().st_size / 2**20:.1f} MiB, can be written{_odd_name(uri, path)}"


def _sqlite_failure(path: Path, error: sqlite3.Error, writable: str) -> CheckError:
    text = str(error)
    if "locked" in text:
        return CheckError(
            f"{path} is locked by another process", "wait until it is done, or end it; many at once need mlflow server"
        )
    if "not a database" in text or "malformed" in text:
        return CheckError(f"{path}: {text}", "restore it from a copy, or move it away; the next run makes a new one")
    return CheckError(f"{path}: {text}", writable)


def _odd_name(uri: str, path: Path) -> str:
    """A note where the path is percent-encoded: MLflow then also makes a folder of the encoded name, and leaves it."""
    return "; its name makes MLflow leave an empty folder beside it" if str(path) not in uri else ""


def _reach_database(uri: str, timeout: float) -> str:
    try:
        where = knock_at_database(uri, timeout)
    except OSError as error:
        raise CheckError(
            f"database server {show_uri(uri)}: {error.strerror or error}", "start it, or correct MLFLOW_TRACKING_URI"
        ) from error
    return f"database server {where} answers"
