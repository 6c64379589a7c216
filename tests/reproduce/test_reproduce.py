"""Reproducing real runs with real processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.tracking.store.mend import mend_all
from tests.conftest import ROOT, mlflow_run, run_command, step
from tests.test_main import SMALL, Study

REPRODUCTIONS = "Fear_Classification_Reproductions"
# A study is five processes that import TensorFlow; on a busy machine that takes long.
_PATIENCE = 1100
pytestmark = pytest.mark.timeout(_PATIENCE + 100)


def reproduce(cwd: Path, run_id: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    options = [part for name, value in parameters.items() for part in (f"--{name}", value)]
    command = (sys.executable, "-m", "steps.reproduce", "--run_id", run_id, *options)
    return run_command(*command, cwd=cwd, timeout=_PATIENCE, PYTHONPATH=str(ROOT), COLUMNS="200")


def newest(study: Study) -> Run:
    return study.runs("tags.entry_point = 'reproduce'", REPRODUCTIONS)[-1]


def outcome(study: Study) -> dict[str, object]:
    return dict(json.loads(study.text(newest(study), "reproduction.json")))


@pytest.mark.slow
def test_prepare_from_a_file_then_with_changed_recordings(
    tmp_path: Path,
    small_study_table: str,
) -> None:
    table = tmp_path / "my recordings.csv"
    table.write_text(small_study_table)
    assert step("prepare", tmp_path, source=table.name).returncode == 0
    study = Study(tmp_path, "")
    (original,) = study.of("prepare")
    # By `mlflow run`, as people do, which starts a run in `Default`.
    done = mlflow_run("-e", "reproduce", cwd=tmp_path, run_id=original.info.run_id)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert f"reproduced: all 8 values of prepare run {original.info.run_id} are identical" in done.stdout
    run = newest(study)
    assert run.data.tags["reproduced_run_id"] == original.info.run_id
    assert (run.data.tags["verdict"], run.data.tags["reproduced"]) == ("identical", "true")
    (again,) = study.runs("tags.entry_point = 'prepare'", REPRODUCTIONS)
    assert again.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert again.info.run_id == run.data.tags["rerun_run_id"] == outcome(study)["rerun_run_id"]
    assert {"reproduction.json", "reproduction.csv"} <= study.artifacts(run)
    assert len(study.of("prepare")) == 1, "reproductions are kept apart"

    table.write_text(small_study_table.replace(",3\n", ",3.5\n"))
    changed = reproduce(tmp_path, original.info.run_id)
    assert changed.returncode == 1
    assert "Traceback" not in changed.stderr
    assert "different: prepare, digest dataset: " in changed.stdout
    assert outcome(study)["reproduced"] is False


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A small study, made by a bare `mlflow run`."""
    folder = tmp_path_factory.mktemp("finished")
    values = [part for name, value in SMALL.items() for part in ("-P", f"{name}={value}")]
    command = ("mlflow", "run", str(ROOT), "--env-manager", "local", *values)
    done = run_command(*command, cwd=folder, timeout=_PATIENCE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Study(folder, done.stdout)


def copy_of(study: Study, folder: Path) -> None:
    """The study in another folder, whose store says so."""
    shutil.copytree(study.folder, folder)
    assert mend_all(folder / "mlflow.db")


@pytest.mark.slow
def test_a_whole_study(finished: Study) -> None:
    (original,) = finished.of("main")
    done = reproduce(finished.folder, "latest")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "not compared" not in done.stdout
    document = outcome(finished)
    assert document["reproduced_run_id"] == original.info.run_id
    assert (document["verdict"], document["expected"], document["parameters_not_recorded"]) == (
        "identical",
        "identical",
        [],
    )
    rows = finished.text(newest(finished), "reproduction.csv")
    for expected in (
        "main,metric,pooled/auc,identical", "fold S01 1,curve,val_loss,identical",
        "evaluate,table,results.csv: probability,identical", "attribute,table,feature_importance.csv: sd,identical",
        "fitted on all,curve,loss,identical", "train,digest,dataset,identical",
    ):  # fmt: skip
        assert expected in rows
    assert "_wall_s" not in rows
    assert len(finished.client.search_model_versions("name = 'fear-classifier'")) == 1, "register=false"
    again = finished.client.get_run(str(document["rerun_run_id"]))
    assert again.info.run_id != original.info.run_id
    assert again.data.tags["train_run_id"] != original.data.tags["train_run_id"], "reuse=false"


@pytest.mark.slow
def test_a_study_whose_training_was_evaluated_again(finished: Study, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy_of(finished, folder)
    (original,) = Study(folder, "").of("main")
    later = step("evaluate", folder, thresholds="0.6", train_run_id=original.data.tags["train_run_id"])
    assert later.returncode == 0, later.stderr[-2000:]
    done = reproduce(folder, original.info.run_id)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "metrics that evaluate added are not compared" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "fold", "evaluate", "attribute"])
def test_a_step_or_a_fold(finished: Study, kind: str) -> None:
    original = finished.of(kind)[-1]
    done = reproduce(finished.folder, original.info.run_id)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert outcome(finished)["verdict"] == "identical"
    if kind == "fold":
        rows = finished.text(newest(finished), "reproduction.csv").splitlines()[1:]
        assert {row.partition(",")[0] for row in rows} == {f"fold {original.data.tags['subject']} 1"}
        assert "metrics that evaluate added are not compared" in done.stdout


@pytest.mark.slow
def test_recordings_that_are_gone_are_one_line(tmp_path: Path, small_study_table: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(small_study_table)
    assert step("prepare", tmp_path, source=table.name).returncode == 0
    table.unlink()
    gone = reproduce(tmp_path, Study(tmp_path, "").of("prepare")[0].info.run_id)
    assert gone.returncode == 2
    assert "error: the recorded source 'mine.csv' is no longer there" in gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.slow
def test_a_tampered_result_is_found(finished: Study, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy_of(finished, folder)
    copy = Study(folder, "")
    original = copy.of("evaluate")[-1]
    copy.client.log_metric(original.info.run_id, "pooled/auc", 0.999)
    done = reproduce(folder, original.info.run_id)
    assert done.returncode == 1
    assert "different: evaluate, metric pooled/auc: 0.999 -> " in done.stdout
    assert f"NOT reproduced: 1 of {int(newest(copy).data.metrics['things_identical']) + 1} things" in done.stdout


@pytest.mark.slow
def test_a_simulated_dataset_that_is_gone_is_made_again(finished: Study, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy_of(finished, folder)
    copy = Study(folder, "")
    prepare = copy.of("prepare")[0]
    dataset = Path(prepare.info.artifact_uri.removeprefix("file://")) / "dataset"
    moved = dataset.rename(dataset.with_name("moved"))
    try:
        done = reproduce(folder, copy.of("train")[0].info.run_id)
    finally:
        moved.rename(dataset)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "dataset: its artifact is gone; making it again" in done.stdout
    assert "are identical" in done.stdout


@pytest.mark.slow
def test_other_code_is_said_and_strict_refuses(finished: Study) -> None:
    original = finished.of("prepare")[0]
    client = MlflowClient(f"sqlite:///{finished.folder / 'mlflow.db'}")
    client.set_tag(original.info.run_id, "code_sha256", "0" * 64)
    client.set_tag(original.info.run_id, "git_commit", "1" * 40)
    done = reproduce(finished.folder, original.info.run_id)
    assert done.returncode == 0
    assert f"code differs: recorded {'0' * 64}, now " in done.stdout
    manager = "uv" if shutil.which("uv") else "local"
    assert f"-v {'1' * 40} --env-manager {manager} -e reproduce -P run_id={original.info.run_id}" in done.stdout
    strict = reproduce(finished.folder, original.info.run_id, strict="true")
    assert strict.returncode == 2
    assert "error: strict=true, and this is not the code the run was made with" in strict.stderr
