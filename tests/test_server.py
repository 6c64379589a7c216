"""A study on the deployed stack: all gets there and can be loaded, no secret does, and nobody else gets at it.

The stack is PostgreSQL, an S3 store and a server with log-in where PostgreSQL is installed (`tests.deployed`).
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import psycopg2
import pytest
import requests
from click.testing import Result
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from psycopg2 import sql

from steps.errors import UserError
from steps.tracking import promotion
from steps.tracking.spool.spool import open_spool, redirected
from tests.changed_server import Line, record_study
from tests.conftest import step_here
from tests.deployed import BUCKET, Account
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
MODEL = "fear-classifier"
PREPARED = {name: value for name, value in SMALL.items() if name.startswith("simulated_") or name == "timesteps"}
TIMESTEPS, FEATURES = SMALL["timesteps"], SMALL["simulated_features"]


@pytest.fixture(scope="module")
def server_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerStudy]:
    """A whole study on a real tracking server, which goes on running."""
    with run_server_study(tmp_path_factory.mktemp("server_study")) as study:
        yield study


@pytest.fixture(scope="module")
def colleague(server_study: ServerStudy) -> Account:
    """Somebody else at the server, who owns nothing there yet and was given nothing."""
    return server_study.server.add_user(Account("ben"))


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


def lent(study: ServerStudy, to: Account, permission: str) -> AbstractContextManager[None]:
    """Inside the block somebody may do something with the study and its registered model; the owner says so."""
    experiment_id = study.server.ask(
        study.owner, "GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={EXPERIMENT}"
    ).json()["experiment"]["experiment_id"]
    things = ("experiment", experiment_id), ("registered_model", MODEL)
    return study.server.lent(study.owner, to, permission, *things)


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


def test_colleagues_who_may_read_work_with_what_only_the_server_has(
    server_study: ServerStudy, colleague: Account, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder, as on another machine: the registered model scores, the dataset trains."""
    (prepare,) = runs_of(client, "prepare")
    source = f"runs:/{prepare.info.run_id}/dataset"

    def step(name: str, **parameters: str | int) -> None:
        environment = colleague.environment | {"MLFLOW_EXPERIMENT_NAME": "colleagues"}
        done = step_here(name, tmp_path, server_study.server.uri, environment, **parameters)
        assert done.exit_code == 0, done.stdout[-2000:] + done.stderr[-3000:]
        assert "degraded" not in done.stderr

    with lent(server_study, colleague, "READ"):
        step("predict", source=source, attribution_steps=8)
        step("train", dataset_uri=source, subjects="S01", model="cnn", epochs=1)
    log_in(monkeypatch, colleague)
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


def files_of_the_study(client: MlflowClient) -> tuple[str, list[str]]:
    """A run of the study, and addresses on the server at which its results and its model's files can be asked for."""
    (evaluate,), version = runs_of(client, "evaluate"), client.get_model_version(MODEL, "1")
    run_id, place = evaluate.info.run_id, evaluate.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    model = client.get_model_version_download_uri(MODEL, "1").removeprefix("mlflow-artifacts:/")
    return run_id, [
        f"/get-artifact?run_uuid={run_id}&path=results.csv",
        f"/api/2.0/mlflow-artifacts/artifacts/{place}/results.csv",
        f"/ajax-api/2.0/mlflow-artifacts/artifacts/{place}/results.csv",
        f"/api/2.0/mlflow-artifacts/artifacts/x/../{place}/results.csv",
        f"/api/2.0/mlflow-artifacts/artifacts/{model}/MLmodel",
        f"/api/2.0/mlflow-artifacts/presigned/{place}/results.csv",
        f"/api/2.0/mlflow-artifacts/artifacts?path={place}",
        "/api/2.0/mlflow-artifacts/artifacts",
        f"/model-versions/get-artifact?name={MODEL}&version={version.version}&path=MLmodel",
        f"/api/2.0/mlflow/runs/get?run_id={run_id}",
        f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=subject/auc",
        f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run_id}&metric_key=subject/auc",
        f"/api/2.0/mlflow/experiments/get?experiment_id={evaluate.info.experiment_id}",
        f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={EXPERIMENT}",
        f"/api/2.0/mlflow/registered-models/get?name={MODEL}",
        "/api/2.0/mlflow/webhooks",
        "/api/3.0/mlflow/roles/list",
    ]


def test_who_has_not_logged_in_gets_a_sign_of_life_and_nothing_else(
    server_study: ServerStudy, client: MlflowClient
) -> None:
    server = server_study.server
    assert server.ask(None, "GET", "/health").text == "OK"
    # MLflow tells everybody what it can do; where it keeps things is not among that.
    described = server.ask(None, "GET", "/api/3.0/mlflow/server-info").text
    assert not any(word in described for word in ("postgresql", "sqlite", "s3:", str(server.folder)))
    _, addresses = files_of_the_study(client)
    for path in (*addresses, "/", "/version", "/signup", "/graphql", "/metrics", "/api/2.0/mlflow/users/list"):
        assert server.ask(None, "GET", path).status_code == 401, path
    for account in (Account(server_study.owner.name), Account("nobody"), Account(server.admin.name, "password1234")):
        assert server.ask(account, "GET", addresses[0]).status_code == 401
        assert server.ask(account, "GET", addresses[1]).status_code == 401


def test_who_was_given_nothing_gets_nothing(
    server_study: ServerStudy, colleague: Account, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_study.server
    run_id, addresses = files_of_the_study(client)
    assert [server.ask(server_study.owner, "GET", path).status_code for path in addresses[:3]] == [200] * 3
    for path in addresses:
        assert server.ask(colleague, "GET", path).status_code in (403, 405), path
    experiment_id = client.get_run(run_id).info.experiment_id
    model_location = client.get_model_version(MODEL, "1").source
    log_in(monkeypatch, colleague)
    assert client.search_runs([experiment_id]) == []
    assert client.search_logged_models([experiment_id]) == []
    assert client.search_model_versions(f"name = '{MODEL}'") == []
    assert EXPERIMENT not in [experiment.name for experiment in client.search_experiments()]
    query = f'query Q {{ mlflowGetRun(input: {{runId: "{run_id}"}}) {{ run {{ info {{ artifactUri }} }} }} }}'
    asked = server.ask(colleague, "POST", "/graphql", json={"query": query, "operationName": "Q"})
    assert asked.json()["data"]["mlflowGetRun"] is None
    # A model of one's own whose files are said to be somebody else's.
    client.create_registered_model("mine")
    place = model_location.removeprefix("mlflow-artifacts:/")
    for source in (model_location, f"s3://{BUCKET}/artifacts/{place}", f"file://{server.artifacts}/{place}"):
        with pytest.raises(MlflowException, match=r"Invalid model version source|Permission denied"):
            client.create_model_version("mine", source)


def test_who_may_read_changes_nothing(
    server_study: ServerStudy, colleague: Account, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, addresses = files_of_the_study(client)
    log_in(monkeypatch, colleague)
    with lent(server_study, colleague, "READ"):
        assert server_study.server.ask(colleague, "GET", addresses[1]).status_code == 200
        assert client.get_run(run_id).info.status == "FINISHED"
        changes: tuple[Callable[[], object], ...] = (
            lambda: client.log_metric(run_id, "subject/auc", 1),
            lambda: client.set_tag(run_id, "note", "mine"),
            lambda: client.delete_run(run_id),
            lambda: client.log_text(run_id, "subject,probability", "results.csv"),
            lambda: client.set_model_version_tag(MODEL, "1", "auc", "1"),
            lambda: client.set_registered_model_alias(MODEL, "champion", "1"),
            lambda: client.delete_model_version(MODEL, "1"),
            lambda: client.delete_registered_model(MODEL),
        )
        for change in changes:
            with pytest.raises((MlflowException, requests.HTTPError), match=r"Permission denied|403"):
                change()
        assert server_study.server.ask(colleague, "DELETE", addresses[1]).status_code == 403


def test_who_may_read_can_neither_decide_nor_write_into_the_trail(
    server_study: ServerStudy, colleague: Account, client: MlflowClient, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_study.server.uri)
    decided = {"action": "promoted", "version": "1", "before": "", "by": "fear", "at": "2026-11-28T21:00:00.000Z"}
    entry = promotion.Entry.model_validate(decided | {"run_id": server_study.commit})
    with lent(server_study, colleague, "READ"):
        log_in(monkeypatch, colleague)
        for decide in (promotion.note, promotion.appoint):  # as the step does it
            with redirected(store), pytest.raises(UserError, match=r"HTTP 403.*; nothing was decided"):
                decide(MODEL, entry)
        with pytest.raises(MlflowException, match=r"[Pp]ermission"):
            client.set_model_version_tag(MODEL, "1", "promotion/mine", "{}")
        assert promotion.trail(MODEL) == promotion.Trail((), "")
        log_in(monkeypatch, server_study.owner)
        promotion.appoint(MODEL, entry)
        log_in(monkeypatch, colleague)
        assert promotion.trail(MODEL) == promotion.Trail((entry,), "1")
        with pytest.raises(MlflowException, match=r"[Pp]ermission"):
            client.set_model_version_tag(MODEL, "1", entry.key, "{}")
        with pytest.raises(MlflowException, match=r"[Pp]ermission"):
            client.delete_model_version_tag(MODEL, "1", entry.key)
        with pytest.raises(MlflowException, match=r"[Pp]ermission"):
            client.set_registered_model_alias(MODEL, "champion", "1")
        assert promotion.trail(MODEL).entries == (entry,)
        # Names of registered models are everybody's: so is that of the lock.
        client.create_registered_model(f"{MODEL}.promoting")
        log_in(monkeypatch, server_study.owner)
        with pytest.raises(UserError, match=r"made by another account at this moment: nothing was changed"):
            promotion.appoint(MODEL, entry)
        log_in(monkeypatch, colleague)
        client.delete_registered_model(f"{MODEL}.promoting")


def test_a_wrong_password_costs_seconds_and_nothing_else(
    server_study: ServerStudy, colleague: Account, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, wrong = server_study.server.uri, Account(colleague.name)

    def step(name: str, account: Account, experiment: str, **parameters: Any) -> Result:
        started = time.monotonic()
        environment = account.environment | {"MLFLOW_EXPERIMENT_NAME": experiment}
        done = step_here(name, tmp_path, uri, environment, **parameters)
        assert time.monotonic() - started < 60  # MLflow by itself tries for minutes
        assert with_secret(done.stdout + done.stderr, (wrong.password, colleague.password)) == []
        return done

    done = step("prepare", wrong, "ben's", **PREPARED)
    assert done.exit_code == 0, done.stderr
    assert "does not know this name and password (HTTP 401)" in done.stderr
    assert "degraded: 1 run of this study could not be copied" in done.stderr
    assert "Waiting does not help: set MLFLOW_TRACKING_USERNAME and" in done.stderr
    done = step("sync", wrong, "ben's")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "(HTTP 401); set MLFLOW_TRACKING_USERNAME and" in done.stderr
    done = step("sync", colleague, "ben's")
    assert "1 of 1 runs, 0 models and 0 registered versions copied and checked; " in done.stdout, done.output

    # Somebody else's experiment, of which this account may read everything.
    with lent(server_study, colleague, "READ"):
        done = step("prepare", colleague, EXPERIMENT, **PREPARED)
        assert done.exit_code == 0, done.stderr
        assert done.stderr.count("the server does not let this account do that (HTTP 403)") == 2, done.stderr
        assert "degraded: 1 run of this study could not be copied" in done.stderr
        assert (
            "ask the server's owner for permission to write (an experiment and a registered model belong" in done.stderr
        )
        # It holds up no other experiment.
        done = step("prepare", colleague, "ben's", **PREPARED)
        assert "degraded: 1 run of this study could not be copied" in done.stderr
        done = step("sync", colleague, "ben's")
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.output
        assert "the server does not let this account do that (HTTP 403); ask the server's owner" in done.stderr
        assert "(runs not there yet: 1)" in done.stderr
    log_in(monkeypatch, colleague)
    mine = client.search_runs([client.get_experiment_by_name("ben's").experiment_id])
    assert [(run.info.run_name, run.info.status) for run in mine] == [("prepare", "FINISHED")] * 2


@pytest.mark.slow
def test_a_registered_model_of_somebody_else_is_said_and_costs_nothing_else(
    server_study: ServerStudy,
    colleague: Account,
    client: MlflowClient,
    store: Path,
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = server_study.server.uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    line = Line(open_spool(uri, store), empty_store, empty_store)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", line.spool.uri)
        record_study(line)
    log_in(monkeypatch, colleague)
    for permission in ("", "READ"):
        with lent(server_study, colleague, permission) if permission else nullcontext():
            done = line.sync()
        assert done.exit_code == 2
        (error,) = done.stderr.splitlines()
        assert error == (
            f"error: {uri}: version {MODEL}/1: registered model {MODEL} is another account's on {uri}, "
            "which has to let this one EDIT it"
        )
        assert sorted(line.copies()) == ["fold_S1_1", "fold_S2_1", "train"]
    try:
        with lent(server_study, colleague, "EDIT"):
            done = line.sync()
        assert done.exit_code == 0, done.output
        assert "0 of 1 runs, 0 models and 1 registered versions copied and checked" in done.stdout
        log_in(monkeypatch, server_study.owner)
        assert client.get_model_version_by_alias(MODEL, "challenger").version == "2"
    finally:
        log_in(monkeypatch, server_study.owner)
        client.set_registered_model_alias(MODEL, "challenger", "1")
        client.delete_model_version(MODEL, "2")
