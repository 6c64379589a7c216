"""A training that is interrupted or loses a process: an error, and no run that seems to be running for ever."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.tracking.models import fold_model
from tests.conftest import ROOT, clean_environment, step_here

EPOCHS = 40  # long enough to be killed in the middle


def statuses(folder: Path, entry_point: str) -> list[str]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    if experiment is None:
        return []
    runs = client.search_runs([experiment.experiment_id], f"tags.entry_point = '{entry_point}'")
    return [run.info.status for run in runs]


def result_of(client: MlflowClient, run: Run) -> dict[str, object]:
    """All of a fold's record that does not depend on when and how fast it was trained."""
    folder = Path(client.download_artifacts(run.info.run_id, ""))
    return {
        "metrics": {k: v for k, v in run.data.metrics.items() if not k.endswith(("_s", "_mib"))},
        "params": {k: v for k, v in run.data.params.items() if k not in ("resume", "cwd", "workers")},
        "files": {name: (folder / name).read_text() for name in ("split.json", "history.csv")},
        "inputs": sorted((entry.dataset.name, entry.dataset.digest) for entry in run.inputs.dataset_inputs),
        "curve": [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")],
        "model": len(run.outputs.model_outputs),
        "status": run.info.status,
    }


def workers_of(pid: int) -> list[psutil.Process]:
    """Where processes are forked, they are children of the server that forks them; elsewhere of the step."""
    below = [
        child for child in psutil.Process(pid).children(recursive=True) if "multiprocessing" in str(child.cmdline())
    ]
    forked = [child for child in below if child.ppid() != pid]
    return forked or [child for child in below if "spawn_main" in str(child.cmdline())]


def kill_a_worker(process: subprocess.Popen[str]) -> None:
    workers = workers_of(process.pid)
    assert len(workers) == 2
    workers[0].kill()


def interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does


def full(*_arguments: object, **_named: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def options(dataset: Path, epochs: int) -> dict[str, object]:
    return {"dataset_uri": dataset, "workers": 2, "model": "cnn", "epochs": epochs, "early_stopping_patience": 0}


def train(store: Path, dataset: Path, epochs: int) -> subprocess.Popen[str]:
    """A training in a process of its own, which may be killed."""
    named = options(dataset, epochs)
    return subprocess.Popen(
        [sys.executable, "-m", "steps.train", *(part for k, v in named.items() for part in (f"--{k}", str(v)))],
        cwd=store,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait for something that a running process does."""
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        pytest.param(kill_a_worker, "error: a worker process was killed", marks=pytest.mark.slow),
        pytest.param(interrupt, "Aborted!", marks=pytest.mark.slow),
    ],
)
def test_no_run_is_left_running(
    store: Path, small_study_folder: Path, harm: Callable[[subprocess.Popen[str]], None], expected: str
) -> None:
    process = train(store, small_study_folder, epochs=100_000)
    try:
        wait_until(process, lambda: statuses(store, "fold").count("RUNNING") == 2)
        harm(process)
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode not in (0, None)
    assert expected in errors
    assert statuses(store, "train") == ["FAILED"]
    assert set(statuses(store, "fold")) == {"FAILED"}


@pytest.mark.slow
def test_no_process_outlives_a_killed_training(store: Path, small_study_folder: Path) -> None:
    killed = train(store, small_study_folder, epochs=100_000)
    try:
        wait_until(killed, lambda: statuses(store, "fold").count("RUNNING") == 2)
        family = psutil.Process(killed.pid).children(recursive=True)
        assert len(workers_of(killed.pid)) == 2
        killed.kill()  # and nobody else, as when memory runs out
        killed.communicate()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)


def test_a_killed_training_goes_on_and_ends_as_an_uninterrupted_one(
    store: Path, small_study_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = train(store, small_study_folder, epochs=EPOCHS)
    wait_until(killed, lambda: statuses(store, "fold").count("FINISHED") >= 2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    recorded = statuses(store, "fold").count("FINISHED")
    assert recorded < 8

    same = options(small_study_folder, EPOCHS) | {"workers": 1}  # the killed one had two; that decides nothing
    with monkeypatch.context() as patch:
        patch.setattr(fold_model, "log_network", full)
        failed = step_here("train", store, **same)
    assert failed.exit_code
    assert "No space left on device" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert statuses(store, "fold").count("FINISHED") == recorded

    again = step_here("train", store, **same)
    assert again.exit_code == 0, again.stderr[-3000:]
    assert f"going on after an interruption: {recorded} of 8 folds were trained before" in again.stdout
    assert f"{8 - recorded} folds of cnn" in again.stdout
    assert "RUNNING" not in statuses(store, "fold") + statuses(store, "train")

    whole = step_here("train", store, **same, resume="false")
    assert whole.exit_code == 0, whole.stderr[-3000:]
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    finished = client.search_runs(
        [experiment.experiment_id],
        "tags.entry_point = 'train' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time ASC"],
    )
    results = []
    for run in finished:
        children = f"tags.mlflow.parentRunId = '{run.info.run_id}' and attributes.status = 'FINISHED'"
        folds = client.search_runs([experiment.experiment_id], children)
        assert len(folds) == 9  # eight folds and the final model
        results.append({fold.info.run_name: result_of(client, fold) for fold in folds})
    assert len(results[0]) == 9
    for name, result in results[0].items():
        for kind, value in result.items():
            assert value == results[1][name][kind], (name, kind)
