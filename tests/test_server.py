"""A study on a real tracking server with proxied artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import mlflow_run
from tests.servers import Server, mlflow_server
from tests.test_main import CHAIN, SMALL


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An MLflow server on a free port of the loopback address, with a store of its own."""
    with mlflow_server(tmp_path / "server") as running:
        yield running


def test_a_study_on_a_server_with_proxied_artifacts(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    folder.mkdir()
    done = mlflow_run(cwd=folder, tracking_uri=server.uri, **SMALL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert f"see it at {server.uri}/#/experiments/" in done.stdout
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    for entry_point in CHAIN:
        (run,) = client.search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'")
        assert run.info.status == "FINISHED"
    assert not list(folder.iterdir()), "everything went to the server"
    again = mlflow_run(cwd=folder, tracking_uri=server.uri, **SMALL)
    assert again.returncode == 0, again.stderr[-3000:]
    for entry_point in CHAIN:
        assert f"{entry_point}: reused run" in again.stdout
