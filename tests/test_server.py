"""A study on a real tracking server with proxied artifacts: all gets there and can be loaded, no secret does."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import psycopg2
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from psycopg2 import sql

from tests.conftest import step_here
from tests.deployed import Account
from tests.inventory import Inventory
from tests.server_study import (
    EPOCHS,
    EXPERIMENT,
    RUN_NAME,
    STUDY_NAME,
    SUBJECTS,
    ServerStudy,
    run_server_study,
)
from tests.servers import Server
from tests.test_main import CHAIN, SMALL

# The study is run by whichever test comes first.
pytestmark = pytest.mark.timeout(900)
# What `mlflow run` itself prints, before any code of ours has started and after it has ended: the URL it fetches, as it
# was typed, and the address of the run it made in `Default`.
_OF_MLFLOW_ITSELF = re.compile(
    r"^.* mlflow\.projects\.utils: === Fetching project from \S+ into |^\W+ View (run|experiment) .*/experiments/0\b"
)
TIMESTEPS, FEATURES = SMALL["timesteps"], SMALL["simulated_features"]


@pytest.fixture(scope="module")
def server_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerStudy]:
    """A whole study on a real tracking server, which goes on running."""
    with run_server_study(tmp_path_factory.mktemp("server_study")) as study:
        yield study


@pytest.fixture
def stock(server_study: ServerStudy) -> Inventory:
    """What the server holds."""
    return server_study.stock


@pytest.fixture
def client(server_study: ServerStudy, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The owner's client of the server with the study, which is also what `mlflow` talks to."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_study.server.uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    log_in(monkeypatch, server_study.owner)
    return MlflowClient()


def log_in(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    """From here on MLflow's client is somebody else."""
    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)


def runs_of(client: MlflowClient, entry_point: str) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return list(client.search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'"))


@contextmanager
def in_postgres(server: Server) -> Iterator[Any]:
    """A cursor in the server's database."""
    uri = server.backend_store_uri.replace("+psycopg2", "")
    with closing(psycopg2.connect(uri)) as connection, connection.cursor() as cursor:
        yield cursor


def test_the_driver_says_where_to_look(server_study: ServerStudy) -> None:
    assert f"{server_study.server.uri}/#/experiments/" in server_study.first.stdout
    assert "?workflowType=machine_learning" in server_study.first.stdout
    assert sorted(path.name for path in server_study.folder.iterdir()) == [".fear-spool", "results"]


def test_every_run_is_there_with_its_place_in_the_study(stock: Inventory) -> None:
    steps = {f"{STUDY_NAME}/{step}" for step in CHAIN}
    folds = {f"{STUDY_NAME}/train/{RUN_NAME}_S0{number}_1" for number in range(1, SUBJECTS + 1)}
    others = set(stock.runs) - {STUDY_NAME, f"{STUDY_NAME} #2"} - steps - folds
    assert len(others) == 1, "the model for new people"
    assert others.pop().startswith(f"{STUDY_NAME}/train/")
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


def test_the_database_holds_it_and_not_some_local_file(server_study: ServerStudy, stock: Inventory) -> None:
    server = server_study.server
    if not server.backend_store_uri.startswith("postgresql"):
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
    with in_postgres(server) as cursor:
        cursor.execute(
            "SELECT count(*) FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id) "
            "WHERE e.name = %s",
            (EXPERIMENT,),
        )
        assert cursor.fetchone() == (stock.summary()["metric points"],)


def test_artifacts_are_handed_out_by_the_server(client: MlflowClient) -> None:
    assert client.get_experiment_by_name(EXPERIMENT).artifact_location.startswith("mlflow-artifacts:")
    (prepare,), (evaluate,) = runs_of(client, "prepare"), runs_of(client, "evaluate")
    manifest = json.loads(Path(client.download_artifacts(prepare.info.run_id, "dataset/dataset.json")).read_text())
    results = Path(client.download_artifacts(evaluate.info.run_id, "results.csv")).read_text()
    patients = sum(entry["trials"] for entry in manifest["subjects"] if entry["group"] == "patient")
    assert len(list(csv.DictReader(io.StringIO(results)))) == patients


def test_every_folds_model_loads_through_the_server(client: MlflowClient) -> None:
    folds = runs_of(client, "fold")
    assert len(folds) == SUBJECTS
    trials = np.random.default_rng(0).normal(size=(4, TIMESTEPS, FEATURES)).astype(np.float32)
    for fold in folds:
        probabilities = np.asarray(mlflow.tensorflow.load_model(f"runs:/{fold.info.run_id}/model")(trials))
        assert probabilities.shape == (4, 1)
        assert ((probabilities > 0) & (probabilities < 1)).all()
    (model_id,) = [output.model_id for output in fold.outputs.model_outputs]
    scored = mlflow.pyfunc.load_model(f"models:/{model_id}").predict(trials)
    np.testing.assert_allclose(np.asarray(scored), probabilities, rtol=1e-5)


def test_the_registered_model_scores_through_the_server(client: MlflowClient, stock: Inventory) -> None:
    (version,) = stock.registered["fear-classifier"]
    assert version.aliases == ["challenger"]
    assert stock.runs[version.run].tags["entry_point"] == "final_model"
    assert version.tags["train_run_id"] == f"<run {STUDY_NAME}/train>"
    model = mlflow.pyfunc.load_model("models:/fear-classifier@challenger")
    trials = np.random.default_rng(0).normal(size=(3, TIMESTEPS, FEATURES)).astype(np.float32)
    scores = model.predict(trials)
    assert list(scores.columns) == ["probability", "decision", "distance", "unusual"]
    assert len(scores) == 3


def test_a_second_study_reuses_what_is_on_the_server(server_study: ServerStudy) -> None:
    for entry_point in CHAIN:
        assert f"{entry_point}: reused run" in server_study.again.stdout


def test_colleagues_work_with_what_only_the_server_has(
    server_study: ServerStudy, client: MlflowClient, tmp_path: Path
) -> None:
    """From an empty folder, as on another machine: the registered model scores, the dataset trains."""
    (prepare,) = runs_of(client, "prepare")
    source = f"runs:/{prepare.info.run_id}/dataset"

    def step(name: str, **parameters: str | int) -> None:
        uri, environment = server_study.server.uri, server_study.owner.environment
        environment |= {"MLFLOW_EXPERIMENT_NAME": "colleagues"}
        done = step_here(name, tmp_path, uri, environment, **parameters)
        assert done.exit_code == 0, done.stdout[-2000:] + done.stderr[-3000:]
        assert "degraded" not in done.stderr

    step("predict", source=source, attribution_steps=8)
    step("train", dataset_uri=source, subjects="S01", model="cnn", epochs=1)
    experiment = client.get_experiment_by_name("colleagues")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["entry_point"] for run in runs) == ["final_model", "fold", "predict", "train"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    (fold,) = [run for run in runs if run.data.tags["entry_point"] == "fold"]
    assert fold.data.tags["dataset_digest"] == prepare.data.tags["dataset_digest"]
    contexts = [tag.value for used in client.get_run(fold.info.run_id).inputs.dataset_inputs for tag in used.tags]
    assert sorted(contexts) == ["test", "train", "validation"]


def with_secret(text: str, secrets: Iterable[str]) -> list[str]:
    """Where in a text a secret stands."""
    places = [text.find(secret) for secret in secrets]
    return [text[max(0, place - 100) : place + 60] for place in places if place >= 0]


def rows_of_the_database(server: Server) -> Iterator[str]:
    """Every row of every table of the server's database, as text."""
    if not server.backend_store_uri.startswith("postgresql"):
        yield (server.folder / "server.db").read_bytes().decode(errors="replace")
        return
    with in_postgres(server) as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))
            yield from (f"{table} {row}" for (row,) in cursor.fetchall())


def texts_of(content: bytes) -> Iterator[str]:
    """What a file holds, also what a zip archive (such as a ``.keras`` file) holds compressed."""
    yield content.decode(errors="replace")
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode(errors="replace")


def test_no_secret_is_in_the_database(server_study: ServerStudy) -> None:
    rows = list(rows_of_the_database(server_study.server))
    assert any("fear_classifier" in row or "fear-classifier" in row for row in rows)
    assert [place for row in rows for place in with_secret(row, server_study.secrets)] == []


def test_no_secret_is_in_an_artifact(server_study: ServerStudy) -> None:
    files = dict(server_study.server.kept_files())
    assert len(files) > 50
    found = {name: with_secret(text, server_study.secrets) for name, file in files.items() for text in texts_of(file)}
    assert {name: places for name, places in found.items() if places} == {}


def test_no_secret_is_left_in_the_users_folder(server_study: ServerStudy) -> None:
    files = [path for path in server_study.folder.rglob("*") if path.is_file()]
    texts = [(path, text) for path in files for text in texts_of(path.read_bytes())]
    assert [(path, place) for path, text in texts for place in with_secret(text, server_study.secrets)] == []


def test_no_secret_is_printed(server_study: ServerStudy) -> None:
    for done in (server_study.first, server_study.again):
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not _OF_MLFLOW_ITSELF.match(line)]
        assert len(lines) > 20 or done is server_study.again
        assert [place for line in lines for place in with_secret(line, server_study.secrets)] == []


def test_the_servers_secrets_are_on_no_command_line_and_in_no_log(server_study: ServerStudy) -> None:
    server = server_study.server
    assert [place for text in server.command_lines() for place in with_secret(text, server_study.secrets)] == []
    assert with_secret(server.log, server_study.secrets) == []
    (settings,) = server.folder.glob("mlflow-login-*/basic_auth.ini")
    assert with_secret(settings.read_text(), server_study.secrets) == []
    assert (settings.stat().st_mode & 0o777, settings.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_name_was_run_as_a_command(server_study: ServerStudy) -> None:
    assert not server_study.pwned.exists()


def test_names_arrive_as_they_were_typed(server_study: ServerStudy) -> None:
    stock = server_study.stock
    assert STUDY_NAME in stock.runs
    # `mlflow run` has logged what it quoted for the shell; what a step logs itself is as typed.
    folds = [run for run in stock.runs.values() if run.tags["entry_point"] == "fold"]
    assert {run.params["run_name"] for run in folds} == {RUN_NAME}
    assert all(run.tags["mlflow.runName"].startswith(RUN_NAME) for run in folds)


def test_the_report_shows_a_name_and_does_not_interpret_it(client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    study = client.search_runs([experiment.experiment_id], "tags.entry_point = 'main'")[0]
    page = Path(client.download_artifacts(study.info.run_id, "report.html")).read_text()
    assert "<b>é</b>" not in page
    assert "&lt;b&gt;é&lt;/b&gt;" in page
