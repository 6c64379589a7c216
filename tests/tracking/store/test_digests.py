"""Files that took the place of what was recorded are noticed, wherever they are used."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.file_utils import local_file_uri_to_path

from steps.core.data.dataset import Dataset
from steps.core.data.fold_record import FoldRecord
from steps.core.models.refit import refit_fold, training_summary
from steps.errors import UserError
from steps.tracking import documents, lookup
from steps.tracking.fold_recorder import FoldRecorder
from steps.tracking.models import loading, reading, registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from steps.tracking.store import digests
from tests.fold_networks import fold_network
from tests.fold_records import record_of
from tests.tracking.helpers import fold_run


def numbered_record(number: int) -> FoldRecord:
    record = record_of(f"S{number}")
    history = record.history + number
    return dataclasses.replace(record, history=history, network=bytes([number]) * 100)


@pytest.fixture
def train(store: Path, small_study: Dataset) -> Run:
    """A training with two folds."""
    with step_run("train", {}) as run:
        manifest, names = small_study.manifest(), {"model": "cnn", "run_name": "fear"}
        with FoldRecorder(run, manifest, str(store), **names, log_level="experiment") as recorder:
            for number in (1, 2):
                recorder.record(numbered_record(number))
    return MlflowClient().get_run(run.info.run_id)


def place_of(run: Run, name: str) -> Path:
    """Where a file of a fold is."""
    if name == "model.keras":
        model_id = run.outputs.model_outputs[0].model_id
        return Path(local_file_uri_to_path(mlflow.get_logged_model(model_id).artifact_location)) / "data" / name
    return Path(local_file_uri_to_path(run.info.artifact_uri)) / name


USES: list[tuple[str, Callable[[Run, lookup.FoldRun], Any]]] = [
    ("model.keras", lambda _train, fold: reading.read_network(fold.run)),
    ("model.keras", lambda _train, fold: reading.load_network(fold.run)),
    ("history.csv", lambda _train, fold: lookup.load_history(fold)),
    ("split.json", lambda train, _fold: lookup.fold_runs(train.info.run_id)),
    ("split.json", lambda _train, fold: documents.json_of(fold.run, digests.SPLIT, documents.Split)),
]


@pytest.mark.parametrize(("name", "use"), USES)
def test_a_file_of_another_fold_is_refused(train: Run, name: str, use: Callable[[Run, lookup.FoldRun], Any]) -> None:
    first, second = lookup.fold_runs(train.info.run_id)
    if name != "model.keras":
        use(train, first)
    shutil.copy(place_of(second.run, name), place_of(first.run, name))
    with pytest.raises(UserError) as refused:
        use(train, first)
    message = str(refused.value)
    assert message.startswith(f"{name} of run fear_S1_1 ({first.run_id}) is not the file that was recorded (SHA-256 ")
    assert "-m steps.train" in message.partition("train again: ")[2]
    assert message.endswith("(main: reuse=false)")
    assert "\n" not in message


def test_what_was_recorded_is_taken(train: Run) -> None:
    folds = lookup.fold_runs(train.info.run_id)
    assert [reading.read_network(fold.run) for fold in folds] == [bytes([number]) * 100 for number in (1, 2)]
    assert lookup.load_history(folds[1])["loss"].tolist() == pytest.approx(numbered_record(2).history["loss"].tolist())
    assert digests.unchecked_note(fold.run for fold in folds) is None


def test_what_was_recorded_before_there_were_digests_is_taken_and_said(store: Path) -> None:
    with step_run("train", {}) as train:
        fold_run(train, "S1", model=b"a network")
    (fold,) = lookup.fold_runs(train.info.run_id)
    assert reading.read_network(fold.run) == b"a network"
    note = digests.unchecked_note([fold.run])
    assert note is not None
    assert note.startswith("1 of 1 folds were recorded without digests")


@pytest.fixture
def models(store: Path, small_study: Dataset) -> list[tuple[str, str]]:
    """Run and address of two models for new people; the first is registered."""
    summary = training_summary(small_study, refit_fold(small_study, "exclude", seed=0))
    logged_by_run = []
    for seed in (1, 2):
        with step_run("train", {}) as run:
            logged = log_final_model(run, fold_network(seed), summary | {"usual_distance": float(seed)})
        logged_by_run.append((run.info.run_id, logged))
    registry.register(*logged_by_run[0], {"threshold": "0.4"}, "evidence")
    return logged_by_run


@pytest.mark.parametrize("uri", ["models:/fear-classifier@challenger", "models:/fear-classifier/1", "{model}", "{run}"])
@pytest.mark.parametrize("name", ["artifacts/network.keras", "artifacts/training.json"])
def test_a_model_for_new_people_with_a_file_of_another_is_refused(
    models: list[tuple[str, str]], uri: str, name: str
) -> None:
    (run_id, model_uri), (_, other_uri) = models
    address = uri.format(model=model_uri, run=f"runs:/{run_id}/model")
    loading.fetch(registry.resolve(address))
    place, other = (
        Path(local_file_uri_to_path(mlflow.get_logged_model(one.removeprefix("models:/")).artifact_location)) / name
        for one in (model_uri, other_uri)
    )
    shutil.copy(other, place)
    with pytest.raises(UserError, match=rf"^{name} of \S+ is not the file that was recorded \(.*train and register it"):
        loading.fetch(registry.resolve(address))


def test_a_version_that_was_registered_by_hand_or_not_at_all_is_checked_by_its_model(
    models: list[tuple[str, str]],
) -> None:
    run_id, uri = models[1]
    model = mlflow.get_logged_model(uri.removeprefix("models:/"))
    expected = digests.digests_among(model.tags)
    assert set(expected) == {"sha256/artifacts/network.keras", "sha256/artifacts/training.json"}
    assert registry.resolve(f"runs:/{run_id}/model").digests == expected
    client = MlflowClient()
    client.create_registered_model("theirs")
    client.create_model_version("theirs", model.artifact_location, run_id=run_id, model_id=model.model_id)
    assert registry.resolve("models:/theirs/1").digests == expected
