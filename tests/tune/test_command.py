"""The whole step against a real store: interrupted, gone on with, and the same as in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.models.refit import refit_fold
from steps.core.readers.simulate import SimulationSize, simulate
from steps.core.tuning.search import check_installed
from steps.parameter_files import filled
from steps.parameters import PARAMETERS, STEPS
from steps.tracking import record, reuse
from steps.tracking.search_recorder import SearchRecorder
from steps.tracking.session import step_run
from steps.tune.run import _space
from steps.tune.worker import Search, Trainer, Tuned, tuned
from tests.clusters import Cluster
from tests.conftest import ROOT, clean_environment, configured, step_here

pytest.importorskip("optuna")

FEW: dict[str, Any] = {"cv": "group-kfold:4", "subjects": "S01", "inner_folds": 3, "trials": 2}
MORE: dict[str, Any] = {
    "cv": "group-kfold:4",
    "subjects": "S01",
    "inner_folds": 3,
    "trials": 12,
    "networks": "soft_minirocket",
}


def client_of(store: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{store / 'mlflow.db'}")


def runs_of(store: Path, entry_point: str, more: str = "") -> list[Run]:
    client = client_of(store)
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    if experiment is None:
        return []
    condition = f"tags.entry_point = '{entry_point}'{more}"
    return list(client.search_runs([experiment.experiment_id], condition, order_by=["attributes.start_time ASC"]))


def artifact(store: Path, run: Run, name: str) -> str:
    return Path(client_of(store).download_artifacts(run.info.run_id, name)).read_text()


def in_one_process(dataset: Dataset, **given: Any) -> dict[str, Tuned]:
    configuration = configured("tune", **given)
    trainer, space = Trainer(configuration, dataset), _space(configuration, dataset)
    folds = [refit_fold(dataset, "exclude", 0), *configuration.training().folds(dataset)]
    return {fold.name: tuned(trainer, space, Search(fold)) for fold in folds}


def tries_of(store: Path, run: Run) -> dict[tuple[str, int], list[float]]:
    """What every try of a run of `tune` said, by fold and number."""
    found = {}
    for search in runs_of(store, "search", f" and tags.mlflow.parentRunId = '{run.info.run_id}'"):
        for one in runs_of(store, "try", f" and tags.mlflow.parentRunId = '{search.info.run_id}'"):
            document = json.loads(one.data.tags["tried"])
            found[search.data.tags["fold"], document["number"]] = document["values"]
    return found


def expected(searches: dict[str, Tuned]) -> dict[tuple[str, int], list[float]]:
    return {
        (name, tried.number): list(tried.values) for name, one in searches.items() for tried in one.found.tried
    }  # fmt: skip


@pytest.mark.slow
def test_what_was_tried_before_is_not_tried_again_and_the_rest_is_as_in_one_process(
    store: Path, small_study: Dataset, small_study_folder: Path
) -> None:
    given = {**FEW, "dataset_uri": str(small_study_folder)}
    whole = in_one_process(small_study, **FEW)
    with suppress(InterruptedError), step_run("tune", given) as run:
        configuration = configured("tune", **given)
        inputs = f"{small_study.digest()} optuna {check_installed()}"
        record.log(run.info.run_id, tags=reuse.Identity.of("tune", configuration.given, inputs).tags())
        with SearchRecorder(run, {}) as recorder:
            for one in whole.values():
                recorder.record(one.fold.name, one.found.tried[0])
        raise InterruptedError
    done = step_here("tune", store, **given, workers=1)
    assert done.exit_code == 0, done.stderr
    assert "going on after an interruption: 2 of 4 tries were done before" in done.stdout
    first, second = runs_of(store, "tune")
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")
    assert not runs_of(store, "search", " and attributes.status = 'RUNNING'")
    assert tries_of(store, second) == expected(whole)

    metrics = second.data.metrics
    assert {"tuned/subject/auc", "tuned/subject/auc_low", "defaults/subject/auc"} <= metrics.keys()
    assert metrics["difference/subject/auc"] == metrics["tuned/subject/auc"] - metrics["defaults/subject/auc"]
    names = {item.path for item in client_of(store).list_artifacts(second.info.run_id)}
    assert {"best.yaml", "tries.csv", "results.csv", "comparison.json", "history.png", "differences.svg"} <= names
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("The search is ")]
    assert said.startswith("The search is no better than the defaults")
    assert said in second.data.tags["mlflow.note.content"].replace("\\", "")

    best = store / "results" / f"tune-{second.info.run_id[:8]}" / "best.yaml"
    assert best.read_text() == artifact(store, second, "best.yaml")
    defaults = {name: PARAMETERS[name].default for name in STEPS["train"].parameters}
    found = whole["all"].found.best.settings
    assert filled("train", {**defaults, "config": str(best)}).given == defaults | found
    assert len(pd.read_csv(best.with_name("tries.csv"))) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials is '0', expected a whole number from 1 to 10000"),
        ({"inner_folds": 7}, "inner_folds=7 cannot be made of the 6 training subjects of fold fold-4"),
        ({"model": "cnn", "epochs": 33}, "epochs=33 was given, and epochs is searched (20 to 120); leave it out"),
        ({"networks": "resnet"}, "networks names 'resnet', expected 'none' or some of: cnn, cnn_wide"),
        ({"networks": ","}, "networks names nothing, expected 'none' or names separated by commas"),
    ],
)
def test_what_cannot_be_searched_is_one_line_and_leaves_nothing(
    store: Path, small_study_folder: Path, given: dict[str, Any], message: str
) -> None:
    done = step_here("tune", store, **{**FEW, "dataset_uri": small_study_folder, **given})
    assert done.exit_code == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert not runs_of(store, "search")
    assert not (store / "results").exists()


def test_without_optuna_it_says_how_to_get_it(
    store: Path, small_study_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = step_here("tune", store, dataset_uri=small_study_folder)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: tune needs Optuna, which is not installed: pip install 'optuna>=5,<6'")
    assert not runs_of(store, "tune")


@pytest.fixture(scope="module")
def larger_study() -> Dataset:
    size = SimulationSize(subjects=16, controls=0, trials_min=3, trials_max=3, features=2)
    return simulate(size, timesteps=21, seed=2)


@pytest.fixture(scope="module")
def larger_folder(larger_study: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("larger")
    write_artifact(larger_study, folder)
    return folder


@pytest.mark.slow
def test_a_killed_search_goes_on_and_ends_as_an_uninterrupted_one(
    store: Path, larger_study: Dataset, larger_folder: Path
) -> None:
    given = {**MORE, "dataset_uri": larger_folder}
    killed = subprocess.Popen(
        [sys.executable, "-m", "steps.tune", *(part for k, v in given.items() for part in (f"--{k}", str(v)))],
        cwd=store,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while len(runs_of(store, "try", " and attributes.status = 'FINISHED'")) < 7:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    done = step_here("tune", store, **given, workers=1)
    assert done.exit_code == 0, done.stderr
    assert "going on after an interruption" in done.stdout
    first, second = runs_of(store, "tune")
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")
    assert tries_of(store, second) == expected(in_one_process(larger_study, **MORE))


@pytest.mark.slow
def test_a_cluster_tries_the_same(
    store: Path, larger_study: Dataset, larger_folder: Path, dask_cluster: Cluster
) -> None:
    done = step_here("tune", store, **MORE, dataset_uri=larger_folder, scheduler=dask_cluster.address)
    assert done.exit_code == 0, done.stderr
    (run,) = runs_of(store, "tune")
    assert tries_of(store, run) == expected(in_one_process(larger_study, **MORE))
