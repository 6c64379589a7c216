"""Finished folds are kept, whole, until they are recorded."""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from steps.core.data.dataset import Dataset
from steps.core.data.folds import Fold
from steps.errors import UserError
from steps.tracking.session import step_run
from steps.train.journal import Journal
from steps.train.recording import FoldRecorder, Training
from steps.train.worker import FoldRecord, ServerRun


def record_of(subject: str, ended_ms: int = 2, *, test_number: int = 1) -> FoldRecord:
    values = np.random.default_rng(0).normal(size=(3, 2))
    history = pd.DataFrame(values, columns=["loss", "val_loss"], index=pd.RangeIndex(1, 4, name="epoch"))
    return FoldRecord(
        fold=Fold(subject, test_number, (subject,), ("V",), ("A", "B"), "fear", 2**62 + 1),
        parameters={"seed": 2**62 + 1, "learning_rate": 0.1 + 0.2, "early": True, "precision": "float32"},
        metrics={"best_val_loss": 1 / 3},
        history=history,
        timestamps_ms=[1, 2, 3],
        network=bytes(range(256)) * 40,
        shape=(21, 6),
        model_summary="a summary ü\n",
        started_ms=1,
        ended_ms=ended_ms,
        machine={"os": "Linux"},
        server_run=ServerRun("run", "model", 1),
    )


def test_records_come_back_as_they_were_but_for_the_run_of_the_killed_training(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "unrecorded")
    names = ["../../away", "a/b", "$(touch x)", "Ł" * 300]
    given = [record_of(name, ended_ms) for ended_ms, name in enumerate(names)]
    for record in reversed(given):
        journal.add(record)
    assert [path.parent for path in tmp_path.rglob("*.zip")] == [tmp_path / "unrecorded"] * 4
    found = Journal(tmp_path / "unrecorded").records()
    for old, new in zip(given, found, strict=True):
        pd.testing.assert_frame_equal(new.history, old.history, check_exact=True)
        assert new.history.to_csv() == old.history.to_csv()
        blank = pd.DataFrame()
        assert dataclasses.replace(new, history=blank) == dataclasses.replace(old, history=blank, server_run=None)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_journal_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Journal(tmp_path / "unrecorded").add(record_of("S1"))
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")] == ["0o700", "0o600"]


def test_half_a_file_is_none_and_the_folder_goes_with_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, folder = Journal(tmp_path / "unrecorded"), tmp_path / "unrecorded"
    assert journal.records() == []
    first, second = record_of("S1"), record_of("S1", 3, test_number=2)
    journal.add(first)
    journal.add(second)
    for path in list(folder.iterdir()):
        path.with_suffix(".part").write_bytes(path.read_bytes()[:100])
    assert [record.fold.test_number for record in journal.records()] == [1, 2]
    journal.remove(first.fold)
    assert [record.fold.test_number for record in journal.records()] == [2]
    (folder / "damaged.zip").write_bytes(b"PK")
    assert [record.fold.test_number for record in journal.records()] == [2]
    assert (
        "damaged.zip cannot be read (File is not a zip file), so its fold is trained again" in capsys.readouterr().err
    )
    journal.clear()
    assert not folder.exists()
    journal.remove(second.fold)
    journal.add(first)
    journal.remove(first.fold)
    assert not folder.exists()


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, folder = Journal(tmp_path / "unrecorded"), tmp_path / "unrecorded"
    journal.add(record_of("S1"))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("steps.train.journal.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.add(record_of("S2"))
    journal.remove(record_of("S1").fold)
    assert not folder.exists()


@pytest.fixture
def training(store: Path, small_study: Dataset) -> Training:
    parameters = {"run_name": "fear", "log_level": "epoch", "model": "cnn"}
    with step_run("train", parameters) as run:
        return Training.of(run, parameters, small_study.manifest(), str(store))


def test_a_fold_is_kept_until_its_run_has_ended(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, record = Journal(tmp_path / "unrecorded"), dataclasses.replace(record_of("S1"), server_run=None)
    seen: list[str] = []
    remove = journal.remove

    def watch(fold: Fold) -> None:
        runs = MlflowClient().search_runs([training.experiment_id], "tags.entry_point = 'fold'")
        seen.extend(run.info.status for run in runs)
        remove(fold)

    monkeypatch.setattr(journal, "remove", watch)
    with monkeypatch.context() as starved:
        starved.setattr(threading.Thread, "start", lambda _thread: None)
        starved.setattr(threading.Thread, "join", lambda _thread: None)
        with FoldRecorder(training, journal=journal) as recorder:
            recorder.record(record)
            assert [kept.fold for kept in journal.records()] == [record.fold]
            recorder.flush()
            assert journal.records() == []
    assert seen == ["FINISHED"]


def test_a_disk_that_cannot_keep_them_costs_a_warning_not_the_training(
    training: Training, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unrecorded").touch()
    with FoldRecorder(training, journal=Journal(tmp_path / "unrecorded")) as recorder:
        for subject in ("S1", "S2"):
            recorder.record(dataclasses.replace(record_of(subject), server_run=None))
    assert capsys.readouterr().err.count("finished folds cannot be kept until they are recorded") == 1
    runs = MlflowClient().search_runs([training.experiment_id], "tags.entry_point = 'fold'")
    assert sorted(run.info.status for run in runs) == ["FINISHED", "FINISHED"]


def test_a_fold_that_the_store_did_not_take_is_kept_for_the_next_try(
    training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch, failing = MlflowClient.log_batch, ["once"]

    def fail_once(client: MlflowClient, *arguments: object, **named: object) -> object:
        if failing:
            raise MlflowException(f"database or disk is {failing.pop()} full\nand more")
        return log_batch(client, *arguments, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", fail_once)
    first, second = (dataclasses.replace(record_of(name), server_run=None) for name in ("S1", "S2"))
    journal = Journal(tmp_path / "unrecorded")
    with FoldRecorder(training, journal=journal) as recorder:
        recorder.record(first)
        recorder.record(second)
        with pytest.raises(UserError, match=r"^the tracking store failed \(database or disk is once full\); finished"):
            recorder.flush()
    assert [kept.fold for kept in journal.records()] == [first.fold]
    runs = MlflowClient().search_runs([training.experiment_id], "tags.entry_point = 'fold'")
    assert {run.data.tags["subject"]: run.info.status for run in runs} == {"S1": "FAILED", "S2": "FINISHED"}
