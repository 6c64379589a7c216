"""A study whose subjects are standardised by themselves, from its table to the scoring of new people."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.baselines.predict import Fit, fit_predict
from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.normalise import normalised, within_subjects
from steps.parameters import STEPS
from steps.tracking import lookup
from steps.tracking.models import loading, reading, registry
from tests.conftest import step_here
from tests.new_people import long_table

NAME = "Fear_Classification_Experiments"


@pytest.fixture(scope="module")
def folder(within_study: Dataset, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study was run."""
    folder = tmp_path_factory.mktemp("within")
    shutil.copy(empty_store, folder / "mlflow.db")
    long_table(within_study).to_csv(folder / "within.csv", index=False)
    given = {"source": "within.csv", "normalise": "subject", "cv": "group-kfold:3", "epochs": 4, "batch_size": 8}
    for name in ("prepare", "train", "evaluate", "attribute", "main"):  # the driver reuses what the steps have made
        parameters = {key: value for key, value in given.items() if key in STEPS[name].parameters}
        done = step_here(name, folder, **parameters)
        assert done.exit_code == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count(": reused run ") == 4
    return folder


@pytest.fixture(autouse=True)
def its_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its store, for what is read in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")


def run_of(entry_point: str) -> Run:
    experiment = MlflowClient().get_experiment_by_name(NAME)
    (run,) = MlflowClient().search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'")
    return run


def table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text(run, name)), dtype={"subject": str, "trial": str})


def text(run: Run, name: str) -> str:
    return Path(MlflowClient().download_artifacts(run.info.run_id, name)).read_text()


def probabilities(predicted: pd.DataFrame, trials: Dataset, column: str = "probability") -> np.ndarray:
    """A column of a table, for these trials in their order."""
    by_trial = {(row["subject"], row["trial"]): row[column] for row in predicted.to_dict("records")}
    return np.array([by_trial[key] for key in zip(trials.subjects.tolist(), trials.trials.tolist(), strict=True)])


def prepared() -> Dataset:
    return read_artifact(Path(MlflowClient().download_artifacts(run_of("prepare").info.run_id, "dataset")))


def test_networks_baselines_and_attributions_take_the_same_normalised_values(within_study: Dataset) -> None:
    raw = prepared()
    np.testing.assert_array_equal(raw.values, within_study.values)
    train, evaluate, attribute = map(run_of, ("train", "evaluate", "attribute"))
    assert {run.data.tags["dataset_digest"] for run in (train, evaluate, attribute)} == {raw.digest()}
    (given,) = (one for one in MlflowClient().get_run(evaluate.info.run_id).inputs.dataset_inputs)
    assert given.dataset.digest == raw.digest()[:32]

    values = normalised(raw, "subject")
    results, baselines = table(evaluate, "results.csv"), table(evaluate, "baselines.csv")
    logistic, explained = baselines[baselines["method"] == "logistic"], table(attribute, "completeness.csv")
    folds = lookup.fold_runs(train.info.run_id)
    assert len(folds) == 3
    for one in folds:
        test = values.of_subjects(one.fold.test_subjects)
        expected = np.asarray(reading.load_network(one.run)(test.values))[:, 0]
        np.testing.assert_allclose(probabilities(results, test), expected, atol=1e-5)
        np.testing.assert_allclose(probabilities(explained, test, "output"), expected, atol=1e-5)
        simpler = fit_predict(values, Fit.of("logistic", one.fold), seed=0)
        np.testing.assert_allclose(probabilities(logistic, test), simpler, atol=1e-6)
    assert attribute.data.metrics["trials_above_tolerance"] == 0
    assert set(table(attribute, "class_trajectories.csv")["unit"]) == {"subject SD"}


def test_the_report_and_the_registered_version_say_what_was_assumed() -> None:
    main = run_of("main")
    for page in (text(main, "report.html"), text(main, "report.md")):
        assert "normalise=subject" in page
        assert "assumes that of every person several recordings are at hand" in page
        assert "could compare each subject" not in page
    (version,) = MlflowClient().search_model_versions(f"name = '{registry.MODEL_NAME}'")
    assert version.description.startswith("A request is taken as the recordings of ONE person")
    assert len(version.description) <= registry.DESCRIPTION_LENGTH


def test_new_people_are_standardised_by_themselves_and_one_recording_is_too_few(
    within_study: Dataset, folder: Path
) -> None:
    model = loading.fetch(registry.resolve("models:/fear-classifier@challenger"))
    assert json.loads(model.training.model_dump_json())["normalise"] == "subject"
    people = within_study.of_subjects(["S02", "C01"])
    recordings = long_table(people, labels=False).replace({"subject": {"S02": "N02"}})
    recordings.to_csv("new.csv", index=False)
    done = step_here("predict", folder, source="new.csv")
    assert done.exit_code == 0, done.stderr
    assert "Each subject's recordings were standardised by their own mean" in done.stdout
    assert "warning: 2 of 2 subjects have fewer than 6 recordings (C01, N02)" in done.stderr
    predictions = table(run_of("predict"), "predictions.csv")
    expected = loading.load_network(model)(within_subjects(people.values, people.subjects))
    np.testing.assert_allclose(predictions["probability"], np.asarray(expected)[:, 0], atol=1e-5)

    is_kept = (recordings["subject"] == "C01") | (recordings["trial"] == "02")
    recordings[is_kept].to_csv("one.csv", index=False)
    done = step_here("predict", folder, source="one.csv")
    assert done.exit_code == 2
    assert "error: subject 'N02' has one recording, expected at least 2" in done.stderr.splitlines()[-1]


def test_subjects_of_one_class_are_refused_in_one_line(small_study: Dataset, empty_store: Path, tmp_path: Path) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    long_table(small_study).to_csv(tmp_path / "between.csv", index=False)
    assert step_here("prepare", tmp_path, source="between.csv").exit_code == 0
    done = step_here("train", tmp_path, normalise="subject")
    assert done.exit_code == 2
    said = [line for line in done.stderr.splitlines() if "normalise=subject" in line]
    assert len(said) == 1
    assert "trials of subject 'S01' are" in said[0]
    assert "(8 of 8 subjects are of one class)" in said[0]
