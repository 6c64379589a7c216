"""A finished study that is moved, copied or damaged: said in one line, mended, and what was finished is kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from steps.tracking.store import mend, moved
from tests.conftest import ROOT, clean_environment, step
from tests.system.test_storage_errors import one_error
from tests.test_main import Study
from tests.test_two_drivers import TINY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PARAMETERS = {**TINY, "baselines": "majority"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    done = step("main", folder, **PARAMETERS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A whole copy of the study, mended, as `check` does it."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    mend.mend_all(folder / "mlflow.db")
    return folder


def files_of(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def place(study: Study, entry_point: str, name: str) -> Path:
    folder = moved.local_path(study.of(entry_point)[0].info.artifact_uri)
    assert folder
    return folder / name


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_study_elsewhere_goes_on_after_one_command(finished: Path, tmp_path: Path, how: str) -> None:
    original = tmp_path / "original"
    shutil.copytree(finished, original)
    mend.mend_all(original / "mlflow.db")
    before = files_of(original)
    copy = tmp_path / "here"
    shutil.copytree(original, copy)
    if how == "moved":
        shutil.rmtree(original)
    for command in ("main", "compare", "reproduce"):
        parameters = PARAMETERS if command == "main" else {}
        assert f"this study was {how} from {original} to {copy}" in one_error(step(command, copy, **parameters))
    looked = step("check", copy)
    assert looked.returncode == 1
    assert "failed: places of artifacts: this study was" in looked.stdout
    mended = step("check", copy, mend="true")
    assert mended.returncode == 0, mended.stdout
    done = step("main", copy, **PARAMETERS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count(": reused run ") == 4
    compared = step("compare", copy, runs="latest,majority")
    assert compared.returncode == 0, compared.stderr[-3000:]
    again = step("reproduce", copy, run_id=Study(copy, "").of("prepare")[0].info.run_id)
    assert again.returncode == 0, again.stdout[-3000:]
    assert original.exists() == (how == "copied")
    assert how == "moved" or files_of(original) == before, "nothing went to the original"


@pytest.mark.parametrize(
    ("entry_point", "name", "anew"),
    [("evaluate", "summary.json", 1), ("attribute", "feature_importance.csv", 1), ("fold", "split.json", 3)],
)
def test_a_damaged_result_is_made_anew_and_the_rest_is_kept(
    copied: Path, entry_point: str, name: str, anew: int
) -> None:
    path = place(Study(copied, ""), entry_point, name)
    os.truncate(path, path.stat().st_size // 2)
    done = step("main", copied, **PARAMETERS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (done.stdout.count(": running (run "), done.stdout.count(": reused run ")) == (1, 4 - anew)
    assert f"{name} of " in done.stdout


@pytest.mark.parametrize("name", ["split.json", "history.csv"])
def test_an_evaluation_of_a_damaged_training_is_one_line(copied: Path, name: str) -> None:
    path = place(Study(copied, ""), "fold", name)
    path.write_text("[3]")
    line = one_error(step("evaluate", copied))
    assert line.startswith(f"error: {name} of ")
    assert "train again" in line


def test_a_killed_evaluation_does_not_run_for_ever(copied: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "steps.evaluate"],
        cwd=copied,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    study = Study(copied, "")
    deadline = time.monotonic() + 300
    while not study.runs("attributes.status = 'RUNNING'"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (left,) = study.runs("attributes.status = 'RUNNING'")
    assert step("prepare", copied).returncode == 0
    assert study.client.get_run(left.info.run_id).info.status == "FAILED"
    assert not study.runs("attributes.status = 'RUNNING'")
