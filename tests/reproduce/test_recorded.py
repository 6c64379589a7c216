"""Reading back what a run was made from."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from steps.errors import UserError
from steps.reproduce import recorded
from steps.tracking import record
from steps.tracking.parameters_record import TAG as PARAMETERS_TAG
from steps.tracking.session import step_run


def finished(entry_point: str, parameters: dict[str, object], **tags: str) -> Run:
    with step_run(entry_point, parameters, run_name="fear") as run:
        record.log(run.info.run_id, tags=tags)
    return MlflowClient().get_run(run.info.run_id)


def test_every_step_records_its_parameters_typed(store: Path) -> None:
    given = {"epochs": 3, "learning_rate": 0.01, "reuse": True, "source": "my file.csv"}
    run = finished("main", given)
    assert json.loads(run.data.tags[PARAMETERS_TAG]) == given
    parameters = recorded.parameters_of(run)
    assert {name: parameters[name] for name in given} == given
    assert [type(parameters[name]) for name in given] == [int, float, bool, str]


def test_parameters_quoted_for_the_shell_are_not_trusted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    given = client.create_run(client.create_experiment("mine"))
    client.log_param(given.info.run_id, "source", "'my file.csv'")
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    run = finished("prepare", {"source": "my file.csv"})
    assert run.data.params["source"] == "'my file.csv'"
    assert recorded.parameters_of(run)["source"] == "my file.csv"


def test_a_run_that_recorded_nothing_is_refused(store: Path) -> None:
    run = finished("evaluate", {})
    with pytest.raises(UserError, match="did not record its parameters"):
        recorded.parameters_of(mlflow.get_run(run.info.run_id))


def test_which_runs_can_be_reproduced(store: Path) -> None:
    client = MlflowClient()
    with pytest.raises(UserError, match="no finished study to reproduce"):
        recorded.find("latest", "0")
    first, second = finished("main", {"seed": 1}), finished("main", {"seed": 2})
    nested = finished("main", {"seed": 3})
    client.set_tag(nested.info.run_id, "mlflow.parentRunId", first.info.run_id)
    assert recorded.find("latest", "0").info.run_id == second.info.run_id
    assert recorded.find(first.info.run_id, "0").info.run_id == first.info.run_id
    with pytest.raises(UserError, match="no run 'nonsense' in this store"):
        recorded.find("nonsense", "0")
    pointer = client.create_run("0", tags={"study_run_id": first.info.run_id})
    with pytest.raises(UserError, match=f"steps.reproduce --run_id {first.info.run_id}"):
        recorded.find(pointer.info.run_id, "0")
    refit = finished("final_model", {}, **{"mlflow.parentRunId": "t1"})
    with pytest.raises(UserError, match=r"of final_model, expected one of main, .*; its training is run t1"):
        recorded.find(refit.info.run_id, "0")
    client.set_terminated(second.info.run_id, "FAILED")
    with pytest.raises(UserError, match="is FAILED, expected FINISHED"):
        recorded.find(second.info.run_id, "0")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, recorded.REPRODUCTIONS),
        ({"MLFLOW_EXPERIMENT_ID": "0"}, recorded.REPRODUCTIONS),
        ({"MLFLOW_EXPERIMENT_NAME": "mine"}, "mine"),
    ],
)
def test_reproductions_are_kept_apart(
    store: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    recorded.keep_apart()
    run = finished("reproduce", {})
    assert mlflow.get_experiment(run.info.experiment_id).name == expected


def test_evidence_is_everything_but_models_figures_and_the_environment(store: Path) -> None:
    with step_run("train", {}) as run:
        run_id = run.info.run_id
        history = pd.DataFrame({"loss": [0.7, 0.1 + 0.2]}, index=pd.Index([1, 2], name="epoch"))
        record.log_files(run_id, {"history.csv": history.to_csv().encode()})
        record.log(run_id, points=[Metric("loss", v, 0, e) for e, v in history["loss"].items()])
        record.log_files(run_id, {"results.csv": pd.DataFrame({"subject": ["007", "NA"], "p": [0.1, 1.0]})})
        record.log_files(run_id, {"summary.json": {"a": 1}})
        record.log_files(run_id, {"runtime.json": {"wall_s": 1}})
        record.log(run_id, metrics={"auc": 0.9}, tags={"dataset_digest": "abc"})
        MlflowClient().log_text(run_id, "x", "folder/other.csv")
    evidence = recorded.evidence(mlflow.get_run(run_id))
    assert evidence.metrics == {"auc": 0.9}
    assert evidence.curves == {"loss": [(1, 0.7), (2, 0.1 + 0.2)]}
    assert sorted(evidence.tables) == ["history.csv", "results.csv"]
    assert evidence.tables["results.csv"]["subject"].tolist() == ["007", "NA"]
    assert evidence.documents == {"summary.json": {"a": 1}}
    assert evidence.digest == "abc"
