"""Whatever a server does, the study is recorded, nobody waits long, and what is said leads on."""

from __future__ import annotations

import hashlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from steps.errors import UserError
from steps.sync.__main__ import main
from steps.tracking.models.registry import resolve
from steps.tracking.spool.spool import FOLDER, open_spool, redirected
from steps.tracking.store.tracking_uri import without_credentials
from steps.tracking.tracker import MLflowTracker
from tests.bad_servers import answering, dripping, self_signed
from tests.servers import Postgres, free_port, has_postgres

Sync = Callable[[], Result]
HEALTHY = (200, "OK")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setattr("steps.tracking.store.punctual._MARGIN_S", 0.5)
    monkeypatch.setattr("steps.tracking.spool.replicator._INTERVAL_S", 0.1)


@pytest.fixture
def record(store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], float]:
    """Record a run for a server, as a script does; returns how many seconds that took."""

    def record(uri: str) -> float:
        folder = store / FOLDER / hashlib.sha256(without_credentials(uri).encode()).hexdigest()[:12]
        folder.mkdir(parents=True)
        shutil.copy(empty_store, folder / "mlflow.db")  # saves the migrations
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        started = time.monotonic()
        with MLflowTracker("study") as tracker:
            tracker.start_run("one")
            tracker.log_parameters({"epochs": 3})
            time.sleep(0.5)  # several passes
            tracker.end_run()
        seconds = time.monotonic() - started
        spool = open_spool(uri, store)
        assert spool.folder == folder
        (run,) = spool.client().search_runs([spool.experiment("study")])
        assert (run.info.status, run.data.params) == ("FINISHED", {"epochs": "3"})
        return seconds

    return record


@pytest.fixture
def sync(store: Path) -> Iterator[Sync]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda: CliRunner().invoke(main, ["--cwd", str(store)])
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("status", "reason", "mend"),
    [
        (401, "asks who you are, or does not know this name and password", "set MLFLOW_TRACKING_USERNAME and"),
        (403, "the server does not let this account do that", "ask the server's owner for permission to write"),
        (404, "the server is too old, or none of MLflow's", "use a server of MLflow 3"),
    ],
)
def test_a_refusal_is_said_as_what_it_is_at_once(
    record: Callable[[str], float],
    sync: Sync,
    capsys: pytest.CaptureFixture[str],
    status: int,
    reason: str,
    mend: str,
) -> None:
    asked: list[str] = []

    def refuse(_method: str, path: str) -> tuple[int, str]:
        asked.append(path)
        return HEALTHY if path == "/health" else (status, "no")

    with answering(refuse) as uri:
        assert record(uri.replace("http://", "http://me:s3cret@")) < 20
        wrong = [path for path in asked if path != "/health"]
        assert len(wrong) == 2, "when it began, and at the end; never again and again"
        said = capsys.readouterr().err
        done = sync()
    assert f"warning: tracking server {uri} failed (" in said
    assert said.count(reason) == 2
    assert f"Nothing is lost. Waiting does not help: {mend}" in said
    assert "Then:\n  cd " in said
    assert "steps.sync" in said
    assert "When the server is back" not in said
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {uri}: ")
    assert reason in done.stderr
    assert mend in done.stderr
    assert "then sync again (runs not there yet: 1)" in done.stderr
    assert "s3cret" not in said + done.stderr


def test_a_certificate_that_is_not_trusted(
    record: Callable[[str], float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(lambda _method, _path: HEALTHY, self_signed(tmp_path)) as uri:
        record(uri)
    said = capsys.readouterr().err
    assert "its certificate is not trusted (certificate verify failed: self-signed certificate)" in said
    assert "Waiting does not help: set MLFLOW_TRACKING_SERVER_CERT_PATH to the server's certificate" in said


@pytest.mark.parametrize("health", [False, True])
def test_a_server_that_drips_holds_nobody(
    record: Callable[[str], float], sync: Sync, capsys: pytest.CaptureFixture[str], health: bool
) -> None:
    with dripping(health=health) as uri:
        assert record(uri) < 20
        assert "Nothing is lost. When the server is back:" in capsys.readouterr().err
        started = time.monotonic()
        done = sync()
        assert time.monotonic() - started < 20
    assert done.exit_code == 2
    assert "; try again later (runs not there yet: 1)" in done.stderr


@pytest.mark.parametrize("kind", ["http", "postgresql+psycopg2"])
def test_a_server_that_is_down_is_away(
    record: Callable[[str], float], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    uri = f"{kind}://me:s3cret@127.0.0.1:{free_port()}/db"
    assert record(uri) < 20
    said = capsys.readouterr().err
    shown = uri.replace("me:s3cret@", "")
    assert f"warning: tracking server {shown} failed (the server does not answer); the work goes on" in said
    assert "degraded: 1 run of this study could not be copied" in said
    assert "When the server is back:\n  cd " in said
    assert "s3cret" not in said


def test_a_model_that_the_server_does_not_tell_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    with answering(lambda _method, path: HEALTHY if path == "/health" else (403, "no")) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with redirected(store), pytest.raises(UserError, match=rf"the server has to say, .*{uri} failed .*HTTP 403"):
            resolve("models:/fear-classifier@champion")


@pytest.mark.slow
@pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed")
def test_a_database_that_was_down_gets_everything_when_it_is_back(
    record: Callable[[str], float], sync: Sync, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Postgres()
    try:
        record(cluster.uri)
        cluster.start()
        said = capsys.readouterr().err
        done = sync()
        server_client = MlflowClient(cluster.uri)
        (run,) = server_client.search_runs([server_client.get_experiment_by_name("study").experiment_id])
    finally:
        cluster.remove()
    assert "When the server is back:" in said
    assert done.exit_code == 0, done.output
    assert "1 of 1 runs" in done.stdout
    assert run.data.params == {"epochs": "3"}
    assert cluster.password not in said + done.output
