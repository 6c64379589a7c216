"""Workers that record on the tracking server themselves: every fold is there exactly once, whatever fails."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.folds import Fold, plan_folds
from steps.core.models.settings import FitSettings
from steps.errors import UserError
from steps.tracking import lookup, record
from steps.tracking.addresses import dataset_address
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.models import reading
from steps.tracking.places import DatasetArtifact
from steps.tracking.spool import SyncResult, id_on_server, marks
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool
from steps.tracking.store import digests
from steps.tracking.tracker import MLflowTracker
from steps.train import on_server
from steps.train.on_server import OnServer, run_and_record_fold
from steps.train.recording import FoldRecorder, Training
from steps.train.worker import FoldRecord, TrainingJob
from tests.clusters import Cluster
from tests.conftest import ROOT, run_command
from tests.inventory import differences, inventory
from tests.servers import mlflow_server
from tests.tracking.spool.test_push import NETWORK, OWN_TAGS

OWN = rf"{OWN_TAGS}|{marks.WORKED_FOR}$"


@dataclass
class Study:
    """A training under way, recorded in a spool; the server is a second SQLite store."""

    spool: Spool
    training: Training
    tracker: MLflowTracker
    job: TrainingJob
    dataset: DatasetArtifact
    folds: list[Fold]

    def on_server(self) -> OnServer:
        """What workers are given."""
        found = OnServer.of(self.training, self.dataset)
        assert found
        return found

    def claim(self, found: list[FoldRecord]) -> None:
        """What the driver does with what comes back."""
        with FoldRecorder(self.training) as recorder:
            for one in found:
                recorder.record(one)

    def end(self) -> SyncResult:
        """The training ends, and all is copied."""
        self.tracker.end_run()
        self.tracker.close()
        return Push(self.spool).once(thorough=True)

    def there(self) -> list[tuple[str, str]]:
        """Name and status of every run of a fold on the server."""
        client = self.spool.target_client()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id], "tags.entry_point = 'fold'")
        return sorted((run.info.run_name, run.info.status) for run in runs)

    def differences(self) -> list[str]:
        """Between spool and server."""
        here = inventory(self.spool.client(), EXPERIMENT, OWN)
        there = inventory(self.spool.target_client(), EXPERIMENT, OWN)
        left = {name: run for name, run in there.runs.items() if "(deleted)" not in name}
        return but_descriptions(differences(here, replace(there, runs=left)))


def but_descriptions(lines: list[str]) -> list[str]:
    """A model's MLmodel tells when, where and under which address it was written."""
    return [line for line in lines if "> MLmodel >" not in line]


def fake_fold(job: TrainingJob, fold: Fold) -> FoldRecord:
    """A fold's record without training."""
    now = time.time_ns() // 1_000_000
    history = pd.DataFrame({"loss": [0.7, 0.5]}, index=pd.RangeIndex(1, 3, name="epoch"))
    metrics = {"best_val_loss": 0.5, "epochs_trained": 2, "training_time_s": 0.1}
    return FoldRecord(
        fold, dict(job.parameters), metrics, history, [now, now + 1], NETWORK, (21, 6), "a summary\n", now, now + 2,
        {"os": "Linux of a worker", "cpu": "a worker's", "gpu": "none"},
    )  # fmt: skip


@pytest.fixture
def study(store: Path, empty_store: Path, small_study: Dataset, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    monkeypatch.setattr(on_server, "run_fold", fake_fold)
    target, folder = store / "server", store / "spool"
    for place in (target, folder):
        place.mkdir()
        shutil.copy(empty_store, place / "mlflow.db")
    spool = Spool(f"sqlite:///{target / 'mlflow.db'}", folder)
    spool.target_client().create_experiment(EXPERIMENT, artifact_location=(target / "files").as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", spool.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", spool.target)
    tracker = MLflowTracker(experiment_id=spool.experiment(EXPERIMENT))
    run = tracker.start_run("train", tags={"entry_point": "train"})
    tracker.flush()
    Push(spool).once()
    write_artifact(small_study, store / "dataset")
    dataset = DatasetArtifact(small_study.digest(), store / "dataset", None, None)
    parameters = {"run_name": "fear", "log_level": "epoch", "model": "cnn", "seed": 0, "dataset_uri": "latest"}
    of = Training.of(spool.client().get_run(run.run_id), parameters, small_study.manifest(), str(store / "dataset"))
    job = TrainingJob(dataset, FitSettings(), None, parameters | {"train": run.run_id})
    yield Study(spool, of, tracker, job, dataset, plan_folds(small_study, cv="group-kfold:2"))
    tracker.close()


def test_what_workers_recorded_is_claimed_and_not_copied_again(study: Study) -> None:
    server = study.on_server()
    # First the workers, then the driver: they are the same process here and talk to one store at a time.
    found = [run_and_record_fold(study.job, server, fold) for fold in study.folds]
    assert study.there() == [("fear_fold-1_1", "FINISHED"), ("fear_fold-2_1", "FINISHED")]
    study.claim(found)
    passed = study.end()
    assert passed.runs == 1, "the training itself"
    assert (passed.models, passed.duplicates, passed.refused) == (0, 0, [])
    assert study.differences() == []
    assert Push(study.spool).unverified() == []
    run = study.spool.target_client().search_runs(["1"], "tags.entry_point = 'fold'")[0]
    assert run.data.tags["cpu"] == "a worker's"
    assert run.data.params["train"] == server.training.run_id
    # As an evaluation does, later.
    here = study.spool.client().search_runs(["1"], f"tags.`{marks.RUN_ID}` = '{run.info.run_id}'")[0]
    record.update_metrics(here, {"test_loss": 0.4})
    Push(study.spool).once(thorough=True)
    assert study.differences() == []


def test_files_of_folds_can_be_checked_on_every_side(
    study: Study, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = study.on_server()
    by_worker, by_driver = study.folds
    study.claim([run_and_record_fold(study.job, server, by_worker), fake_fold(study.job, by_driver)])
    study.end()
    elsewhere = Spool(study.spool.target, tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    shutil.copy(empty_store, elsewhere.folder / "mlflow.db")
    for uri, run_id in (
        (study.spool.uri, study.training.run_id),
        (study.spool.target, server.training.run_id),
        (elsewhere.uri, server.training.run_id),  # fetched from the server
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        folds = lookup.fold_runs(run_id)
        assert len(folds) == 2
        assert digests.unchecked_note(fold.run for fold in folds) is None
        for fold in folds:
            assert reading.read_network(fold.run) == NETWORK
            assert lookup.load_history(fold)["loss"].tolist() == [0.7, 0.5]
            with pytest.raises(UserError, match="is not the file that was recorded"):
                digests.check_file_of(fold.run, digests.HISTORY, b"epoch,loss\n1,0.1\n")


def test_what_was_not_claimed_goes_when_the_training_has_ended(study: Study) -> None:
    server = study.on_server()
    first, second = study.folds
    lost = run_and_record_fold(study.job, server, first)  # its worker died before anybody had the result
    on_server._desk(server).begin(second)  # its worker died in the middle
    study.claim([run_and_record_fold(study.job, server, fold) for fold in study.folds])
    assert len(study.there()) == 4
    assert Push(study.spool).once(thorough=True).duplicates == 0, "workers may still be at it"
    assert len(study.there()) == 4
    assert study.end().duplicates == 2
    assert study.there() == [("fear_fold-1_1", "FINISHED"), ("fear_fold-2_1", "FINISHED")]
    assert study.differences() == []
    model_id = lost.server_run.model_id if lost.server_run else ""
    models = study.spool.target_client().search_logged_models(["1"])
    assert model_id
    assert model_id not in {model.model_id for model in models}
    assert len(models) == 2


def test_a_server_that_fails_a_worker_costs_nothing(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = study.on_server()
    log = record.log

    def refuse(*arguments: object, **options: object) -> None:
        if options.get("points"):
            raise MlflowException("the disk of the server is full")
        log(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(record, "log", refuse)
        found = [run_and_record_fold(study.job, server, fold) for fold in study.folds]
    assert [(one.server_run.run_id, one.server_run.failure) for one in found if one.server_run] == [
        ("", "the disk of the server is full")
    ] * 2
    assert study.there() == [("fear_fold-1_1", "RUNNING")], "tried once, then left alone for a while"
    study.claim(found)
    assert study.end().duplicates == 1
    assert study.there() == [("fear_fold-1_1", "FINISHED"), ("fear_fold-2_1", "FINISHED")]
    assert study.differences() == []
    said = capsys.readouterr().err
    assert said.count("warning: a worker could not record on the tracking server (the disk of the server is full)") == 1


def test_a_dataset_has_an_address_that_other_machines_know(study: Study, small_study: Dataset) -> None:
    here = study.spool.client()
    prepared = here.create_run(study.training.experiment_id, tags={"entry_point": "prepare"})
    assert study.dataset.folder
    here.log_artifacts(prepared.info.run_id, str(study.dataset.folder), "dataset")
    here.set_terminated(prepared.info.run_id)
    digest = small_study.digest()
    found = dataset_address(f"runs:/{prepared.info.run_id}/dataset", digest)
    there = id_on_server(study.spool, prepared.info.run_id)
    assert (found.uri, found.tracking_uri) == (f"runs:/{there}/dataset", study.spool.target)
    assert found.folder
    assert found.load().digest() == digest
    downloaded = replace(found, folder=None)
    assert downloaded.load().digest() == digest
    assert study.spool.target not in repr(downloaded), "it may hold a password"
    with pytest.raises(
        UserError, match=r"cannot reach the dataset \(the dataset at .* has digest .*…, expected 0123…\)"
    ):
        replace(downloaded, digest="0123").load()
    with pytest.raises(UserError, match=r"cannot reach the dataset \(.*/gone is not a dataset artifact.*; runs:/"):
        replace(found, folder=Path("/gone"), uri="runs:/0123/dataset").load()


def test_no_server_is_no_place_to_record(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEAR_TRACKING_TARGET", "http://127.0.0.1:9")  # nobody listens
    assert OnServer.of(study.training, study.dataset) is None
    monkeypatch.delenv("FEAR_TRACKING_TARGET")
    assert OnServer.of(study.training, study.dataset) is None


@pytest.mark.slow
def test_a_training_on_a_cluster_fills_a_real_server(
    dask_cluster: Cluster, small_study_folder: Path, tmp_path: Path
) -> None:
    options = {
        "scheduler": dask_cluster.address, "dataset_uri": small_study_folder, "cv": "group-kfold:2", "epochs": 2,
    }  # fmt: skip
    named = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    (tmp_path / "user").mkdir()
    with mlflow_server(tmp_path / "server") as server:
        uri = server.uri.replace("http://", "http://fear:s3cret@")
        done = run_command(
            sys.executable, "-m", "steps.train", *named, cwd=tmp_path / "user", tracking_uri=uri, PYTHONPATH=str(ROOT)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"2 folds of cnn (group-kfold:2) in 2 workers of {dask_cluster.address}" in done.stdout
        assert "degraded" not in done.stderr
        there = MlflowClient(server.uri)
        spool = next((tmp_path / "user" / ".fear-spool").glob("*/mlflow.db"))
        here = inventory(MlflowClient(f"sqlite:///{spool}"), EXPERIMENT, OWN)
        assert but_descriptions(differences(here, inventory(there, EXPERIMENT, OWN))) == []
        folds = [name for name in here.runs if name.rpartition("/")[2].startswith("fear_fold-")]
        assert sorted(folds) == ["train/fear_fold-1_1", "train/fear_fold-2_1"]
        by_workers = there.search_runs(["1"], f"tags.{marks.WORKED_FOR} LIKE '%'")
        assert sorted(run.info.run_name for run in by_workers) == ["fear_fold-1_1", "fear_fold-2_1"]
        assert {run.info.status for run in by_workers} == {"FINISHED"}
    logs = "".join(path.read_text() for path in dask_cluster.folder.glob("*.log"))
    assert "s3cret" not in logs + done.stdout + done.stderr
