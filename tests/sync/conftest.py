"""A spool and its server: a second SQLite store in its place and, for slow tests, a real ``mlflow server``."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.tracking.spool.spool import open_spool
from tests.changed_server import Line, copy_database, record_study
from tests.servers import Server, mlflow_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "server.db")
    with mlflow_server(folder) as running:
        yield running


@pytest.fixture(params=["store", pytest.param("server", marks=pytest.mark.slow)])
def line(
    request: pytest.FixtureRequest, store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if request.param == "server":
        running: Server = request.getfixturevalue("server")
        database, uri = running.folder / "server.db", running.uri
        copy_database(empty_store, database)
    else:
        database = store / "server.db"
        shutil.copy(empty_store, database)
        uri = f"sqlite:///{database}"
    made = Line(open_spool(uri, store / "user"), database, empty_store)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", made.spool.uri)
        record_study(made)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)
