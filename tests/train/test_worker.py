"""Training in pools: the same results here and on a cluster, nothing lost when a cluster breaks."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mlflow import MlflowClient

from steps.compute import Compute, open_pool
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.fold_record import FoldRecord
from steps.core.data.folds import plan_folds
from steps.core.models.refit import refit_fold
from steps.core.models.settings import FitSettings, process_mib
from steps.errors import UserError
from steps.tracking.addresses import dataset_place
from steps.train.worker import Progress, TrainingJob, train_folds
from tests.clusters import Cluster, cluster
from tests.conftest import ROOT, clean_environment
from tests.servers import wait_until

SETTINGS = FitSettings(epochs=3, batch_size=8)
TIMES = {"training_time_s", "model_saving_s", "peak_memory_mib"}


def trained(
    scheduler: str, workers: str, dataset: Dataset, artifact: Path, folds: list[Fold], scratch: Path
) -> tuple[dict[str, FoldRecord], list[Progress]]:
    """Records of the folds and of the final model, and what was reported."""
    scratch.mkdir()
    place = dataset_place(dataset, str(artifact), scratch, shared=Compute(scheduler).is_local)
    job = TrainingJob(dataset=place, settings=SETTINGS, class_weight=None, parameters={"seed": 0})
    events: list[Progress] = []
    records: list[FoldRecord] = []
    with open_pool(Compute.of(scheduler, workers), len(folds), on_event=events.append) as pool:
        refit = train_folds(pool, job, folds, [], refit_fold(dataset, "exclude", 0), records.append)
    return {record.fold.name: record for record in [*records, refit]}, events


def weights(record: FoldRecord) -> list[np.ndarray]:
    """Every number in the model's file."""
    arrays: list[np.ndarray] = []
    with (
        zipfile.ZipFile(io.BytesIO(record.network)) as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return arrays


def design(record: FoldRecord) -> Any:
    """How the network in the model's file is built; not where in memory Keras had some part of it."""

    def without_addresses(part: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in part.items() if name != "shared_object_id"}

    with zipfile.ZipFile(io.BytesIO(record.network)) as archive:
        return json.loads(archive.read("config.json"), object_hook=without_addresses)


def test_results_are_the_same_to_the_last_bit_wherever_they_are_made(
    small_study: Dataset, small_study_folder: Path, dask_cluster: Cluster, tmp_path: Path
) -> None:
    folds = plan_folds(small_study, cv=CrossValidation(3), seed=0)
    serial, _ = trained("local", "1", small_study, small_study_folder, folds, tmp_path / "here")
    on_cluster, events = trained(
        dask_cluster.address, "auto", small_study, small_study_folder, folds, tmp_path / "there"
    )
    assert set(serial) == set(on_cluster) == {"fold-1", "fold-2", "fold-3", "all"}
    assumed = process_mib(SETTINGS, small_study.values)
    # Half of it for a process of its own; less for one that shares TensorFlow's pages with the one it is forked from.
    assert all(assumed / 3 < record.metrics["peak_memory_mib"] < assumed for record in serial.values())
    for name, expected in serial.items():
        on_cluster_record = on_cluster[name]
        assert on_cluster_record.history.equals(expected.history)
        # Neither says what its process had trained before.
        assert on_cluster_record.model_summary == expected.model_summary
        assert design(on_cluster_record) == design(expected)
        assert on_cluster_record.parameters == expected.parameters
        assert {k: v for k, v in on_cluster_record.metrics.items() if k not in TIMES} == {
            k: v for k, v in expected.metrics.items() if k not in TIMES
        }
        assert all(np.array_equal(a, b) for a, b in zip(weights(on_cluster_record), weights(expected), strict=True))
    assert sorted(event.fold for event in events if event.epoch == 0) == sorted(fold.name for fold in folds)


def test_a_dataset_that_workers_cannot_reach_is_one_clear_line(
    small_study: Dataset, dask_cluster: Cluster, tmp_path: Path
) -> None:
    unseen = small_study.select(~small_study.is_control)
    folds = plan_folds(unseen, cv=CrossValidation(2), seed=0)
    with pytest.raises(UserError, match=r"cannot reach the dataset \(.*gone.*\); expected a tracking server"):
        trained(dask_cluster.address, "auto", unseen, tmp_path / "gone", folds, tmp_path / "there")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_worker_and_a_lost_scheduler_cost_the_folds_they_were_at(
    store: Path, small_study_folder: Path, tmp_path: Path
) -> None:
    def folds(status: str) -> dict[str, float]:
        client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
        wanted = f"tags.entry_point = 'fold' and attributes.status = '{status}'"
        runs = client.search_runs([experiment.experiment_id], wanted) if experiment else []
        assert len({run.info.run_name for run in runs}) == len(runs), "a fold is there twice"
        return {run.info.run_name: run.data.metrics.get("loss", 0.0) for run in runs}

    def start(scheduler: str, **options: object) -> subprocess.Popen[str]:
        named = {
            "scheduler": scheduler, "dataset_uri": small_study_folder, "model": "cnn", "epochs": 400,
            "early_stopping_patience": 0,
        } | options  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "steps.train",
            *(part for k, v in named.items() for part in (f"--{k}", str(v))),
        ]
        return subprocess.Popen(
            command, cwd=store, env=clean_environment() | {"PYTHONPATH": str(ROOT)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster", workers=2) as made:
        training = start(made.address)
        wait_until(lambda: len(folds("RUNNING")) == 2, "beginning two folds", 200)
        os.kill(made.workers[0].pid, signal.SIGKILL)
        made.add_worker()
        wait_until(lambda: len(folds("FINISHED")) >= 3, "finishing three folds", 200)
        os.kill(made.scheduler.pid, signal.SIGKILL)
        killed = time.monotonic()
        output, errors = training.communicate(timeout=60)
        assert time.monotonic() - killed < 30
        assert training.returncode == 2, errors
        assert errors.splitlines()[-1].startswith(f"error: the cluster at {made.address} was lost")
        assert "Traceback" not in errors
    before = folds("FINISHED")
    assert 3 <= len(before) < 8, output
    assert folds("RUNNING") == {}

    again = start("local", workers=2)
    output, errors = again.communicate(timeout=250)
    assert again.returncode == 0, errors
    assert f"going on after an interruption: {len(before)} of 8 folds were trained before" in output
    after = folds("FINISHED")
    assert len(after) == 8
    assert after.items() >= before.items()

    whole = start("local", workers=2, resume="false", run_name="alone")
    assert whole.communicate(timeout=250)[0]
    alone = {name.replace("alone", "fear"): loss for name, loss in folds("FINISHED").items() if "alone" in name}
    assert alone == after
