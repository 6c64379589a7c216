"""The whole step on a real store: batches of one model, an alarm once and its exit status, what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.drift.batch import inputs_by_subject
from steps.core.models.keras_file import as_bytes
from steps.monitor.__main__ import main
from steps.tracking import record
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from tests.conftest import left_out_scores

URI = "models:/fear-classifier/1"


@pytest.fixture
def registered(store: Path, final_network: Any, training_json: dict[str, Any]) -> TrainingReference:
    """A store with one registered version."""
    known = left_out_scores(training_json, [0.2, 0.4, 0.6, 0.8])
    training = {**training_json, "left_out_scores": known}
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(final_network), training)
    registry.register(run.info.run_id, uri, {}, "evidence")
    return TrainingReference.model_validate(training)


def scored(unseen: Unseen, trained: TrainingReference, number: int, *, flip: bool = False) -> Run:
    """Record a batch as `predict` does, without its network."""
    names = np.char.add(f"{number}-", unseen.subjects)
    values = unseen.values + np.random.default_rng(number).normal(size=unseen.values.shape).astype(np.float32) * 0.01
    values[:, :, 2] *= -1 if flip else 1
    batch = replace(unseen, subjects=names, values=values)
    predictions = pd.DataFrame(
        {
            "subject": names, "trial": batch.trials, "group": np.where(batch.is_control, "control", "patient"),
            "probability": 0.4, "decision": 0, "threshold": 0.5, "unusual": 0, "in_training": 0, "answer": "don't know",
        }
    )  # fmt: skip
    with step_run("predict", {}) as run:
        record.log(run.info.run_id, tags={"model_uri": URI, "dataset_digest": str(number)})
        tables = {"inputs_by_subject.csv": inputs_by_subject(batch, trained), "predictions.csv": predictions}
        record.log_files(run.info.run_id, tables)
    return run


def monitored(store: Path, **given: object) -> tuple[Result, Run]:
    options = [f"--{name}={value}" for name, value in given.items()]
    done = CliRunner().invoke(main, ["--cwd", str(store), *options])
    runs = MlflowClient().search_runs(["1"], "tags.entry_point = 'monitor'", max_results=1)
    return done, runs[0]


def table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=name))


def test_a_flipped_sensor_is_an_alarm_once_and_then_part_of_the_trend(
    store: Path, registered: TrainingReference, unseen: Unseen
) -> None:
    done, _ = monitored(store, model_uri=URI)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "has scored no batch in this experiment; first run: " in done.stderr
    scored(unseen, registered, 1)
    # Four new people against eight: the smallest p value there is, is larger than that of the default level.
    done, run = monitored(store, model_uri=URI, alarm=0.15)
    assert done.exit_code == 0, done.output
    assert "No alarm in 1 batch that is new, of 1 in all" in done.stdout
    odd = scored(unseen, registered, 2, flip=True)
    done, run = monitored(store, model_uri=URI, alarm=0.15)
    assert done.exit_code == 1, done.output
    assert f"ALARM: 1 of 1 batch that are new: {odd.info.run_id[:8]}" in done.stdout
    assert registered.features[2] in done.stdout
    assert run.data.tags["alarm"] == "true"
    assert run.data.tags["model_uri"] == URI
    assert run.data.metrics["alarms"] == 1
    batches = table(run, "monitoring.csv")
    assert batches["alarm"].tolist()[1:] == [0, 1]
    assert batches["dont_know"].tolist()[1:] == [1, 1]
    assert batches["subjects"].tolist() == [8, 4, 4], "controls are left out"
    drift = table(run, "drift.csv")
    assert len(drift) == 3 * (4 * len(registered.features) + 1)
    page = Path(
        mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="monitoring.html")
    ).read_text()
    assert "default-src &#39;none&#39;" in page
    assert "ALARM" in page
    assert "<script" not in page
    scored(unseen, registered, 3)
    done, run = monitored(store, model_uri=URI, alarm=0.15)
    assert done.exit_code == 0, "the alarm was given"
    assert "No alarm in 1 batch that is new, of 3 in all, 1 of them an alarm" in done.stdout


def test_what_cannot_be_monitored_is_one_line(
    store: Path, registered: TrainingReference, unseen: Unseen, final_network: Any, training_json: dict[str, Any]
) -> None:
    run = scored(unseen, registered, 1)
    (store / "labels.csv").write_text("subject,label\n1-N01,perhaps\n")
    done, _ = monitored(store, model_uri=URI, labels="labels.csv")
    assert "labels.csv, row 2: label is 'perhaps', expected one of" in done.stderr
    (store / "labels.csv").write_text("subject,label\nnobody,1\n1-N01,1\n")
    done, _ = monitored(store, model_uri=URI, labels="labels.csv")
    assert "note: labels of people that no batch holds: nobody" in done.stderr
    path = Path(run.info.artifact_uri.removeprefix("file://")) / "inputs_by_subject.csv"
    path.write_text(path.read_text().replace("patient", "control", 6))
    done, _ = monitored(store, model_uri=URI)
    assert done.exit_code == 2
    assert "does not hold every feature of every subject once" in done.stderr
    before = {**training_json, "by_subject": None}
    with step_run("train", {}) as older:
        uri = log_final_model(older, as_bytes(final_network), json.loads(json.dumps(before)))
    registry.register(older.info.run_id, uri, {}, "evidence")
    done, _ = monitored(store, model_uri="models:/fear-classifier/2")
    assert "was made before models kept what their subjects' recordings are like" in done.stderr
