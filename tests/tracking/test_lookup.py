"""Finding what earlier steps left."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.errors import UserError
from steps.tracking import datasets, lookup, record
from steps.tracking.session import step_run
from tests.tracking.helpers import fold_run


def finished(entry_point: str) -> tuple[str, str]:
    with step_run(entry_point, {}) as run:
        return run.info.run_id, run.info.experiment_id


def test_latest_is_the_newest_finished_run_of_that_step(store: Path) -> None:
    finished("train")
    newest, experiment_id = finished("train")
    finished("evaluate")
    with pytest.raises(UserError), step_run("train", {}):
        raise UserError("a failed one does not count")
    assert lookup.find_run("train", "latest", experiment_id).info.run_id == newest


def test_nothing_to_find_says_what_to_run_first(store: Path) -> None:
    _, experiment_id = finished("evaluate")
    with pytest.raises(UserError, match=r"no finished train run .* first run: .* -m steps\.train --cwd "):
        lookup.find_run("train", "latest", experiment_id)
    with pytest.raises(UserError, match="no finished prepare run"):
        datasets.resolve_dataset_uri("latest", experiment_id)


def test_wrong_runs_are_named(store: Path) -> None:
    run_id, experiment_id = finished("evaluate")
    with pytest.raises(UserError, match=f"run {run_id} is a run of evaluate, expected a train run"):
        lookup.find_run("train", run_id, experiment_id)
    with pytest.raises(UserError, match="no run 'nonsense'"):
        lookup.find_run("train", "nonsense", experiment_id)
    with step_run("train", {}) as run, pytest.raises(UserError, match="is RUNNING, expected FINISHED"):
        lookup.find_run("train", run.info.run_id, experiment_id)


def test_dataset_uris(store: Path, small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path / "ds")
    with step_run("prepare", {}) as run:
        MlflowClient().log_artifacts(run.info.run_id, str(tmp_path / "ds"), "dataset")
    uri = datasets.resolve_dataset_uri("latest", run.info.experiment_id)
    assert uri == f"runs:/{run.info.run_id}/dataset"
    assert datasets.load_dataset(uri).digest() == small_study.digest()
    assert datasets.load_dataset(str(tmp_path / "ds")).digest() == small_study.digest()
    with pytest.raises(UserError, match="no dataset artifact at runs:/0123/dataset"):
        datasets.load_dataset("runs:/0123/dataset")
    with pytest.raises(UserError, match="no dataset artifact at nowhere"):
        datasets.load_dataset("nowhere")


def test_folds_are_the_finished_children_in_order(store: Path) -> None:
    with step_run("train", {}) as train:
        for subject in ("S2", "S1", "S0"):
            fold_run(train, subject)
        fold_run(train, "S9", status="FAILED")  # it has no model to evaluate
    folds = lookup.fold_runs(train.info.run_id)
    assert [(*run.fold.key, run.fold.split) for run in folds] == [
        (name, 1, {"training": [], "validation": [], "test": [name], "set_aside": []}) for name in ("S0", "S1", "S2")
    ]


def test_a_training_without_folds_is_an_error(store: Path) -> None:
    run_id, _ = finished("train")
    with pytest.raises(UserError, match="has no finished folds"):
        lookup.fold_runs(run_id)


def test_a_training_that_lost_a_fold_is_an_error(store: Path) -> None:
    with step_run("train", {}) as train:
        record.log(train.info.run_id, metrics={"folds": 2})
        fold_run(train, "S0")
    with pytest.raises(UserError, match="has 1 of its 2 folds"):
        lookup.fold_runs(train.info.run_id)


def test_a_dataset_that_is_gone_is_replaced_by_one_with_the_same_digest(
    store: Path, small_study: Dataset, tmp_path: Path
) -> None:
    digest = write_artifact(small_study, tmp_path / "ds").digest
    for _ in range(2):
        with step_run("prepare", {}) as run:
            MlflowClient().log_artifacts(run.info.run_id, str(tmp_path / "ds"), "dataset")
            record.log(run.info.run_id, tags={"dataset_digest": digest})
    with step_run("train", {}) as train:
        record.log(train.info.run_id, tags={"dataset_uri": "runs:/gone/dataset", "dataset_digest": digest})
    dataset = datasets.dataset_and_uri_of(MlflowClient().get_run(train.info.run_id))[0]
    assert dataset.digest() == digest
    record.log(train.info.run_id, tags={"dataset_digest": "another"})
    with pytest.raises(UserError, match="no dataset artifact at runs:/gone/dataset"):
        datasets.dataset_and_uri_of(MlflowClient().get_run(train.info.run_id))[0]


def test_a_typed_path_is_recorded_as_an_absolute_one(store: Path) -> None:
    assert datasets.resolve_dataset_uri("ds", "1") == str(store / "ds")
    assert datasets.resolve_dataset_uri("runs:/a/dataset", "1") == "runs:/a/dataset"
    assert datasets.resolve_dataset_uri("s3://bucket/ds", "1") == "s3://bucket/ds"


@pytest.mark.parametrize(
    ("kind", "run_tag", "uri_tag"),
    [
        ("final_model", "final_model_run_id", "final_model_uri"),
        ("deployable", "deployable_run_id", "deployable_model_uri"),  # as older trainings recorded it
    ],
)
def test_the_final_model_of_a_training_is_where_its_tags_say(
    store: Path, kind: str, run_tag: str, uri_tag: str
) -> None:
    client = MlflowClient()
    refit_id, _ = finished(kind)
    train_id, _ = finished("train")
    assert lookup.final_model(client.get_run(train_id)) is None
    for name, value in ((run_tag, refit_id), (uri_tag, "models:/m-1")):
        client.set_tag(train_id, name, value)
    model = lookup.final_model(client.get_run(train_id))
    assert model == lookup.FinalModelAddress(refit_id, "models:/m-1")
    assert model.model_id == "m-1"
    assert lookup.is_final_model(client.get_run(refit_id))
    assert not lookup.is_final_model(client.get_run(train_id))
    assert lookup.FinalModelAddress(refit_id, f"runs:/{refit_id}/model").model_id is None


def test_what_is_recorded_leads_to_the_final_model(store: Path) -> None:
    train_id, _ = finished("train")
    address = lookup.FinalModelAddress("r", "models:/m-2")
    record.log(train_id, tags=address.tags())
    assert lookup.final_model(MlflowClient().get_run(train_id)) == address
