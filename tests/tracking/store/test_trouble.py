"""What is the matter with a server, and whether waiting helps: asked of servers that have it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from sqlalchemy.exc import OperationalError

from steps.tracking.store.punctual import punctual_client, punctual_files, time_for
from steps.tracking.store.trouble import FAILURES, Trouble, probe, trouble_with
from tests.bad_servers import answering, dripping, seconds_for, self_signed
from tests.servers import Postgres, free_port, has_postgres, postgres

AWAY = Trouble("the server does not answer")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN", "SERVER_CERT_PATH", "INSECURE_TLS"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setattr("steps.tracking.store.punctual._MARGIN_S", 0.5)


def ask(uri: str) -> Trouble:
    with pytest.raises(FAILURES) as caught:
        punctual_client(uri).search_experiments()
    return trouble_with(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "reason", "mend"),
    [
        (401, "You are not authenticated.", "asks who you are", "MLFLOW_TRACKING_USERNAME"),
        (401, json.dumps({"detail": "Unauthorized"}), "asks who you are", "MLFLOW_TRACKING_USERNAME"),
        (401, json.dumps({"message": "Unauthorized"}), "asks who you are", "MLFLOW_TRACKING_USERNAME"),
        (403, "Permission denied", "does not let this account", "MLFLOW_TRACKING_USERNAME"),
        (403, json.dumps({"error_code": "PERMISSION_DENIED", "message": "no"}), "does not let", "permission to write"),
        (404, "<html>not found</html>", "too old, or none of MLflow's", "MLflow 3"),
        (404, json.dumps({"detail": "Not Found"}), "too old, or none of MLflow's", "MLflow 3"),
    ],
)
def test_a_server_that_refuses_is_not_away(status: int, body: str, reason: str, mend: str) -> None:
    with answering(lambda _method, path: (200, "OK") if path == "/health" else (status, body)) as uri:
        assert probe(uri) is None
        trouble = ask(uri)
    assert reason in trouble.reason
    assert f"HTTP {status}" in trouble.reason
    assert mend in trouble.mend
    assert "\n" not in trouble.reason + trouble.mend


def test_a_refused_file_is_a_refusal_too() -> None:
    answer = requests.Response()
    answer.status_code = 403
    assert "permission to write" in trouble_with(requests.HTTPError("no", response=answer)).mend


def test_a_file_that_is_too_large_stays_so() -> None:
    answer = requests.Response()
    answer.status_code, answer.reason, answer.url = (
        413,
        "Request Entity Too Large",
        "https://lab/artifacts/trials.parquet",
    )
    with pytest.raises(requests.HTTPError) as caught:
        answer.raise_for_status()
    trouble = trouble_with(caught.value)
    assert trouble.reason.startswith("a file is larger than the server takes (Request Entity Too Large for url: ")
    assert "trials.parquet" in trouble.reason
    assert "MLFLOW_MAX_ARTIFACT" in trouble.mend


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_in_trouble_is_away_and_does_not_say_for_how_long(status: int) -> None:
    with answering(lambda _method, _path: (status, "no")) as uri:
        assert probe(uri) == AWAY
        assert seconds_for(lambda: ask(uri)) < 60, "it asks for an hour"
        assert ask(uri).mend == ""


def test_nobody_there_is_away(refusing: str) -> None:
    assert probe(refusing) == AWAY
    assert probe(refusing.replace("http", "postgresql+psycopg2")) == AWAY
    assert ask(refusing).mend == ""


@pytest.fixture
def refusing() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path)


def test_a_certificate_that_nobody_signed(
    certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda _method, _path: (200, "{}"), certificate) as uri:
        for trouble in (probe(uri), ask(uri)):
            assert trouble is not None
            assert "its certificate is not trusted (certificate verify failed: self-signed" in trouble.reason
            assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in trouble.mend
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "nowhere"))
        trouble = probe(uri)
        assert trouble is not None
        assert "a certificate's file is missing" in trouble.reason
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate[0]))
        assert probe(uri) is None
        assert punctual_client(uri).search_experiments() == []


def test_https_where_there_is_none() -> None:
    with answering(lambda _method, _path: (200, "{}")) as uri:
        trouble = probe(uri.replace("http", "https"))
    assert trouble is not None
    assert trouble.reason == "it speaks no TLS"
    assert "use http://" in trouble.mend


def test_who_drips_is_given_up_once_and_then_at_once() -> None:
    with dripping(health=False) as uri:
        assert 0.9 < seconds_for(lambda: probe(uri, timeout_s=0.5)) < 20
        assert seconds_for(lambda: probe(uri, timeout_s=5)) < 0.5
        assert probe(uri) == AWAY
    with dripping(health=True) as uri:
        assert probe(uri) is None
        assert 2.4 < seconds_for(lambda: ask(uri)) < 20, "1 s twice, and half a second"
        assert seconds_for(lambda: ask(uri)) < 0.5
        assert probe(uri) == AWAY


def test_files_have_the_time_that_their_size_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steps.tracking.store.punctual._SLOWEST", 100)
    (tmp_path / "folder").mkdir()
    for name in ("a", "folder/b"):
        (tmp_path / name).write_bytes(bytes(150))
    assert time_for(0) == 2.5
    assert time_for(150) == time_for(tmp_path / "a") == 4.0
    assert time_for(tmp_path) == 5.5
    assert time_for(None) > 60


class Recording:
    """In place of MLflow's client: how long each call would be waited for."""

    def __init__(self, waited: dict[str, float]) -> None:
        self.waited = waited

    def within(self, seconds: float, action: object) -> list[object]:
        self.waited[str(len(self.waited))] = seconds
        return []


def test_a_file_that_was_sent_is_waited_for_by_its_size_when_it_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: dict[str, float] = {}
    monkeypatch.setattr("steps.tracking.store.punctual._SLOWEST", 100)
    monkeypatch.setattr("steps.tracking.store.punctual.line_to", lambda _uri: Recording(waited))
    (tmp_path / "a").write_bytes(bytes(150))
    files = punctual_files(LocalArtifactRepository((tmp_path / "store").as_uri()), "http://host")
    files.log_artifact(str(tmp_path / "a"), "folder")
    files.download_artifacts("folder/a", str(tmp_path))
    files.list_artifacts()
    files.download_artifacts("unknown")
    assert [waited[str(number)] for number in range(3)] == [4.0, 4.0, 2.5]
    assert waited["3"] > 60


def test_artifacts_are_waited_for_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("content")
    over = threading.Event()
    files = punctual_files(LocalArtifactRepository((tmp_path / "store").as_uri()), "http://host-of-files")
    files.log_artifact(str(tmp_path / "a"), "folder")
    files.log_artifacts(str(tmp_path / "store" / "folder"), "other")
    assert [item.path for item in files.list_artifacts("folder")] == ["folder/a"]
    assert Path(files.download_artifacts("folder/a")).read_text() == "content"
    monkeypatch.setattr(LocalArtifactRepository, "download_artifacts", lambda *_: over.wait())
    with pytest.raises(TimeoutError, match=r"no answer within 2\.5"):
        files.download_artifacts("folder/a")
    with pytest.raises(TimeoutError, match="has not answered an earlier call yet"):
        files.list_artifacts()
    over.set()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    if not has_postgres():
        pytest.skip("PostgreSQL is not installed")
    with postgres() as running:
        yield running


@pytest.mark.parametrize(
    ("old", "new", "reason", "mend"),
    [
        ("{password}@", "wrong-one@", "password authentication failed", "the name and password of an account"),
        ("fear:{password}@", "", "the database refuses this account", "a spool keeps none"),
        ("/postgres", "/missing", 'database "missing" does not exist', "make the database"),
    ],
)
def test_a_database_that_refuses_says_so_at_once(cluster: Postgres, old: str, new: str, reason: str, mend: str) -> None:
    uri = cluster.uri.replace(old.format(password=cluster.password), new)
    assert probe(uri) is None
    assert seconds_for(lambda: ask(uri)) < 20, "MLflow tries for two minutes"
    assert reason in ask(uri).reason
    assert mend in ask(uri).mend
    assert cluster.password not in str(ask(uri))


def test_other_databases_say_the_same_in_other_words() -> None:
    for words in ("Access denied for user 'me'@'host'", "Login failed for user 'me'."):
        assert "account" in trouble_with(OperationalError("", {}, Exception(words))).mend
    assert trouble_with(OperationalError("", {}, Exception("server closed the connection"))).mend == ""
    assert trouble_with(PermissionError(13, "Permission denied")).mend == "", "that is our own disk"


def test_a_database_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"postgresql+psycopg2://me:x@127.0.0.1:{silent.getsockname()[1]}/db"
        assert 2.4 < seconds_for(lambda: ask(uri)) < 20
