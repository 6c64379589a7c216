"""Where a tracking server may send us. The server is a SQLite store here that passes for one, with folders of ours."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking import record
from steps.tracking.models import fold_model, loading, registry
from steps.tracking.places import DatasetArtifact
from steps.tracking.spool import copy, pull
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool, open_spool
from steps.tracking.store import allowed as allowed_places
from steps.tracking.store import artifact_places
from steps.tracking.store.allowed import ALLOWED, PlaceError, checked
from steps.tracking.tracker import MLflowTracker
from tests.tracking.spool.test_push import NETWORK

HTTP = "https://user:secret@server:5000/mlflow"


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("mlflow-artifacts:/1/abc/artifacts", HTTP),
        ("mlflow-artifacts://server:5000/1", HTTP),
        ("mlflow-artifacts://server/1", "http://server"),
        ("https://server:5000/api/2.0/mlflow-artifacts/artifacts/1", HTTP),
        ("https://server/api", "https://server:443"),
        ("dbfs:/databricks/mlflow-tracking/1", "databricks"),
        ("dbfs:/databricks/mlflow-tracking/1", "databricks://profile"),
        ("/anywhere", "sqlite:////anywhere/mlflow.db"),
    ],
)
def test_a_server_may_send_us_to_itself(uri: str, server: str) -> None:
    assert checked(uri, server) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "/data/me/.ssh",
        "mlruns/1",
        "../mlruns",
        "file:///data/me",
        "FILE:///data/me",
        " /data/me",
        "file:/data/me",
        "s3://bucket/1",
        "gs://bucket",
        "wasbs://c@a.blob.core.windows.net/1",
        "ftp://host/1",
        "sftp://host/1",
        "hdfs://host/1",
        "dbfs:/1",
        "http://server:5000/1",
        "https://server:5001/1",
        "https://other:5000/1",
        "https://you:pass@server:5000/1",
        "https://server:port/1",
        "mlflow-artifacts://other/1",
        "mlflow-artifacts://server:9/1",
        "mlflow-artifacts://x@server:5000/1",
        "runs:/0123456789abcdef0123456789abcdef/x",
        "models:/m-1",
        "",
    ],
)
def test_a_server_may_send_us_nowhere_else(uri: str) -> None:
    with pytest.raises(PlaceError, match=f"start it with --serve-artifacts .* name the place in {ALLOWED}$") as refused:
        checked(uri, HTTP)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("allowed", "uri", "is_allowed"),
    [
        ("/srv/mlruns", "/srv/mlruns/1/abc", True),
        ("/srv/mlruns", "file:///srv/mlruns", True),
        ("file:///srv/mlruns/", "/srv/mlruns/1", True),
        ("/srv/mlruns", "/srv/mlruns2/1", False),
        ("/srv/mlruns", "/srv/mlruns/../secret", False),
        ("/srv/mlruns", "file:///srv/mlruns/%2e%2e/secret", False),
        ("s3://bucket/study, gs://other", "s3://bucket/study/1", True),
        ("s3://bucket/study, gs://other", "gs://other/1", True),
        ("s3://bucket/study", "s3://bucket/studying", False),
        ("s3://bucket/study", "s3://bucket/study/../1", False),
        ("s3://bucket", "gs://bucket/1", False),
        ("https://artifacts:8080", "https://artifacts:8080/api/1", True),
        ("https://artifacts:8080", "https://artifacts:80/api/1", False),
        ("", "/srv", False),
    ],
)
def test_the_user_may_allow_more(monkeypatch: pytest.MonkeyPatch, allowed: str, uri: str, is_allowed: bool) -> None:
    monkeypatch.setenv(ALLOWED, allowed)
    if is_allowed:
        assert checked(uri, HTTP) == uri
    else:
        with pytest.raises(PlaceError):
            checked(uri, HTTP)


def test_what_a_server_names_is_shown_in_one_line_of_harmless_characters() -> None:
    with pytest.raises(PlaceError) as refused:
        checked("/home/\x1b[31m\n'; rm -rf /; '" + "x" * 1000, HTTP)
    text = str(refused.value)
    assert text.isprintable()
    assert len(text) < 900
    assert "/home/\\x1b[31m\\n'; rm -rf" in text


def test_beside_a_database_server_mlflow_keeps_artifacts_in_the_users_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = "postgresql+psycopg2://user:secret@host/db"
    assert checked(str(tmp_path / "mlruns" / "1"), server)
    with pytest.raises(
        PlaceError,
        match=f"in /data/me, where a server cannot send us unasked: if that is right, name the place in {ALLOWED}$",
    ):
        checked("/data/me", server)


@dataclass
class Hostile:
    """A spool, and a server that names the user's own folder as the place of everything."""

    spool: Spool
    private: Path

    @property
    def server_client(self) -> MlflowClient:
        return self.spool.target_client()

    def untouched(self) -> bool:
        return [path.name for path in self.private.rglob("*") if path.is_file()] == ["diary.txt"]


@pytest.fixture
def hostile(store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    private = store / "private"
    private.mkdir()
    (private / "diary.txt").write_text("private")
    uri = f"sqlite:///{store / 'server.db'}"
    shutil.copy(empty_store, store / "server.db")
    for module in (allowed_places, artifact_places, copy):
        monkeypatch.setattr(module, "is_remote", lambda address: address == uri)
    spool = open_spool(uri, store / "user")
    spool.target_client().create_experiment("study", artifact_location=private.as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", spool.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", spool.target)
    return Hostile(spool, private)


def test_nothing_is_copied_where_a_server_may_not_send_us(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    with MLflowTracker(experiment_id=hostile.spool.experiment("study")) as tracker:
        tracker.start_run("one")
        tracker.log_model(NETWORK, (21, 6))
        tracker.log_artifacts({"diary.txt": "overwritten"})
    passed = Push(hostile.spool).once(thorough=True)
    assert len(passed.refused) == 1
    assert passed.refused[0].startswith("run one: ")
    assert str(hostile.private) in passed.refused[0]
    assert hostile.untouched()
    assert hostile.server_client.search_runs(["1"]) == [], "nothing half-written"
    monkeypatch.setenv(ALLOWED, str(hostile.private))
    assert Push(hostile.spool).once(thorough=True).refused == []
    assert not hostile.untouched()


def test_a_run_may_not_lie_where_its_experiment_does_not(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steps.tracking.spool.experiments.checked", lambda *_: None)
    with MLflowTracker(experiment_id=hostile.spool.experiment("study")) as tracker:
        tracker.start_run("one")
        tracker.log_model(NETWORK, (21, 6))
        tracker.log_artifacts({"diary.txt": "overwritten"})
    passed = Push(hostile.spool).once(thorough=True)
    assert sorted(line.partition(":")[0] for line in passed.refused) == ["model model", "run one"]
    assert hostile.untouched()


def of_a_colleague(hostile: Hostile) -> tuple[str, str]:
    """A run and its model on the server, with the user's folder as theirs."""
    run = hostile.server_client.create_run("1", run_name="theirs", tags={"entry_point": "train"})
    model = hostile.server_client.create_logged_model("1", "model", run.info.run_id)
    hostile.server_client.set_terminated(run.info.run_id)
    return run.info.run_id, model.model_id


def test_nothing_is_fetched_from_where_a_server_may_not_send_us(
    hostile: Hostile, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, _ = of_a_colleague(hostile)
    with pytest.raises(UserError, match=rf"run {run_id} cannot be fetched: .*{ALLOWED}"):
        pull.local_run_id(run_id)
    pull.fetch(hostile.spool.experiment("study"), "tags.entry_point = 'train'")
    assert f"note: run {run_id} cannot be fetched" in capsys.readouterr().err
    assert "diary.txt" not in {path.name for path in hostile.spool.folder.rglob("*")}
    assert hostile.spool.client().search_runs([hostile.spool.experiment("study")]) == []


@pytest.mark.parametrize("uri", ["models:/{model}", "models:/theirs/1", "models:/theirs@champion", "runs:/{run}/model"])
def test_no_model_is_read_where_a_server_may_not_send_us(hostile: Hostile, uri: str) -> None:
    run_id, model_id = of_a_colleague(hostile)
    hostile.server_client.create_registered_model("theirs")
    hostile.server_client.create_model_version("theirs", hostile.private.as_uri(), run_id)
    hostile.server_client.set_registered_model_alias("theirs", "champion", "1")
    with pytest.raises(UserError, match=ALLOWED):
        loading.fetch(registry.resolve(uri.format(run=run_id, model=model_id)))


def test_a_worker_downloads_and_records_nothing_where_a_server_may_not_send_it(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_id, _ = of_a_colleague(hostile)
    with pytest.raises(UserError, match=ALLOWED):
        DatasetArtifact("0" * 64, None, f"runs:/{run_id}/dataset", hostile.spool.target).load()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", hostile.spool.target)
    run = MlflowClient().create_run(MlflowClient().get_experiment_by_name("study").experiment_id)
    diary = tmp_path / "diary.txt"
    diary.write_text("overwritten")
    with pytest.raises(PlaceError):
        record.log_path(run, diary)
    with pytest.raises(PlaceError):
        fold_model.log_network(run, NETWORK, (21, 6), {})
    assert hostile.untouched()
