"""Where a step's record goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.session import step_run
from steps.tracking.store.opening import absolute_uri
from tests.conftest import ROOT, clean_environment


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///a/b.db?timeout=3", "sqlite:////data/a/b.db?timeout=3"),
        ("sqlite:////abs/mlflow.db", "sqlite:////abs/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_a_relative_sqlite_store_is_made_absolute(uri: str, expected: str) -> None:
    assert absolute_uri(uri, Path("/data")) == expected


@pytest.mark.parametrize("experiment_id", ["0", "1"])
def test_a_token_in_the_projects_url_is_taken_out_of_the_record(
    store: Path, monkeypatch: pytest.MonkeyPatch, experiment_id: str
) -> None:
    client = MlflowClient()
    client.create_experiment("mine")
    given = client.create_run(experiment_id, tags={"mlflow.source.name": "https://me:token@host/repo.git#sub"})
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    with step_run("prepare", {}) as run:
        pass
    for run_id in (run.info.run_id, given.info.run_id):
        assert client.get_run(run_id).data.tags["mlflow.source.name"] == "https://host/repo.git#sub"


def test_no_password_in_a_parameter_is_recorded(store: Path) -> None:
    given = {"source": "https://me:s3cret@host/a.csv?token=s3cret", "run_name": "a@b", "epochs": 3}
    with step_run("prepare", given) as run:
        pass
    data = MlflowClient().get_run(run.info.run_id).data
    assert data.params == {"source": "https://host/a.csv", "run_name": "a@b", "epochs": "3"}
    assert "s3cret" not in str(data.tags)


@pytest.mark.parametrize("uri", ["127.0.0.1:5000", "htp://host"])
def test_a_mistyped_tracking_uri_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match=f"MLFLOW_TRACKING_URI is '{uri}': "), step_run("prepare", {}):
        pass
    assert sorted(path.name for path in store.iterdir()) == ["mlflow.db"]


def test_a_bare_step_goes_to_the_studys_experiment(store: Path) -> None:
    with step_run("train", {"epochs": 3}) as run:
        assert mlflow.get_experiment(run.info.experiment_id).name == EXPERIMENT
    finished = MlflowClient().get_run(run.info.run_id)
    assert finished.info.status == "FINISHED"
    assert finished.data.tags["entry_point"] == "train"
    assert finished.data.params == {"epochs": "3"}


def test_a_run_of_mlflow_run_is_adopted_and_its_parameters_kept(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    experiment_id = client.create_experiment("mine")
    given = client.create_run(experiment_id)
    client.log_param(given.info.run_id, "thresholds", "'0.5,0.4'")  # as `mlflow run` quotes it
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    with step_run("evaluate", {"thresholds": "0.5,0.4", "seed": 0}) as run:
        assert run.info.run_id == given.info.run_id
    params = client.get_run(given.info.run_id).data.params
    assert params == {"thresholds": "'0.5,0.4'", "seed": "0"}


@pytest.mark.parametrize(("given", "name"), [(None, "fear: own"), ("mine", "mine"), ("left-knee-2", "left-knee-2")])
def test_a_name_that_mlflow_drew_gives_way(
    store: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, name: str
) -> None:
    client = MlflowClient()
    made = client.create_run(client.create_experiment("mine"), run_name=given)
    monkeypatch.setenv("MLFLOW_RUN_ID", made.info.run_id)
    with step_run("main", {}, run_name="fear: own") as run:
        assert run.info.run_name == name
    assert client.get_run(made.info.run_id).info.run_name == name


def test_a_run_in_default_becomes_a_pointer(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    given = client.create_run("0", tags={"mlflow.source.git.commit": "abc", "mlflow.project.entryPoint": "main"})
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    with step_run("main", {}, run_name="fear") as run:
        assert run.info.run_id != given.info.run_id
    study = client.get_run(run.info.run_id)
    assert client.get_experiment(study.info.experiment_id).name == EXPERIMENT
    assert study.data.tags["mlflow.source.git.commit"] == "abc"
    assert study.info.run_name == "fear"
    pointer = client.get_run(given.info.run_id)
    assert pointer.data.tags["study_run_id"] == study.info.run_id
    assert study.info.run_id in pointer.data.tags["mlflow.note.content"]


@pytest.mark.parametrize("by", ["name", "id"])
def test_the_environment_names_the_experiment(store: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    experiment_id = MlflowClient().create_experiment("chosen")
    if by == "name":
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "chosen")
    else:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    with step_run("prepare", {}) as run:
        assert run.info.experiment_id == experiment_id


def test_a_failed_step_is_marked_failed(store: Path) -> None:
    with pytest.raises(UserError), step_run("train", {}) as run:
        raise UserError("no")
    assert MlflowClient().get_run(run.info.run_id).info.status == "FAILED"


def test_a_deleted_experiment_is_explained(store: Path) -> None:
    client = MlflowClient()
    client.delete_experiment(client.create_experiment(EXPERIMENT))
    with pytest.raises(UserError, match=r"was deleted; restore it with 'mlflow experiments restore"), step_run("x", {}):
        pass


def test_a_new_store_can_be_opened_by_several_at_once(tmp_path: Path) -> None:
    code = "from steps.tracking.session import step_run\nwith step_run('prepare', {}): pass"
    environment = clean_environment(f"sqlite:///{tmp_path / 'mlflow.db'}") | {"PYTHONPATH": str(ROOT)}
    starts = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=250)[1] for process in starts]
    assert [process.returncode for process in starts] == [0, 0, 0], errors
