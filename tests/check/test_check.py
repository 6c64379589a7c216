"""The self-test as people run it, on stores that work and stores that do not."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from tests.conftest import ROOT, mlflow_run, run_command
from tests.servers import mlflow_server

pytestmark = pytest.mark.timeout(600)
RECORDING = (
    "throw-away experiment", "run", "parameter", "metric", "tag", "text artifact", "binary artifact", "dataset input",
    "model logged", "model loaded", "model registry", "clean-up",
)  # fmt: skip


def check(cwd: Path, tracking_uri: str | None = None, path: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    # Wide, so that no cell of the table is folded.
    command = (sys.executable, "-m", "steps.check")
    return run_command(*command, cwd=cwd, tracking_uri=tracking_uri, timeout=500, PYTHONPATH=path, COLUMNS="250")


def statuses(output: str) -> dict[str, str]:
    return dict(re.findall(r"^│ (.+?) +│ (ok|failed|skipped) +│", output, re.MULTILINE))


def left_behind(client: MlflowClient) -> list[str]:
    return [
        experiment.name
        for experiment in client.search_experiments(view_type=ViewType.ALL)
        if experiment.name != "Default"
    ]


@pytest.mark.slow
def test_by_mlflow_run_on_the_default_store(empty_store: Path, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    done = mlflow_run("-e", "check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    status = statuses(done.stdout)
    assert {status[name] for name in RECORDING} == {"ok"}
    assert "failed" not in status.values()
    assert f"cd {tmp_path} && mlflow ui" in done.stdout
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert left_behind(client) == []
    assert client.search_registered_models() == []
    (run,) = client.search_runs(["0"], run_view_type=ViewType.ALL)
    assert run.info.status == "FINISHED"
    assert (run.data.tags["entry_point"], run.data.tags["check"]) == ("check", "ok")
    assert "Self-test: all fine" in run.data.tags["mlflow.note.content"]
    # `mlflow run` starts a run of its own, whose folder stays empty.
    assert [path for path in (tmp_path / "mlruns").rglob("*") if path.is_file()] == []


def test_a_stalled_server_and_another_version_of_a_package(tmp_path: Path) -> None:
    """Also: nobody waits long, and no password is printed."""
    fake = tmp_path / "fake" / "scipy-0.0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"http://me:s3cret@127.0.0.1:{listener.getsockname()[1]}"
        started = time.perf_counter()
        done = check(tmp_path, uri, f"{fake.parent}{os.pathsep}{ROOT}")
    assert done.returncode == 1
    assert time.perf_counter() - started < 60, "10 s on an idle machine"
    assert "Traceback" not in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    status = statuses(done.stdout)
    assert (status["tracking store"], status["packages"]) == ("failed", "failed")
    assert status["what a study records"] == "skipped"
    assert "does not answer within 3 s" in done.stdout
    assert "failed: packages: scipy is 0.0.1 (pinned " in done.stdout
    assert done.stdout.count("\n  mend: ") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["fake"]


def test_an_old_python_and_a_missing_package_are_one_line(tmp_path: Path) -> None:
    old = "import runpy, sys; sys.version_info = (3, 8, 1); runpy.run_module('steps.check', run_name='__main__')"
    done = run_command(sys.executable, "-c", old, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: this is Python 3.8, the project needs 3.11")
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('no rich', name='rich')\n")
    done = run_command(sys.executable, "-m", "steps.check", cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: package rich is missing; mlflow run '{ROOT}' --env-manager uv")


@pytest.mark.slow
def test_on_a_server_that_answers_then_stalls(tmp_path: Path) -> None:
    with mlflow_server(tmp_path / "server") as server:
        done = check(tmp_path, server.uri.replace("http://", "http://me:s3cret@"))
        assert done.returncode == 0, done.stdout[-3000:]
        status = statuses(done.stdout)
        assert {status[name] for name in RECORDING} == {"ok"}
        assert "on both sides" in done.stdout
        assert "mlflow gc --backend-store-uri <database> --experiment-ids " in done.stdout
        assert f"see it at {server.uri}/" in done.stdout
        assert "s3cret" not in done.stdout + done.stderr
        client = MlflowClient(server.uri)
        assert not client.search_experiments(filter_string="name LIKE 'check-%'")
        assert client.search_registered_models() == []
        assert [path for path in server.artifacts.rglob("*") if path.is_file()] == []
        server.pause()
        stalled = check(tmp_path, server.uri)
        server.resume()
    assert stalled.returncode == 1
    assert "does not answer within 3 s" in stalled.stdout


@pytest.mark.slow
def test_a_folder_with_an_apostrophe(tmp_path: Path) -> None:
    folder = tmp_path / "o'neill & 50%"
    folder.mkdir()
    done = check(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert statuses(done.stdout)["clean-up"] == "ok"
    assert (folder / "mlflow.db").is_file()
