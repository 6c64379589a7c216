"""Where a step records when its store is a server."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import mlflow
import pytest

from steps.errors import UserError
from steps.tracking.spool.spool import current, open_spool, redirected, spools
from steps.tracking.store.punctual import bounded_patience
from steps.tracking.store.trouble import reachable

SERVER = "http://me:s3cret@127.0.0.1:9"


def test_a_spool_knows_its_server_but_no_password(tmp_path: Path) -> None:
    spool = open_spool(SERVER, tmp_path)
    assert spool.folder == open_spool("http://127.0.0.1:9", tmp_path).folder
    assert spool.folder != open_spool("http://127.0.0.1:10", tmp_path).folder
    assert "s3cret" not in (spool.folder / "spool.json").read_text()
    assert {spool.target for spool in spools(tmp_path)} == {"http://127.0.0.1:9", "http://127.0.0.1:10"}
    assert spools(tmp_path / "elsewhere") == []


def test_a_spool_is_found_again_with_another_password_and_knows_none(tmp_path: Path) -> None:
    first = "postgresql+psycopg2://me:s3/c?r#et@host/db?sslmode=require&sslpassword=s3cret"
    spool = open_spool(first, tmp_path)
    assert spool.target == first
    assert "s3" not in repr(spool)
    for rotated in (
        "postgresql+psycopg2://me:other@host/db?sslmode=require",
        "postgresql+psycopg2://host/db?sslmode=require",
    ):
        assert open_spool(rotated, tmp_path).folder == spool.folder
    assert len(spools(tmp_path)) == 1
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".fear-spool").rglob("*") if path.is_file())
    assert b"s3" not in kept
    assert b"other" not in kept


def test_a_password_that_an_earlier_version_left_is_taken_out(tmp_path: Path) -> None:
    old = tmp_path / ".fear-spool" / "0123456789ab"
    old.mkdir(parents=True)
    (old / "spool.json").write_text(json.dumps({"tracking_uri": "postgresql://me:s3/cret@host/db?password=s3cret"}))
    (spool,) = spools(tmp_path)
    assert (spool.target, spool.folder) == ("postgresql://host/db", old)
    assert json.loads((old / "spool.json").read_text()) == {"tracking_uri": "postgresql://host/db"}
    assert open_spool("postgresql://me:new@host/db", tmp_path).folder == old
    assert {oct(path.stat().st_mode & 0o777) for path in (old, old.parent)} == {"0o700"}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_spool_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        spool = open_spool(SERVER, tmp_path)
        spool.client().set_experiment_tag(spool.experiment("one"), "x", "y")
    finally:
        os.umask(before)
    modes = {
        path.name: oct(path.stat().st_mode & 0o777) for path in (spool.folder.parent, *spool.folder.parent.rglob("*"))
    }
    assert modes == {
        ".fear-spool": "0o700",
        spool.folder.name: "0o700",
        "spool.json": "0o600",
        "mlflow.db": "0o600",
    }


@pytest.mark.parametrize("uri", ["127.0.0.1:5000", "htp://host", "http://me:s3/cret@host"])
def test_a_mistyped_address_makes_no_spool(store: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI is '") as caught, redirected(store):
        pass
    assert "s3" not in str(caught.value)
    assert not (store / ".fear-spool").exists()


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
