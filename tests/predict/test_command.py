"""The whole step on a real store: what is recorded, and that nothing is when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.configuration import Predict
from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.models.keras_file import as_bytes
from steps.errors import UserError
from steps.parameters import PARAMETERS, STEPS
from steps.predict.run import choose_threshold, score_and_record
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from tests.conftest import configured, left_out_scores
from tests.new_people import long_table

TABLES = {
    "predictions.csv",
    "subjects.csv",
    "inputs_by_subject.csv",
    "feature_importance.csv",
    "attribution_by_feature.csv",
    "completeness.csv",
}
FIGURES = {f"{name}.{suffix}" for name in ("probabilities", "attribution_map") for suffix in ("png", "svg")}


@pytest.fixture
def registered(store: Path, final_network: Any, training_json: dict[str, Any]) -> Path:
    """A store with one registered version, whose evidence names a threshold."""
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(final_network), training_json)
    registry.register(run.info.run_id, uri, {"threshold": "0.43"}, "evidence")
    return store


def predicted(source: str, **parameters: Any) -> Run:
    """Run the step with defaults and return its newest run."""
    given = {name: PARAMETERS[name].default for name in STEPS["predict"].parameters} | {"source": source} | parameters
    try:
        score_and_record(Predict.of(given))
    finally:
        (run,) = MlflowClient().search_runs(
            ["1"], "tags.entry_point = 'predict'", order_by=["attributes.start_time DESC"], max_results=1
        )
    return MlflowClient().get_run(run.info.run_id)  # a search leaves the inputs out


def artifacts(run: Run) -> set[str]:
    return {item.path for item in MlflowClient().list_artifacts(run.info.run_id)}


def table(run: Run, name: str) -> pd.DataFrame:
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=name)
    return pd.read_csv(path, dtype={"subject": str, "trial": str})


def test_unlabelled_recordings_are_scored_and_explained(
    registered: Path, new_people: Dataset, final_network: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    long_table(new_people, labels=False).to_csv("new.csv", index=False)
    run = predicted("new.csv")
    assert artifacts(run) == {"packages.json", "parameters.json", "attribution.parquet", *TABLES, *FIGURES}
    predictions = table(run, "predictions.csv")
    assert predictions["subject"].tolist() == new_people.subjects.tolist()
    assert "label" not in predictions
    np.testing.assert_allclose(predictions["probability"], final_network(new_people.values).numpy()[:, 0], rtol=1e-5)
    assert set(predictions["threshold"]) == {0.43}, "the version's own evidence"
    tags, metrics = run.data.tags, run.data.metrics
    assert (tags["model_uri"], tags["threshold"]) == ("models:/fear-classifier/1", "0.43")
    assert metrics["trials"] == len(new_people.labels)
    assert metrics["unusual_trials"] == predictions["unusual"].sum()
    assert not any("auc" in name for name in metrics)
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.digest == tags["dataset_digest"][:32]
    assert json.loads(given.dataset.source)["uri"] == (registered / "new.csv").as_uri()
    (used,) = run.inputs.model_inputs
    assert used.model_id == registry.resolve("models:/fear-classifier/1").model_id
    assert f"{len(new_people.labels)} trials of 5 subjects scored by models:/fear-classifier/1" in tags[
        "mlflow.note.content"
    ].replace("\\", "")
    assert "models:/fear-classifier/1" in capsys.readouterr().out


def test_without_scores_of_left_out_subjects_there_are_no_answers_and_it_says_why(
    registered: Path, new_people: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    long_table(new_people, labels=False).to_csv("new.csv", index=False)
    run = predicted("new.csv")
    assert "answer" not in table(run, "predictions.csv")
    assert "error_rate" not in run.data.tags
    assert 'no answers with a "don\'t know"' in capsys.readouterr().out
    predicted("new.csv", error_rate=0.0)
    assert "answer" not in capsys.readouterr().out


def test_with_them_every_trial_and_subject_has_an_answer_or_none(
    store: Path, final_network: Any, training_json: dict[str, Any], new_people: Dataset,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    known = left_out_scores(training_json, np.asarray(final_network(new_people.values))[:, 0].tolist(), trials=4)
    with step_run("train", {}) as train:
        uri = log_final_model(train, as_bytes(final_network), {**training_json, "left_out_scores": known})
    long_table(new_people, labels=False).to_csv("new.csv", index=False)
    run = predicted("new.csv", model_uri=uri, error_rate=0.4)
    trials, subjects = table(run, "predictions.csv"), table(run, "subjects.csv")
    labels = set(training_json["labels"].values())
    assert set(trials["answer"]) | set(subjects["answer"]) <= {*labels, "don't know"}
    answered = {
        "trials": int(trials["answer"].isin(labels).sum()),
        "subjects": int(subjects["answer"].isin(labels).sum()),
    }
    assert answered["trials"] > 0
    for unit, count in answered.items():
        assert run.data.metrics[f"answered_{unit}"] == count
    said = capsys.readouterr().out
    assert f"at an error rate of 40% it answers for {answered['subjects']} of 5" in said
    assert "of these subjects have fewer trials than any in training (4)" in said
    assert "is never its answer" not in said
    assert run.data.tags["error_rate"] == "0.4"
    predicted("new.csv", model_uri=uri, error_rate=0.01)
    said = capsys.readouterr().out
    assert "at an error rate of 1% it answers for 0 of 5 subjects and 0 of" in said
    for label in labels:
        assert f"{label!r} is never its answer at 1%" in said


def test_every_table_of_the_attribution_adds_up(registered: Path, new_people: Dataset) -> None:
    long_table(new_people).to_parquet("new.parquet", index=False)
    run = predicted("new.parquet", attribution_baseline="zero", attribution_steps=16)
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="attribution.parquet")
    whole = pq.read_table(path).to_pandas()
    by_feature = table(run, "attribution_by_feature.csv").set_index(["subject", "trial"])
    sums = whole.drop(columns="time").groupby(["subject", "trial"], observed=True, sort=False).sum()
    np.testing.assert_allclose(sums.loc[by_feature.index], by_feature, atol=1e-5)
    added = table(run, "completeness.csv").set_index(["subject", "trial"])
    left = by_feature.sum(axis=1) - (added["output"] - added["baseline_output"])
    np.testing.assert_allclose(left.abs(), added["completeness_error"], atol=1e-6)
    assert run.data.metrics["completeness_error_max"] == pytest.approx(added["relative_error"].max())


def test_labels_give_metrics_with_intervals(registered: Path, new_people: Dataset) -> None:
    write_artifact(new_people, registered / "dataset")
    run = predicted("dataset", threshold="0.5")
    metrics = run.data.metrics
    assert metrics["pooled/auc_low"] <= metrics["pooled/auc"] <= metrics["pooled/auc_high"]
    assert "subject/threshold_0.5/accuracy" in metrics
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="summary.json")
    document = json.loads(Path(path).read_text())
    assert document["new_subjects"]["counts"]["subjects"] == 4, "without the control"


def test_subjects_of_the_training_are_flagged_loudly(
    registered: Path, small_study: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    long_table(small_study.of_subjects(["S01", "S02"])).to_csv("seen.csv", index=False)
    run = predicted("seen.csv")
    assert set(table(run, "predictions.csv")["in_training"]) == {1}
    assert run.data.tags["subjects_in_training"] == "2"
    assert "**Warning:** the model was FITTED ON 2 of these 2 subjects" in run.data.tags["mlflow.note.content"]
    assert "warning: the model was FITTED ON 2 of these 2 subjects (S01, S02)" in capsys.readouterr().err
    names = {name for name in run.data.metrics if "accuracy" in name}
    assert names
    assert all(name.startswith("trained_subjects/") for name in names)


def test_a_source_in_the_store_is_found_by_its_uri(registered: Path, new_people: Dataset) -> None:
    write_artifact(new_people, registered / "folder")
    with step_run("prepare", {}) as prepare:
        MlflowClient().log_artifacts(prepare.info.run_id, "folder", "dataset")
    run = predicted(f"runs:/{prepare.info.run_id}/dataset")
    assert run.data.metrics["trials"] == len(new_people.labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "simulated"}, "predict needs the recordings to score"),
        ({"model_uri": "models:/fear-classifier@champion"}, "no alias 'champion'; it has version 1"),
        ({"source": "wrong.csv"}, "not the model's: missing 'ankle_moment_x'"),
        ({"source": "short.csv"}, "has 11 time points, expected 21"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_half_written(
    registered: Path, new_people: Dataset, change: dict[str, Any], message: str
) -> None:
    good = long_table(new_people)
    good.to_csv("new.csv", index=False)
    good.rename(columns={"ankle_moment_x": "heart_rate"}).to_csv("wrong.csv", index=False)
    good[good["time"] <= 50].to_csv("short.csv", index=False)
    with pytest.raises(UserError, match=message) as error:
        predicted(**{"source": "new.csv"} | change)
    assert "\n" not in str(error.value)
    (run,) = MlflowClient().search_runs(["1"], "tags.entry_point = 'predict'")
    assert run.info.status == "FAILED"
    assert artifacts(run) == {"packages.json", "parameters.json"}
    assert not run.data.metrics
    assert not run.inputs.dataset_inputs


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("threshold", "2", "threshold is '2'"), ("features", "knee,,hip", "features is 'knee,,hip'")],
)
def test_a_parameter_that_means_nothing_begins_no_run(name: str, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        configured("predict", **{name: text})


@pytest.mark.parametrize(
    ("given", "evidence", "expected"),
    [(None, None, 0.5), (None, "0.43", 0.43), (0.35, "0.43", 0.35), (0.35, None, 0.35)],
)
def test_the_threshold_is_the_users_else_the_models_else_a_half(
    given: float | None, evidence: str | None, expected: float
) -> None:
    assert choose_threshold(given, evidence) == expected


def test_evidence_that_is_no_threshold_is_refused() -> None:
    with pytest.raises(UserError, match="the model version's tag threshold is 'nan', expected 'auto' or a number"):
        choose_threshold(None, "nan")
