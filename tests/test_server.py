"""A study on a real tracking server with proxied artifacts: everything gets there and can be loaded from there.

The server's backend is PostgreSQL where that is installed, and SQLite elsewhere.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from mlflow import MlflowClient

from tests.conftest import mlflow_run
from tests.inventory import Inventory, inventory
from tests.servers import Server, has_postgres, mlflow_server, postgres
from tests.test_main import CHAIN, SMALL

EXPERIMENT = "Fear_Classification_Experiments"
SUBJECTS, EPOCHS = 6, 3
SIZE = {**SMALL, "simulated_subjects": SUBJECTS, "epochs": EPOCHS}
TIMESTEPS, FEATURES = SMALL["timesteps"], SMALL["simulated_features"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server that hands out artifacts, with a store of its own."""
    folder = tmp_path_factory.mktemp("server")
    with ExitStack() as stack:
        backend = stack.enter_context(postgres()).uri if has_postgres() else None
        yield stack.enter_context(mlflow_server(folder, backend))


@dataclass(frozen=True)
class Study:
    """What a user has typed where, and what came of it."""

    folder: Path
    output: str
    stock: Inventory


@pytest.fixture(scope="module")
def study(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study on the server, and what the server holds after it."""
    folder = tmp_path_factory.mktemp("user")
    done = mlflow_run(cwd=folder, tracking_uri=server.uri, **SIZE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return Study(folder, done.stdout, inventory(MlflowClient(server.uri), EXPERIMENT))


@pytest.fixture
def stock(study: Study) -> Inventory:
    """What the server holds."""
    return study.stock


@pytest.fixture
def client(server: Server, study: Study, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the server with the study, which is also what `mlflow` talks to."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return MlflowClient()


def test_the_driver_says_where_to_look(server: Server, study: Study) -> None:
    assert f"see it at {server.uri}/#/experiments/" in study.output
    assert not list(study.folder.iterdir()), "everything went to the server"


def test_every_run_is_there_with_its_place_in_the_study(stock: Inventory) -> None:
    study, train = {"fear"}, "fear/train"
    steps = {f"fear/{step}" for step in ("prepare", "train", "evaluate", "attribute")}
    folds = {f"{train}/fear_S0{number}_1" for number in range(1, SUBJECTS + 1)}
    others = set(stock.runs) - study - steps - folds
    assert len(others) == 1, "the model for new people"
    assert others.pop().startswith(f"{train}/")
    assert {run.status for run in stock.runs.values()} == {"FINISHED"}
    assert all(run.params and run.tags and run.files for run in stock.runs.values())


def test_histories_are_there_point_by_point(stock: Inventory) -> None:
    for name, run in stock.runs.items():
        if run.tags["entry_point"] != "fold":
            continue
        for key in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert [step for step, _, _ in run.metrics[key]] == list(range(1, EPOCHS + 1)), (name, key)
        best = min(value for _, value, _ in run.metrics["val_loss"])
        assert run.metrics["best_val_loss"][0][1] == best


def test_the_database_holds_it_and_not_some_local_file(server: Server, stock: Inventory) -> None:
    if not server.backend_store_uri.startswith("postgresql"):
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
    connection = psycopg2.connect(server.backend_store_uri.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id) "
            "WHERE e.name = %s",
            (EXPERIMENT,),
        )
        assert cursor.fetchone() == (stock.summary()["metric points"],)
    connection.close()


def test_artifacts_are_handed_out_by_the_server(client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment.artifact_location.startswith("mlflow-artifacts:")
    (prepare,) = client.search_runs([experiment.experiment_id], "tags.entry_point = 'prepare'")
    (evaluate,) = client.search_runs([experiment.experiment_id], "tags.entry_point = 'evaluate'")
    manifest = json.loads(Path(client.download_artifacts(prepare.info.run_id, "dataset/dataset.json")).read_text())
    results = Path(client.download_artifacts(evaluate.info.run_id, "results.csv")).read_text()
    patients = sum(entry["trials"] for entry in manifest["subjects"] if entry["group"] == "patient")
    assert len(list(csv.DictReader(io.StringIO(results)))) == patients


def test_every_folds_model_loads_through_the_server(client: MlflowClient) -> None:
    import mlflow

    experiment = client.get_experiment_by_name(EXPERIMENT)
    folds = client.search_runs([experiment.experiment_id], "tags.entry_point = 'fold'")
    assert len(folds) == SUBJECTS
    trials = np.random.default_rng(0).normal(size=(4, TIMESTEPS, FEATURES)).astype(np.float32)
    for fold in folds:
        probabilities = np.asarray(mlflow.tensorflow.load_model(f"runs:/{fold.info.run_id}/model")(trials))
        assert probabilities.shape == (4, 1)
        assert ((probabilities > 0) & (probabilities < 1)).all()
    (model_id,) = [output.model_id for output in folds[0].outputs.model_outputs]
    scored = mlflow.pyfunc.load_model(f"models:/{model_id}").predict(trials)
    kept = np.asarray(mlflow.tensorflow.load_model(f"runs:/{folds[0].info.run_id}/model")(trials))
    np.testing.assert_allclose(np.asarray(scored), kept, rtol=1e-5)


def test_the_registered_model_scores_through_the_server(client: MlflowClient, stock: Inventory) -> None:
    import mlflow

    (version,) = stock.registered["fear-classifier"]
    assert version.aliases == ["challenger"]
    assert stock.runs[version.run].tags["entry_point"] == "deployable"
    assert version.tags["train_run_id"] == "<run fear/train>"
    model = mlflow.pyfunc.load_model("models:/fear-classifier@challenger")
    trials = np.random.default_rng(0).normal(size=(3, TIMESTEPS, FEATURES)).astype(np.float32)
    scores = model.predict(trials)
    assert list(scores.columns) == ["probability", "decision", "distance", "unusual"]
    assert len(scores) == 3


def test_a_second_study_reuses_what_is_on_the_server(server: Server, study: Study) -> None:
    again = mlflow_run(cwd=study.folder, tracking_uri=server.uri, **SIZE)
    assert again.returncode == 0, again.stderr[-3000:]
    for entry_point in CHAIN:
        assert f"{entry_point}: reused run" in again.stdout
