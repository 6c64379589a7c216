"""Where a step records when its store is a server."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import mlflow
import pytest

from steps.tracking.spool import bounded_patience, current, open_spool, reachable, redirected, spools

SERVER = "http://me:s3cret@127.0.0.1:9"


def test_a_spool_knows_its_server_but_no_password(tmp_path: Path) -> None:
    spool = open_spool(SERVER, tmp_path)
    assert spool.folder == open_spool("http://127.0.0.1:9", tmp_path).folder
    assert spool.folder != open_spool("http://127.0.0.1:10", tmp_path).folder
    assert "s3cret" not in (spool.folder / "spool.json").read_text()
    assert {found.target for found in spools(tmp_path)} == {"http://127.0.0.1:9", "http://127.0.0.1:10"}
    assert spools(tmp_path / "elsewhere") == []


def test_a_local_store_is_written_to_directly(store: Path) -> None:
    before = dict(os.environ)
    with redirected(store) as spool:
        assert spool is None
        assert current() is None
        assert dict(os.environ) == before


@pytest.mark.parametrize("chosen_by", ["environment", "script"])
def test_a_server_is_replaced_inside_the_block_only(
    store: Path, monkeypatch: pytest.MonkeyPatch, chosen_by: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    if chosen_by == "script":
        mlflow.set_tracking_uri(SERVER)
    try:
        with redirected(store) as spool:
            assert spool is not None
            assert mlflow.get_tracking_uri() == spool.uri == os.environ["MLFLOW_TRACKING_URI"]
            assert current() == spool
            with redirected(store) as inner:
                assert inner is None, "a child records where its parent does"
        assert mlflow.get_tracking_uri() == SERVER == os.environ["MLFLOW_TRACKING_URI"]
        assert current() is None
    finally:
        mlflow.set_tracking_uri(None)


def test_a_server_that_takes_connections_but_does_not_answer_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert not reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
        port = silent.getsockname()[1]
    assert not reachable(f"http://127.0.0.1:{port}", timeout_s=0.2)


def test_the_users_own_patience_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with bounded_patience():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
