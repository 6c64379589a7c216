"""From a spool to its server, exactly once, whatever happens in between. The server here is a second SQLite store."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from steps.core.data.dataset import Dataset
from steps.tracking import record
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.spool import marks, pull
from steps.tracking.spool.marks import COPY_OF, SYNC
from steps.tracking.spool.push import Push
from steps.tracking.spool.result import SyncResult
from steps.tracking.spool.spool import Spool
from steps.tracking.tracker import MLflowTracker
from tests.inventory import Inventory, differences, inventory

# What copying adds on either side; and a pointer to the version that MLflow's own stores write.
OWN_TAGS = rf"{SYNC}|{COPY_OF}$|mlflow\.user$"
HISTORY = {"loss": [0.7, 0.6, 0.5], "val_loss": [0.8, 0.7, 0.9]}


def network() -> bytes:
    """As much of a ``.keras`` file as matters to whoever copies it: a zip with weights in it."""
    weights, archive = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["kernel"] = np.arange(6.0)
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("model.weights.h5", weights.getvalue())
    return archive.getvalue()


NETWORK = network()


@dataclass
class Stores:
    """A spool with a small study, and the store it is for."""

    spool: Spool
    folds: list[str]

    @property
    def local(self) -> Inventory:
        return inventory(self.spool.client(), EXPERIMENT, OWN_TAGS)

    @property
    def copied(self) -> Inventory:
        return inventory(self.spool.target_client(), EXPERIMENT, OWN_TAGS)


@pytest.fixture
def stores(store: Path, empty_store: Path, small_study: Dataset, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """A study of a training and two folds, with everything a run can hold, in the spool."""
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    target = store / "server"
    target.mkdir()
    shutil.copy(empty_store, target / "mlflow.db")
    spool = Spool(f"sqlite:///{target / 'mlflow.db'}", store / "spool")
    spool.folder.mkdir()
    shutil.copy(empty_store, spool.folder / "mlflow.db")
    server_client = spool.target_client()
    server_client.create_experiment(EXPERIMENT, artifact_location=(target / "files").as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", spool.uri)
    experiment_id = spool.experiment(EXPERIMENT)
    manifest = small_study.manifest()
    with MLflowTracker(experiment_id=experiment_id) as tracker:
        train = tracker.start_run("train", tags={"entry_point": "train"})
        with MLflowTracker(experiment_id=experiment_id, parent_run_id=train.run_id) as folds:
            runs = [a_fold(folds, subject, train.run_id, manifest) for subject in ("S1", "S2")]
        train.log_tags({"best_fold": runs[0]})
        train.log_artifacts({"report.md": f"the best fold is {runs[0]}\n", "numbers.bin": "0123"})
    client = spool.client()
    (model,) = client.search_logged_models([experiment_id], f"source_run_id = '{runs[0]}'")
    client.create_registered_model("fear-classifier", description="for new people")
    client.create_model_version("fear-classifier", model.artifact_location, runs[0], {"train_run_id": train.run_id})
    client.set_registered_model_alias("fear-classifier", "challenger", "1")
    return Stores(spool, runs)


def missed(expected: Inventory, actual: Inventory) -> list[str]:
    """What differs, but for the lengths of addresses in the descriptions of models."""
    return [line for line in differences(expected, actual) if "MLmodel > size" not in line]


def a_fold(tracker: MLflowTracker, subject: str, train_run_id: str, manifest: Any) -> str:
    run = tracker.start_run("fear", subject, 1, {"entry_point": "fold"})
    run.log_model(NETWORK, (21, 6))
    run.log_parameters({"seed": 1, "train_run_id": train_run_id})
    run.log_training_metrics(HISTORY, [1_000, 2_000, 3_000])
    run.log_evaluation_metrics({"test_loss": float("nan")}, inference_time=0.25)
    run.log_datasets([record.DatasetPart(manifest.source, manifest.digest, "/data/dataset", (subject,), "test")])
    run.end_run(end_time_ms=4_000_000_000_000)
    return run.run_id


def assert_same(stores: Stores) -> None:
    assert stores.local.summary() == {
        "runs": 3,
        "params": 4,
        "tags": stores.copied.summary()["tags"],
        "metric points": 16,
        "artifacts": 2,
        "models": 2,
        "model files": 14,
        "registered versions": 1,
    }
    assert not missed(stores.local, stores.copied)


def test_everything_gets_there_and_a_second_time_changes_nothing(stores: Stores) -> None:
    passed = Push(stores.spool).once(thorough=True)
    assert (passed.runs, passed.models, passed.versions, passed.refused) == (3, 2, 1, [])
    assert_same(stores)
    before = stores.copied
    again = Push(stores.spool).once(thorough=True)
    assert again == SyncResult()
    assert Push(stores.spool).unverified() == []
    assert not differences(before, stores.copied, verbatim=".")
    assert Push(stores.spool).pending() == 0


def test_identifiers_mean_the_copies(stores: Stores) -> None:
    push_ = Push(stores.spool)
    push_.once()
    names, server_client = push_.names().identifiers, stores.spool.target_client()
    (train,) = server_client.search_runs(
        [server_client.get_experiment_by_name(EXPERIMENT).experiment_id], "tags.entry_point = 'train'"
    )
    assert train.data.tags["best_fold"] == names[stores.folds[0]]
    report = Path(server_client.download_artifacts(train.info.run_id, "report.md")).read_text()
    assert report == f"the best fold is {names[stores.folds[0]]}\n"
    (version,) = server_client.search_model_versions("name = 'fear-classifier'")
    assert version.tags["train_run_id"] == train.info.run_id
    assert server_client.get_model_version_by_alias("fear-classifier", "challenger").version == version.version
    fold = server_client.get_run(names[stores.folds[0]])
    (output,) = fold.outputs.model_outputs
    linked = {metric.key for metric in server_client.get_logged_model(output.model_id).metrics}
    assert linked == {"test_loss", "inference_ms_per_trial"}
    path = mlflow.artifacts.download_artifacts(
        artifact_uri=server_client.get_logged_model(output.model_id).artifact_location, tracking_uri=stores.spool.target
    )
    described = (Path(path) / "MLmodel").read_text()
    assert output.model_id in described
    assert stores.folds[0] not in described


def test_what_changes_later_follows(stores: Stores) -> None:
    push_ = Push(stores.spool)
    push_.once()
    record.update_metrics(stores.spool.client().get_run(stores.folds[0]), {"test_auc": 0.75})
    stores.spool.client().log_text(stores.folds[1], "more", "later.txt")
    assert push_.pending() == 2
    assert push_.once(thorough=True).runs == 2
    assert not missed(stores.local, stores.copied)


class Unlucky:
    """A client whose ``number``-th writing call fails: before it is carried out, or after (its answer is lost)."""

    def __init__(self, client: MlflowClient, number: int, *, carried_out: bool) -> None:
        self._client, self._left, self._carried_out = client, number, carried_out
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not name.startswith(("create", "log", "set", "update", "finalize")):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            self.writes += 1
            if self.writes != self._left:
                return attribute(*args, **kwargs)
            if self._carried_out:
                attribute(*args, **kwargs)
            raise ConnectionError("gone")

        return call


@pytest.mark.parametrize("carried_out", [False, True], ids=["request lost", "answer lost"])
def test_a_pass_cut_off_anywhere_is_made_good_by_the_next(stores: Stores, carried_out: bool) -> None:
    number = 0
    while True:
        number += 1
        push_ = Push(stores.spool)
        unlucky: Any = Unlucky(stores.spool.target_client(), 1 + number // 2, carried_out=carried_out)
        push_._server = unlucky
        try:
            push_.once()
        except ConnectionError:
            continue
        break
    assert number > 5, "many a write was cut off"
    last = Push(stores.spool).once(thorough=True)
    assert last.refused == []
    assert_same(stores)


def test_copies_made_twice_are_removed(stores: Stores) -> None:
    push_ = Push(stores.spool)
    push_.once()
    # A server that was stopped carries out, when it goes on, what we had given up.
    server_client, names = stores.spool.target_client(), push_.names().identifiers
    experiment_id = server_client.get_run(names[stores.folds[0]]).info.experiment_id
    server_client.create_run(experiment_id, tags={COPY_OF: stores.folds[0]}, run_name="fear_S1_1")
    (model,) = stores.spool.client().search_logged_models(["1"], f"source_run_id = '{stores.folds[0]}'")
    copy_id = names[stores.folds[0]]
    server_client.create_logged_model(experiment_id, "model", copy_id, tags={COPY_OF: model.model_id})
    version = server_client.create_model_version(
        "fear-classifier", "file:///nowhere", copy_id, {COPY_OF: model.model_id}
    )
    assert version.version == 2
    passed = push_.once(thorough=True)
    assert passed.duplicates == 3
    assert len(server_client.search_model_versions("name = 'fear-classifier'")) == 1
    assert not [line for line in missed(stores.local, stores.copied) if "(deleted)" not in line]


def test_a_run_of_mlflow_run_keeps_its_name_and_parameters(stores: Stores) -> None:
    server_client, client = stores.spool.target_client(), stores.spool.client()
    given = server_client.create_run("0", run_name="chosen", tags={"mlflow.user": "somebody"})
    server_client.log_param(given.info.run_id, "thresholds", "'0.5'")
    run = client.create_run("0", tags={marks.RUN_ID: given.info.run_id, marks.ADOPTED: "true"})
    client.log_param(run.info.run_id, "thresholds", "0.5")
    client.log_param(run.info.run_id, "seed", "0")
    client.set_tag(run.info.run_id, "study_run_id", stores.folds[0])
    push_ = Push(stores.spool)
    push_.once(thorough=True)
    adopted = server_client.get_run(given.info.run_id)
    assert adopted.info.run_name == "chosen"
    assert adopted.data.tags["mlflow.user"] == "somebody"
    assert adopted.data.params == {"thresholds": "'0.5'", "seed": "0"}
    assert adopted.data.tags["study_run_id"] == push_.names().identifiers[stores.folds[0]]


def test_what_one_run_is_refused_does_not_hold_up_the_others(stores: Stores) -> None:
    server_client, push_ = stores.spool.target_client(), Push(stores.spool)
    push_.once()
    names = push_.names().identifiers
    server_client.delete_run(names[stores.folds[0]])
    for run_id in stores.folds:
        stores.spool.client().set_tag(run_id, "later", "yes")
    passed = push_.once()
    assert passed.runs == 1
    assert len(passed.refused) == 1
    assert "fear_S1_1" in passed.refused[0]
    assert server_client.get_run(names[stores.folds[1]]).data.tags["later"] == "yes"
    after = push_.once()
    assert (after.refused, after.waiting, len(after.notes)) == ([], 0, 1), "then it is known why"


def test_a_tampered_copy_is_noticed(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., str] = LocalArtifactRepository.download_artifacts

    def tampered(self: LocalArtifactRepository, path: str, dst_path: str | None = None) -> str:
        path_of_copy = real(self, path, dst_path)
        if Path(path_of_copy).is_file():
            Path(path_of_copy).write_bytes(Path(path_of_copy).read_bytes()[:-1] + b"?")
        return path_of_copy

    monkeypatch.setattr(LocalArtifactRepository, "download_artifacts", tampered)
    passed = Push(stores.spool).once()
    assert len(passed.refused) == 1
    assert "came back as" in passed.refused[0]
    monkeypatch.undo()
    assert Push(stores.spool).once().refused == []


def test_a_colleagues_training_is_fetched_with_its_folds(
    stores: Stores, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Push(stores.spool).once()
    elsewhere = Spool(stores.spool.target, tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    shutil.copy(empty_store, elsewhere.folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", elsewhere.target)
    server_client = stores.spool.target_client()
    experiment_id = server_client.get_experiment_by_name(EXPERIMENT).experiment_id
    (train,) = server_client.search_runs([experiment_id], "tags.entry_point = 'train'")
    local_id = pull.local_run_id(train.info.run_id)
    assert local_id != train.info.run_id
    assert pull.local_run_id(train.info.run_id) == local_id, "once is enough"
    assert pull.local_run_id(local_id) == local_id
    fetched = inventory(elsewhere.client(), EXPERIMENT, OWN_TAGS)
    expected = stores.copied
    lacking = [line for line in missed(expected, fetched) if not line.startswith("registered")]
    assert not lacking
    before = stores.copied
    assert Push(elsewhere).once(thorough=True) == SyncResult(), "nothing of it is sent back"
    assert Push(elsewhere).unverified() == []
    assert not differences(before, stores.copied, verbatim=".")
