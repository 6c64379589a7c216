"""A study on a real tracking server with proxied artifacts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import clean_environment, mlflow_run
from tests.test_main import CHAIN, SMALL


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An MLflow server on a free port of the loopback address, with a store of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "files")),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=log, stderr=log)
        uri = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 60
            while not _healthy(uri):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.3)
            yield uri
        finally:
            process.terminate()
            process.wait(timeout=30)


def _healthy(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_a_study_on_a_server_with_proxied_artifacts(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    folder.mkdir()
    done = mlflow_run(cwd=folder, tracking_uri=server, **SMALL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"see it at {server}/#/experiments/" in done.stdout
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    for entry_point in CHAIN:
        (run,) = client.search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'")
        assert run.info.status == "FINISHED"
    assert [path.name for path in folder.iterdir()] == [".fear-spool"]
    again = mlflow_run(cwd=folder, tracking_uri=server, **SMALL)
    assert again.returncode == 0, again.stderr[-3000:]
    for entry_point in CHAIN:
        assert f"{entry_point}: reused run" in again.stdout
