"""What a training leaves in its store and on the server: every fold exactly once, from its beginning on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.models.fold import left_out_table
from steps.core.models.keras_file import as_bytes
from steps.core.models.refit import refit_fold, training_summary
from steps.errors import UserError
from steps.tracking import lookup
from steps.tracking.addresses import dataset_address
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.fold_recorder import FoldRecorder
from steps.tracking.models import loading, reading, registry
from steps.tracking.spool import id_on_server
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool
from steps.tracking.store import digests
from tests.clusters import Cluster
from tests.conftest import ROOT, clean_environment
from tests.fold_records import record_of
from tests.inventory import differences, inventory
from tests.servers import mlflow_server, wait_until
from tests.tracking.spool.test_push import NETWORK, OWN_TAGS


@pytest.fixture
def spool(store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """A spool whose server is a second SQLite store."""
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    target, folder = store / "server", store / "spool"
    for place in (target, folder):
        place.mkdir()
        shutil.copy(empty_store, place / "mlflow.db")
    made = Spool(f"sqlite:///{target / 'mlflow.db'}", folder)
    made.target_client().create_experiment(EXPERIMENT, artifact_location=(target / "files").as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", made.target)
    return made


@pytest.fixture
def training(spool: Spool) -> Run:
    """A training under way."""
    return spool.client().create_run(spool.experiment(EXPERIMENT), tags={"entry_point": "train"}, run_name="train")


@pytest.fixture
def recorder(training: Run, small_study: Dataset, store: Path) -> FoldRecorder:
    """What records its folds."""
    manifest, uri = small_study.manifest(), str(store / "dataset")
    return FoldRecorder(training, manifest, uri, model="cnn", run_name="fear", log_level="epoch")


def folds_on_server(spool: Spool) -> list[tuple[str, str]]:
    """Name and status of every run of a fold."""
    client = spool.target_client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id], "tags.entry_point = 'fold'")
    return sorted((run.info.run_name, run.info.status) for run in runs)


def test_a_fold_is_on_the_server_while_it_is_trained_and_once_in_the_end(recorder: FoldRecorder, spool: Spool) -> None:
    first, second = record_of("S1"), replace(record_of("S2"), machine={"cpu": "a worker's"})
    with recorder:
        recorder.begin(first.fold)
        recorder.flush()
        Push(spool).once()
        assert folds_on_server(spool) == [("fear_S1_1", "RUNNING")]
        recorder.record(first)
        recorder.record(second)  # word of its beginning comes later, or never
        recorder.begin(second.fold)
    Push(spool).once(thorough=True)
    assert folds_on_server(spool) == [("fear_S1_1", "FINISHED"), ("fear_S2_1", "FINISHED")]
    assert Push(spool).once(thorough=True).runs == 0
    runs = spool.target_client().search_runs(["1"], "tags.subject = 'S2'")
    assert [run.data.tags["cpu"] for run in runs] == ["a worker's"]


def test_a_final_model_keeps_what_was_said_of_its_subjects_without_them(
    recorder: FoldRecorder, spool: Spool, small_study: Dataset, final_network: Any
) -> None:
    refit = refit_fold(small_study, "negatives", seed=0)
    said = np.linspace(0, 1, len(small_study.labels))
    fitted = replace(
        record_of("all"), fold=refit, network=as_bytes(final_network), left_out=left_out_table(small_study, said)
    )
    with recorder:
        recorder.begin_final_model(refit, lambda: training_summary(small_study, refit))
        tags = recorder.record_final_model(fitted)
    model = registry.ModelReference(tags["final_model_uri"], tracking_uri=spool.uri)
    trained = loading.fetch(model).training
    kept = trained.left_out_scores
    assert kept is not None
    patients = ~small_study.is_control
    assert [trained.subjects[place] for place in kept.subject] == small_study.subjects[patients].tolist()
    assert kept.label == small_study.labels[patients].tolist()
    assert kept.probability == said[patients].tolist()


def test_files_of_folds_can_be_checked_on_every_side(
    training: Run,
    recorder: FoldRecorder,
    spool: Spool,
    empty_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = [replace(record_of(name), network=NETWORK) for name in ("S1", "S2")]
    with recorder:
        for one in fitted:
            recorder.record(one)
    Push(spool).once()
    copy_id = id_on_server(spool, training.info.run_id)
    assert copy_id
    elsewhere = Spool(spool.target, tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    shutil.copy(empty_store, elsewhere.folder / "mlflow.db")
    for uri, run_id in (
        (spool.uri, training.info.run_id),
        (spool.target, copy_id),
        (elsewhere.uri, copy_id),  # fetched from the server
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        folds = lookup.fold_runs(run_id)
        assert len(folds) == 2
        assert digests.unchecked_note(fold.run for fold in folds) is None
        for fold in folds:
            assert reading.read_network(fold.run) == NETWORK
            assert lookup.load_history(fold)["loss"].tolist() == pytest.approx(fitted[0].history["loss"].tolist())
            with pytest.raises(UserError, match="is not the file that was recorded"):
                digests.check_file_of(fold.run, digests.HISTORY, b"epoch,loss\n1,0.1\n")


def test_a_dataset_has_an_address_that_other_machines_know(spool: Spool, small_study: Dataset, tmp_path: Path) -> None:
    client = spool.client()
    prepared = client.create_run(spool.experiment(EXPERIMENT), tags={"entry_point": "prepare"})
    write_artifact(small_study, tmp_path / "dataset")
    client.log_artifacts(prepared.info.run_id, str(tmp_path / "dataset"), "dataset")
    client.set_terminated(prepared.info.run_id)
    digest = small_study.digest()
    address = dataset_address(f"runs:/{prepared.info.run_id}/dataset", digest)
    copy_id = id_on_server(spool, prepared.info.run_id)
    assert (address.uri, address.tracking_uri) == (f"runs:/{copy_id}/dataset", spool.target)
    assert address.folder
    assert address.load().digest() == digest
    downloaded = replace(address, folder=None)
    assert downloaded.load().digest() == digest
    assert spool.target not in repr(downloaded), "it may hold a password"
    with pytest.raises(
        UserError, match=r"cannot reach the dataset \(the dataset at .* has digest .*…, expected 0123…\)"
    ):
        replace(downloaded, digest="0123").load()
    with pytest.raises(UserError, match=r"cannot reach the dataset \(.*/gone is not a dataset artifact.*; runs:/"):
        replace(address, folder=Path("/gone"), uri="runs:/0123/dataset").load()


@pytest.mark.slow
def test_a_training_on_a_cluster_fills_a_real_server(
    dask_cluster: Cluster, small_study_folder: Path, tmp_path: Path
) -> None:
    options = {
        "scheduler": dask_cluster.address, "dataset_uri": small_study_folder, "cv": "group-kfold:2", "model": "cnn",
        "epochs": 3000, "early_stopping_patience": 0,
    }  # fmt: skip
    named = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    (tmp_path / "user").mkdir()
    with mlflow_server(tmp_path / "server") as server:
        uri = server.uri.replace("http://", "http://fear:s3cret@")
        training = subprocess.Popen(
            [sys.executable, "-m", "steps.train", *named],
            cwd=tmp_path / "user",
            env=clean_environment() | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        client = MlflowClient(server.uri)

        def running() -> list[str]:
            wanted = "tags.entry_point = 'fold' and attributes.status = 'RUNNING'"
            return [run.info.run_name for run in client.search_runs(["1"], wanted)]

        try:
            wait_until(lambda: client.get_experiment_by_name(EXPERIMENT), "an experiment on the server", 120)
            wait_until(lambda: len(running()) == 2, "two folds on the server that are being trained", 120)
            output, errors = training.communicate(timeout=240)
        finally:
            training.kill()
        assert training.returncode == 0, output + errors
        assert f"2 folds of cnn (group-kfold:2) in 2 workers of {dask_cluster.address}" in output
        assert "degraded" not in errors
        spool = next((tmp_path / "user" / ".fear-spool").glob("*/mlflow.db"))
        recorded = inventory(MlflowClient(f"sqlite:///{spool}"), EXPERIMENT, OWN_TAGS)
        lines = differences(recorded, inventory(client, EXPERIMENT, OWN_TAGS))
        # A model's MLmodel tells under which address it was written.
        assert [line for line in lines if "> MLmodel >" not in line] == []
        folds = [name for name in recorded.runs if name.rpartition("/")[2].startswith("fear_fold-")]
        assert sorted(folds) == ["train/fear_fold-1_1", "train/fear_fold-2_1"]
    logs = "".join(path.read_text() for path in dask_cluster.folder.glob("*.log"))
    assert "s3cret" not in logs + output + errors
