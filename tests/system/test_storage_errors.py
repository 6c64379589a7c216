"""Full disks, read-only folders and what is no store are one line, within seconds, and cost nothing finished."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from steps.system import storage_errors
from steps.system.sqlite_store import trouble
from tests.conftest import ROOT, run_command, step, step_here
from tests.servers import SmallDisk, small_disk

SMALL = {"simulated_subjects": 4, "simulated_controls": 0, "simulated_features": 3, "timesteps": 11}
# Importing MLflow takes a second, ten on a busy machine; MLflow's retries take 110.
SOON_S = 45


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command says is wrong."""
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.fixture
def disk(tmp_path: Path, empty_store: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        shutil.copy(empty_store, disk.folder / "mlflow.db")
        yield disk


def test_a_full_disk_is_one_line_and_later_all_is_well(disk: SmallDisk) -> None:
    disk.fill(leave=60_000)
    line = one_error(step("prepare", disk.folder, **SMALL))
    assert line.startswith("error: disk full: ")
    assert "free some space, then give the same command again" in line
    disk.free()
    assert step("prepare", disk.folder, **SMALL).returncode == 0
    client = MlflowClient(f"sqlite:///{disk.folder / 'mlflow.db'}")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert sorted({run.info.status for run in runs}) in (["FINISHED"], ["FAILED", "FINISHED"]), "none runs for ever"


@pytest.fixture
def read_only(disk: SmallDisk) -> Path:
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    return disk.folder


def test_a_read_only_folder_is_one_line_in_seconds(read_only: Path) -> None:
    started = time.monotonic()
    line = one_error(step("prepare", read_only, **SMALL))
    assert time.monotonic() - started < SOON_S
    assert f"tracking store: folder {read_only} of mlflow.db cannot be written: Read-only file system" in line


def test_a_read_only_folder_with_the_store_elsewhere(
    read_only: Path, empty_store: Path, tmp_path: Path, small_study_table: str
) -> None:
    store = shutil.copy(empty_store, tmp_path / "elsewhere.db")
    done = step_here("prepare", read_only, f"sqlite:///{store}", **SMALL)
    assert done.exit_code == 0, done.stderr[-2000:]
    assert list((tmp_path / "mlruns").rglob("trials.parquet")), "artifacts are beside the store"
    (tmp_path / "work").mkdir()
    shutil.copy(empty_store, tmp_path / "work" / "mlflow.db")
    (tmp_path / "source.csv").write_text(small_study_table)  # as the line says: elsewhere, and the file by its path
    assert step_here("prepare", tmp_path / "work", source=tmp_path / "source.csv").exit_code == 0


def test_a_read_only_folder_with_a_server(read_only: Path) -> None:
    command = ("python", "-m", "steps.prepare")
    done = run_command(*command, cwd=read_only, tracking_uri="http://127.0.0.1:9", PYTHONPATH=str(ROOT))
    assert "what is recorded for http://127.0.0.1:9 is kept there first" in one_error(done)


def test_a_folder_in_place_of_the_store_is_one_line_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    started = time.monotonic()
    line = one_error(step("prepare", tmp_path, **SMALL))
    assert time.monotonic() - started < SOON_S
    assert line.startswith(
        f"error: cannot open the tracking store: {tmp_path}/mlflow.db is a folder, expected a SQLite"
    )


def test_a_store_that_is_none(tmp_path: Path, empty_store: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert trouble(path) is None
    assert trouble(tmp_path / "a" / "b" / "mlflow.db") is None, "MLflow makes folders"
    for content, expected in ((b"", None), (b"x" * 5000, "is not a database"), (empty_store.read_bytes(), None)):
        path.write_bytes(content)
        problem = trouble(path)
        assert (problem[0] if problem else None) == (f"{path}: file {expected}" if expected else None)
    whole = path.stat().st_size
    os.truncate(path, whole // 2)
    assert trouble(path) == (
        f"{path} is cut off: {whole // 2} of {whole} bytes",
        "restore it from a copy, or move it away; the next run makes a new one",
    )
    (tmp_path / "mlflow.db-journal").write_bytes(b"x")
    assert trouble(path) is None, "SQLite itself puts right what a killed process left"


def failed(what: BaseException, cause: BaseException) -> BaseException:
    try:
        raise what from cause
    except BaseException as error:
        return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/d/a.csv"), "disk full: /d/a.csv; free some space"),
        (OSError(errno.EDQUOT, "Quota", "/d/a"), "disk full, your quota is used up: /d/a"),
        (OSError(errno.ENOSPC, "No space", "/from", None, "/to"), "disk full: /to; "),
        (PermissionError(errno.EACCES, "Permission denied", "/d/a\n"), "permission denied: /d/a\\n; allow writing"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full: No space left on device; "),
        (failed(MlflowException("no"), OSError(errno.EROFS, "ro", "/d")), "read-only file system: /d; "),
        (
            MlflowException("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT]"),
            "disk full: the tracking store (database or disk is full); free some space",
        ),
    ],
)
def test_what_disks_refuse_in_one_line(error: BaseException, expected: str) -> None:
    line = storage_errors.in_one_line(error)
    assert line is not None
    assert line.startswith(expected)
    assert "\n" not in line


@pytest.mark.parametrize(
    "error", [ValueError("disk is full"), FileNotFoundError(errno.ENOENT, "No such file", "/x"), KeyError("x")]
)
def test_mistakes_of_ours_keep_their_traceback(error: BaseException) -> None:
    assert storage_errors.in_one_line(error) is None
