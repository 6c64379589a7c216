"""A study on an MLflow server whose backend is PostgreSQL: everything gets there and can be loaded from there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from mlflow import MlflowClient

from tests.conftest import mlflow_run
from tests.inventory import Inventory, inventory
from tests.servers import Postgres, Server, mlflow_server, postgres
from tests.test_main import SMALL

EXPERIMENT = "Fear_Classification_Experiments"
SUBJECTS, EPOCHS, TIMESTEPS, FEATURES = 6, 3, SMALL["timesteps"], SMALL["simulated_features"]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL cluster of these tests' own."""
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server on that cluster that hands out artifacts."""
    with mlflow_server(tmp_path_factory.mktemp("server"), database.uri) as running:
        yield running


@pytest.fixture(scope="module")
def stock(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """What the server holds after a study."""
    size = {**SMALL, "simulated_subjects": SUBJECTS, "epochs": EPOCHS}
    done = mlflow_run(cwd=tmp_path_factory.mktemp("user"), tracking_uri=server.uri, **size)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return inventory(MlflowClient(server.uri), EXPERIMENT)


@pytest.fixture
def client(server: Server, stock: Inventory, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the server with the study, which is also what `mlflow` talks to."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return MlflowClient()


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


def test_the_database_holds_it_and_not_some_local_file(database: Postgres, stock: Inventory) -> None:
    with psycopg2.connect(database.uri.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
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
