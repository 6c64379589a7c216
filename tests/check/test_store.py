"""Reaching a tracking store without MLflow: servers that answer, refuse, stall, or are something else."""

from __future__ import annotations

import http.server
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from steps.check import store
from steps.check.checklist import CheckError
from steps.system.sqlite_store import sqlite_path
from tests.conftest import ROOT


@contextmanager
def answering(status: int, body: str = "OK") -> Iterator[str]:
    """An HTTP server on the loopback address that gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers, like a stopped server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def refusing() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_answers() -> None:
    with answering(200) as uri:
        assert store.reach(uri, 30) == f"server {uri} answers"


@pytest.mark.parametrize(
    ("status", "finding"),
    [(404, "not an MLflow server"), (502, r"is in trouble \(HTTP 502\)"), (401, r"asks who you are \(HTTP 401\)")],
)
def test_a_server_that_answers_something_else(status: int, finding: str) -> None:
    with answering(status) as uri, pytest.raises(CheckError, match=finding):
        store.reach(uri, 30)


@pytest.mark.parametrize("uri", ["127.0.0.1:5000", "htp://host", "http://me:s3/cret@host"])
def test_an_address_that_is_mistyped(uri: str) -> None:
    assert not store.is_usable(uri)
    with pytest.raises(CheckError, match="MLFLOW_TRACKING_URI is '") as caught:
        store.reach(uri, 3)
    assert "s3" not in caught.value.finding


def test_a_server_that_is_down(refusing: int) -> None:
    with pytest.raises(CheckError, match="connection refused") as raised:
        store.reach(f"http://me:s3cret@127.0.0.1:{refusing}", 3)
    assert "s3cret" not in raised.value.finding + raised.value.mend
    assert "mlflow server" in raised.value.mend


def test_a_server_that_is_stalled(silent: int) -> None:
    started = time.perf_counter()
    with pytest.raises(CheckError, match=r"takes connections, but does not answer within 0\.5 s"):
        store.reach(f"http://127.0.0.1:{silent}", 0.5)
    assert time.perf_counter() - started < 30


def test_a_server_without_tls() -> None:
    with answering(200) as uri, pytest.raises(CheckError) as raised:
        store.reach(uri.replace("http:", "https:"), 30)
    assert "http://" in raised.value.mend


@pytest.mark.parametrize("uri", ["http://127.0.0.1:port", "http://"])
def test_no_address(uri: str) -> None:
    with pytest.raises(CheckError) as raised:
        store.reach(uri, 1)
    assert "MLFLOW_TRACKING_URI" in raised.value.mend


@pytest.mark.parametrize(
    ("answer", "text"),
    [("3.17.2", "3.17.2 on both sides"), ("3.5.0", "server 3.5.0, client 3.17.2"), ("<html>", "does not say")],
)
def test_versions(answer: str, text: str) -> None:
    with answering(200, answer) as uri:
        assert text in store.server_version(uri, 30, "3.17.2")


def test_another_major_version_fails() -> None:
    with answering(200, "2.22.0") as uri, pytest.raises(CheckError, match=r"server 2\.22\.0, client 3\.17\.2"):
        store.server_version(uri, 30, "3.17.2")


@pytest.mark.parametrize("folder", ["plain", "o'neill", "50% ümlaut & space"])
def test_a_sqlite_store_made_by_mlflow_and_one_to_be_made(tmp_path: Path, folder: str) -> None:
    from urllib.parse import quote

    path = tmp_path / folder / "mlflow.db"
    path.parent.mkdir()
    for uri in (f"sqlite:///{path}", f"sqlite:///{quote(str(path))}"):
        assert sqlite_path(uri) == path or "%" in folder
    uri = f"sqlite:///{quote(str(path))}"
    assert "made by the first run" in store.reach(uri, 1)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t (x)")
    before = path.read_bytes()
    assert "can be written" in store.reach(uri, 1)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["mlflow.db"]


def test_sqlite_stores_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="is missing") as raised:
        store.reach(f"sqlite:///{tmp_path / 'no where' / 'mlflow.db'}", 1)
    assert raised.value.mend == f"make it: mkdir -p '{tmp_path / 'no where'}'"
    (tmp_path / "text.db").write_text("this is not a database, but long enough to be mistaken for one")
    with pytest.raises(CheckError, match="not a database"):
        store.reach(f"sqlite:///{tmp_path / 'text.db'}", 1)
    with closing(sqlite3.connect(tmp_path / "locked.db", isolation_level=None)) as connection:
        connection.execute("create table t (x)")
        connection.execute("begin exclusive")
        with pytest.raises(CheckError, match="locked by another process"):
            store.reach(f"sqlite:///{tmp_path / 'locked.db'}", 1)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
@pytest.mark.parametrize("read_only", ["folder", "file"])
def test_a_sqlite_store_without_write_permission(read_only: str) -> None:
    """As an ordinary user: root may write everywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "mlflow.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table t (x)")
        path.chmod(0o444 if read_only == "file" else 0o666)
        folder.chmod(0o555 if read_only == "folder" else 0o777)
        code = (
            "import os, sys; from steps.check import store; from steps.check.checklist import CheckError\n"
            "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "try:\n    print('reached', store.reach(sys.argv[1], 1))\n"
            "except CheckError as error:\n    print(error.finding, '|', error.mend)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:///{path}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        folder.chmod(0o700)
    assert "cannot be written: Permission denied" in done.stdout
    assert f"chmod u+w {folder} {path}" in done.stdout


def test_a_database_server_that_is_down(refusing: int) -> None:
    with pytest.raises(
        CheckError, match=rf"database server postgresql\+psycopg2://127\.0\.0\.1:{refusing}/db: Connection refused"
    ) as raised:
        store.reach(f"postgresql+psycopg2://me:s3cret@127.0.0.1:{refusing}/db", 3)
    assert "s3cret" not in raised.value.finding


def test_a_database_server_that_answers(silent: int) -> None:
    assert store.reach(f"postgresql+psycopg2://127.0.0.1:{silent}/db", 3).endswith("answers")
