"""`MLflowTracker` in a script without ``with``: what it was given is recorded all the same."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from steps.tracking import MLflowTracker
from tests.conftest import ROOT, clean_environment
from tests.servers import mlflow_server

SCRIPT = """
from steps.tracking import MLflowTracker

tracker = MLflowTracker("mine")
tracker.start_run("ended")
tracker.log_parameters({"a": 1})
tracker.log_artifacts({"notes/first/a.txt": "hello", "b.txt": "there"})
tracker.end_run()
tracker.start_run("open")
tracker.log_evaluation_metrics({"auc": 0.5})
"""


def run_script(text: str, folder: Path, uri: str = "") -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(text)
    environment = clean_environment(uri or f"sqlite:///{folder / 'mlflow.db'}") | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_script_that_just_ends_has_copied_everything_to_its_server(tmp_path: Path) -> None:
    with mlflow_server(tmp_path / "server") as server:
        done = run_script(SCRIPT, tmp_path, server.uri)
        assert done.returncode == 0
        assert "degraded" not in done.stderr
        client = MlflowClient(server.uri)
        runs = {run.info.run_name: run for run in client.search_runs(["1"])}
        assert {name: run.info.status for name, run in runs.items()} == {"ended": "FINISHED", "open": "FINISHED"}
        paths = {item.path for item in client.list_artifacts(runs["ended"].info.run_id)}
        assert paths == {"notes", "b.txt"}


def recorded(store: Path) -> dict[str, Any]:
    client = MlflowClient()
    experiment = client.get_experiment_by_name("mine")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


@pytest.mark.slow
def test_a_script_that_just_ends_loses_nothing(store: Path) -> None:
    done = run_script(SCRIPT, store)
    assert done.returncode == 0
    runs = recorded(store)
    assert (runs["ended"].info.status, runs["ended"].data.params) == ("FINISHED", {"a": "1"})
    files = Path(MlflowClient().download_artifacts(runs["ended"].info.run_id, ""))
    assert (files / "notes" / "first" / "a.txt").read_text() == "hello"
    assert (files / "b.txt").read_text() == "there"
    assert (runs["open"].info.status, runs["open"].data.metrics) == ("FINISHED", {"auc": 0.5})
    assert "the script ended with a run still open: it is recorded as FINISHED" in done.stderr


def test_a_script_that_fails_leaves_a_failed_run(store: Path) -> None:
    done = run_script(SCRIPT + "raise ValueError('mine')\n", store)
    assert done.returncode == 1
    runs = recorded(store)
    assert {name: run.info.status for name, run in runs.items()} == {"ended": "FINISHED", "open": "FAILED"}
    assert runs["open"].data.metrics == {"auc": 0.5}


def test_what_has_ended_is_recorded_at_once(store: Path) -> None:
    tracker = MLflowTracker("mine")
    try:
        tracker.start_run("ended")
        tracker.log_parameters({"a": 1})
        tracker.end_run()
        assert recorded(store)["ended"].info.status == "FINISHED"
    finally:
        tracker.close()
        tracker.close()  # once more changes nothing
    assert not [thread for thread in threading.enumerate() if thread.name == "tracker"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.txt", "a/../../up.txt", "", ".", "a\\b", "a\0b", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(store: Path, name: str) -> None:
    with MLflowTracker("mine") as tracker:
        tracker.start_run("fear")
        with pytest.raises(ValueError, match="an artifact is called"):
            tracker.log_artifacts({name: "text"})
    assert recorded(store)["fear"].info.status == "FINISHED"


def test_a_name_that_is_made_later_is_refused_then(store: Path) -> None:
    tracker = MLflowTracker("mine")
    tracker.start_run("fear")
    tracker.log_artifacts(lambda: {"../up.txt": "text"})
    with pytest.raises(ValueError, match="an artifact is called"):
        tracker.end_run()
    tracker.close()
    assert recorded(store)["fear"].info.status == "FAILED"
    assert recorded(store)["fear"].info.status == "FAILED"
