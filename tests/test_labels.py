"""Studies of several classes, ordered classes and a score, from a table to new people and the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.metrics import roc_auc_score

from steps.core.data.dataset import Dataset
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameters import STEPS
from tests.conftest import step_here
from tests.new_people import long_table

NAME = "Fear_Classification_Experiments"
SIZE = SimulationSize(subjects=9, controls=2, trials_min=2, trials_max=3, features=4, effect=2.0)
NEW = {"classes": "fear", "ordered": "strong", "score": "55"}


def labelled_table(dataset: Dataset) -> pd.DataFrame:
    """The study as people would write it, with whole labels."""
    table = long_table(dataset)
    assert dataset.labelling is not None
    assert dataset.label_values is not None
    names = ["" if np.isnan(value) else dataset.labelling.name(float(value)) for value in dataset.label_values.tolist()]
    of_trial = dict(zip(zip(dataset.subjects.tolist(), dataset.trials.tolist(), strict=True), names, strict=True))
    keys = zip(table["subject"].astype(str), table["trial"].astype(str), strict=True)
    return table.assign(label=[of_trial[key] or "none" for key in keys])


def study_in(folder: Path, kind: Any, **parameters: Any) -> None:
    """Run all steps in this process's folder."""
    dataset = simulate(SIZE, timesteps=21, seed=1, label_kind=kind)
    labelled_table(dataset).to_csv(folder / "study.csv", index=False)
    order = {"label_order": "none,some,strong"} if kind == "ordered" else {}
    given = {
        "source": "study.csv",
        "label_kind": kind,
        "cv": "group-kfold:3",
        "baselines": "majority",
        **order,
        **parameters,
    }
    for name in ("prepare", "train", "evaluate", "attribute", "main"):
        own = {key: value for key, value in given.items() if key in STEPS[name].parameters}
        done = step_here(name, folder, **own)
        assert done.exit_code == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count(": reused run ") == 4
    assert "Labels" in done.stdout


def run_of(entry_point: str) -> Run:
    experiment = MlflowClient().get_experiment_by_name(NAME)
    (run,) = MlflowClient().search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'")
    return run


def file_of(run: Run, name: str) -> Path:
    return Path(MlflowClient().download_artifacts(run.info.run_id, name))


@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    "kind",
    ["classes", pytest.param("ordered", marks=pytest.mark.slow), pytest.param("score", marks=pytest.mark.slow)],
)
def test_a_study_of_whole_labels(kind: str, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    study_in(tmp_path, kind, **({"explained_class": "pain"} if kind == "classes" else {}))
    evaluate, main = run_of("evaluate"), run_of("main")
    summary = json.loads(file_of(evaluate, "summary.json").read_text())
    results = pd.read_csv(file_of(evaluate, "label_results.csv"), dtype={"subject": str, "trial": str})
    question = pd.read_csv(file_of(evaluate, "results.csv"), dtype={"subject": str, "trial": str})
    assert summary["labels"]["kind"] == kind
    assert len(results) == len(question) == summary["counts"]["trials"]
    both = results.merge(question, on=["subject", "trial", "test_number"])
    metrics = evaluate.data.metrics
    if kind == "classes":
        of_classes = [f"probability_{name}" for name in summary["labels"]["names"]]
        expected = roc_auc_score(results["label_value"], results[of_classes], multi_class="ovr")
        assert metrics["labels/pooled/macro_auc"] == pytest.approx(expected)
        np.testing.assert_allclose(both["probability_fear"], both["probability"], atol=1e-6)
        assert both.loc[both["class_name"] == "fear", "label"].eq(1).all()
    elif kind == "score":
        errors = (results["predicted_score"] - results["label_value"]).abs()
        assert metrics["labels/pooled/mae"] == pytest.approx(errors.mean())
    assert metrics["labels/subject/mae_low" if kind == "score" else "labels/subject/accuracy_low"] >= 0
    report = file_of(main, "report.html").read_text()
    title = {"classes": "All classes", "ordered": "All levels", "score": "The score"}[kind]
    assert f"<h3>{title}</h3>" in report
    asked = {
        "classes": "Can 3 classes be told apart",
        "ordered": "Can 3 levels be told apart",
        "score": "Can the score",
    }
    assert asked[kind] in report
    assert ("AUC over every cut-off" in report) == (kind != "classes")
    if kind == "classes":
        assert "probability of pain" in report

    new = simulate(SIZE, timesteps=21, seed=1, people=3, label_kind=kind)  # type: ignore[arg-type]
    new = new.select(~new.is_control)
    labelled_table(new).to_csv(tmp_path / "new.csv", index=False)
    done = step_here("predict", tmp_path, source="new.csv")
    assert done.exit_code == 0, done.stderr[-3000:]
    predictions = pd.read_csv(file_of(run_of("predict"), "predictions.csv"), dtype={"subject": str, "trial": str})
    column = "predicted_score" if kind == "score" else "predicted_class"
    assert predictions["label_value"].notna().all()
    document = json.loads(file_of(run_of("predict"), "summary.json").read_text())
    assert document["trained_subjects"]["labels"]["kind"] == kind  # they have the names of those who trained
    served = mlflow.pyfunc.load_model("models:/fear-classifier@challenger").predict(new.values)
    order = {key: row for row, key in enumerate(zip(new.subjects.tolist(), new.trials.tolist(), strict=True))}
    rows = [order[key] for key in zip(predictions["subject"], predictions["trial"], strict=True)]
    for name in ("probability", column):
        expected, found = predictions[name], served[name].iloc[rows].reset_index(drop=True)
        if name == "predicted_class":
            assert expected.tolist() == found.tolist()
        else:
            np.testing.assert_allclose(expected, found, rtol=1e-5, atol=1e-6)
    bad = pd.read_csv(tmp_path / "new.csv").assign(label="joy")
    bad.to_csv(tmp_path / "bad.csv", index=False)
    refused = step_here("predict", tmp_path, source="bad.csv")
    assert refused.exit_code != 0
    assert "has the label 'joy', expected" in refused.stderr
