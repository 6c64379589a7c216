"""Which folds of which trainings may be taken over."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.tracking import resume
from steps.tracking.experiments import experiment
from steps.tracking.models.fold_model import MODEL
from steps.tracking.session import step_run

KEY = "0123"


def gone_pid() -> int:
    """The ID of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def training(status: str, pid: int, key: str = KEY, host: str | None = None) -> tuple[str, str]:
    """A training with one whole fold, one without a model, one and a model for new people that were being trained.

    Returns:
        IDs of it and of its whole fold.
    """
    client = MlflowClient()
    where = {"host": host or platform.node(), "pid": str(pid)}
    train = client.create_run(experiment(), tags={"entry_point": "train", "reuse_key": key, **where})
    ids = []
    for subject, ends in (("S1", "FINISHED"), ("S2", "FINISHED"), ("S3", "RUNNING")):
        tags = {"entry_point": "fold", "subject": subject, "test_number": "1", MLFLOW_PARENT_RUN_ID: train.info.run_id}
        fold = client.create_run(train.info.experiment_id, tags=tags)
        client.log_metric(fold.info.run_id, "best_val_loss", 0.5)
        if subject == "S1":
            client.log_text(fold.info.run_id, "model", f"{MODEL}/data/model.keras")
        if ends == "FINISHED":
            client.set_terminated(fold.info.run_id)
        ids.append(fold.info.run_id)
    last = {"entry_point": "final_model", MLFLOW_PARENT_RUN_ID: train.info.run_id}
    client.create_run(train.info.experiment_id, tags=last)
    if status != "RUNNING":
        client.set_terminated(train.info.run_id, status)
    return train.info.run_id, ids[0]


def parent(run_id: str) -> str:
    return str(MlflowClient().get_run(run_id).data.tags[MLFLOW_PARENT_RUN_ID])


def take_over() -> tuple[Run, dict[tuple[str, int], dict[str, float]]]:
    with step_run("train", {}) as run:
        return run, resume.take_over_folds(run, KEY)


@pytest.mark.parametrize("status", ["FAILED", "KILLED", "RUNNING"])
def test_whole_folds_of_a_dead_training_are_taken_over(store: Path, status: str) -> None:
    old, whole = training(status, gone_pid())
    run, taken = take_over()
    assert taken == {("S1", 1): {"best_val_loss": 0.5}}
    assert parent(whole) == run.info.run_id
    client = MlflowClient()
    assert client.get_run(old).info.status == ("FAILED" if status == "RUNNING" else status)
    assert client.get_run(old).data.tags["resumed_by"] == run.info.run_id
    left = client.search_runs([run.info.experiment_id], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{old}'")
    states = {run.data.tags.get("subject", run.data.tags["entry_point"]): run.info.status for run in left}
    assert states == {"S2": "FINISHED", "S3": "FAILED", "final_model": "FAILED"}


@pytest.mark.parametrize(("pid", "host"), [(os.getpid(), None), (1, "another-machine")], ids=["here", "elsewhere"])
def test_a_training_that_may_be_alive_is_left_alone(store: Path, pid: int, host: str | None) -> None:
    old, whole = training("RUNNING", pid, host=host)
    assert take_over()[1] == {}
    assert parent(whole) == old
    assert MlflowClient().get_run(old).info.status == "RUNNING"


def test_another_identity_and_finished_trainings_are_left_alone(store: Path) -> None:
    other, whole = training("FAILED", gone_pid(), key="another")
    finished, whole_too = training("FINISHED", gone_pid())
    assert take_over()[1] == {}
    assert (parent(whole), parent(whole_too)) == (other, finished)
