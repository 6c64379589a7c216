"""What was logged into a spool is known without the files."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.tracking import record
from steps.tracking.spool import logged
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool, open_spool
from steps.tracking.tracker import MLflowTracker
from tests.tracking.spool.test_push import NETWORK


@pytest.fixture
def spool(store: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    opened = open_spool("http://127.0.0.1:9", store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", opened.uri)
    return opened


def test_every_way_of_logging_is_noted(spool: Spool, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file.txt").write_text("text")
    with MLflowTracker(experiment_id=spool.experiment("study")) as tracker:
        run = tracker.start_run("one")
        tracker.log_artifacts({"text.txt": "text"})
        tracker.log_artifacts(folder, "under")
        tracker.log_artifacts(folder / "deep" / "file.txt")
        tracker.log_model(NETWORK, (21, 6))
    record.log_files(run.run_id, {"table.json": {"a": 1}})
    noted = logged.noted_files(spool.folder)
    assert noted[run.run_id] == {"text.txt", "under/deep/file.txt", "file.txt", "table.json"}
    assert {"MLmodel", "data/model.keras", "requirements.txt"} <= noted[run.model_id or ""]


def test_what_others_log_is_noted_when_a_command_ends(spool: Spool) -> None:
    client = MlflowClient()
    run = client.create_run(spool.experiment("study"))
    client.log_text(run.info.run_id, "text", "theirs.txt")
    Push(spool).note_files()
    size = (spool.folder / "logged.jsonl").stat().st_size
    Push(spool).note_files()
    assert logged.noted_files(spool.folder)[run.info.run_id] == {"theirs.txt"}
    assert (spool.folder / "logged.jsonl").stat().st_size == size, "once is enough"


def test_a_line_that_its_writer_was_killed_in_spoils_no_other(spool: Spool) -> None:
    logged.note_files("run", ["a"])
    with (spool.folder / "logged.jsonl").open("ab") as file:
        file.write(b'\n["run", ["b"')
    logged.note_files("run", ["c"])
    assert logged.noted_files(spool.folder) == {"run": {"a", "c"}}


def test_a_local_store_has_no_list(store: Path) -> None:
    logged.note_files("run", ["a"])
    assert not (store / "logged.jsonl").exists()
    assert logged.noted_files(store) == {}


def test_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")
    assert logged.missing({"here", "gone/b", "gone/a"}, tmp_path) == ["gone/a", "gone/b"]
    assert logged.lost_text([str(number) for number in range(7)], tmp_path).startswith(
        f"logged, but no longer in this spool: 0, 1, 2, 3, 4 and 2 more; put back what is lost under {tmp_path} and"
    )
