"""Runs whose process was killed do not run for ever; those of living processes are left alone."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.tracking import left_running
from steps.tracking.experiments import experiment
from steps.tracking.session import step_run
from tests.conftest import ROOT, clean_environment

# A driver that is at its second step: a study with a pointer in `Default`, a training nested under it, and two folds.
WORK = """
import sys, time
from mlflow import MlflowClient
from steps.tracking.session import step_run
from steps.tracking.tracker import MLflowTracker
client = MlflowClient()
with step_run("main", {}, run_name="fear") as main:
    experiment_id = main.info.experiment_id
    client.create_run("0", tags={"study_run_id": main.info.run_id})
    made = client.create_run(experiment_id, tags={"mlflow.parentRunId": main.info.run_id}, run_name="train")
    tracker = MLflowTracker(parent_run_id=made.info.run_id, experiment_id=experiment_id)
    tracker.start_run("fear", "S1", 1, {"entry_point": "fold"})
    tracker.end_run()
    tracker.start_run("fear", "S2", 1, {"entry_point": "fold"})
    tracker.flush()
    print("working", flush=True)
    time.sleep(120)
"""


@contextmanager
def working(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        cwd=folder,
        env=clean_environment(f"sqlite:///{folder / 'mlflow.db'}") | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def states() -> dict[str, str]:
    client = MlflowClient()
    runs = client.search_runs(["0", experiment()])
    return {run.info.run_name if run.info.experiment_id != "0" else "pointer": run.info.status for run in runs}


def test_what_a_killed_driver_left_is_marked_by_the_next_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with working(store) as process:
        with step_run("prepare", {}):
            pass
        alive = {"fear": "RUNNING", "train": "RUNNING", "fear_S2_1": "RUNNING", "pointer": "RUNNING"}
        assert alive.items() <= states().items(), "a living driver's runs are left alone"
        process.send_signal(signal.SIGKILL)  # and nobody has waited for it yet
        process.wait()
    with step_run("evaluate", {}) as run:
        pass
    dead = dict.fromkeys(("fear", "train", "fear_S2_1", "pointer"), "FAILED")
    assert states() == {**dead, "fear_S1_1": "FINISHED", "prepare": "FINISHED", "evaluate": "FINISHED"}
    (main,) = MlflowClient().search_runs([run.info.experiment_id], "tags.entry_point = 'main'")
    note = main.data.tags["mlflow.note.content"]
    assert f"process {process.pid} on {platform.node()}) ended without a word. Marked as FAILED by run" in note
    assert "marked as FAILED, because their process ended without a word: " in capsys.readouterr().err
    with step_run("evaluate", {}):
        pass
    assert capsys.readouterr().err.count("marked as FAILED") == 0, "once"


def tagged(**tags: str | None) -> Run:
    given = {name: value for name, value in {**left_running.process_tags(), **tags}.items() if value is not None}
    return MlflowClient().create_run(experiment(), tags=given)


def status_after_the_next_run(run: Run) -> str:
    with step_run("prepare", {}):
        pass
    return str(MlflowClient().get_run(run.info.run_id).info.status)


BOOT, SPACE, TICKS = (left_running.process_tags()["process_started"] + "  ").split(" ")[:3]
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is told by its time of creation")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({}, "RUNNING", id="this process"),
        pytest.param({"host": "another-machine"}, "RUNNING", id="of another machine"),
        pytest.param({"host": None, "pid": None}, "RUNNING", id="of somebody else's program"),
        pytest.param({"pid": "many"}, "RUNNING", id="not a process"),
        pytest.param({"process_started": None}, "RUNNING", id="recorded by an older version"),
        pytest.param(
            {"process_started": f"{BOOT} {SPACE} 1"}, "FAILED", id="its number went to this process", marks=linux
        ),
        pytest.param({"process_started": f"other {SPACE} {TICKS}"}, "FAILED", id="before a restart", marks=linux),
        pytest.param({"process_started": f"{BOOT} pid:[7] 1"}, "RUNNING", id="of another container", marks=linux),
        pytest.param({"process_started": "damaged"}, "RUNNING", id="not a time", marks=linux),
    ],
)
def test_only_what_has_certainly_no_process_is_marked(store: Path, tags: dict[str, str | None], expected: str) -> None:
    assert status_after_the_next_run(tagged(**tags)) == expected


def test_a_process_that_ended_but_was_not_waited_for_is_gone(store: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = left_running._started(process.pid)
    assert started
    run = tagged(pid=str(process.pid), process_started=started)
    assert status_after_the_next_run(run) == "RUNNING"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert status_after_the_next_run(run) == "FAILED"
    process.communicate()


def test_a_child_is_as_alive_as_its_parent_unless_it_says_itself(store: Path) -> None:
    client = MlflowClient()
    dead = tagged(pid="999999999")
    parent = {MLFLOW_PARENT_RUN_ID: dead.info.run_id}
    step_that_goes_on = tagged(**parent)
    fold_of_it = client.create_run(experiment(), tags={MLFLOW_PARENT_RUN_ID: step_that_goes_on.info.run_id})
    lost = client.create_run(experiment(), tags={MLFLOW_PARENT_RUN_ID: "0" * 32})
    own_parent = client.create_run(experiment())
    client.set_tag(own_parent.info.run_id, MLFLOW_PARENT_RUN_ID, own_parent.info.run_id)
    child = client.create_run(experiment(), tags=parent)
    with step_run("prepare", {}):
        pass
    runs = (dead, child, step_that_goes_on, fold_of_it, lost, own_parent)
    statuses = [client.get_run(run.info.run_id).info.status for run in runs]
    assert statuses == ["FAILED", "FAILED", "RUNNING", "RUNNING", "RUNNING", "RUNNING"]
