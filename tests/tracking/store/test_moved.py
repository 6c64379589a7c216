"""A study folder that was moved or copied is seen, and mended by one command; nothing goes to the old place."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking import record
from steps.tracking.experiments import EXPERIMENT, experiment
from steps.tracking.session import step_run
from steps.tracking.spool.spool import open_spool, spools
from steps.tracking.store import mend, moved

MakeStudy = Callable[..., Path]
SERVER = "http://127.0.0.1:9"


@pytest.fixture
def make_study(store: Path, monkeypatch: pytest.MonkeyPatch) -> MakeStudy:
    """A folder with a store, in which a step has left an artifact, a model and a registered version."""

    def make(name: str = "study", *, location: str | None = None) -> Path:
        folder = store / name
        folder.mkdir()
        shutil.copy(store / "mlflow.db", folder)
        go_to(folder, monkeypatch)
        client = MlflowClient()
        if location:
            client.create_experiment(EXPERIMENT, artifact_location=location)
        with step_run("prepare", {}) as run:
            record.log_files(run.info.run_id, {"results.csv": b"a\n1\n"})
            record.log(run, tags={"mine": f"{folder}/mlruns is where I keep them"})
        model = client.create_logged_model(run.info.experiment_id, source_run_id=run.info.run_id)
        (store / "model").mkdir(exist_ok=True)
        (store / "model" / "MLmodel").write_text("flavors: {}\n")
        client.log_model_artifacts(model.model_id, str(store / "model"))
        client.create_registered_model("fear-classifier")
        client.create_model_version(
            "fear-classifier", model.artifact_location, run.info.run_id, model_id=model.model_id
        )
        part = record.DatasetPart("mine", "d", f"runs:/{run.info.run_id}/results.csv", ("S1",), "test")
        record.log_dataset_parts(run.info.run_id, [part])
        return folder

    return make


def go_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


def places(folder: Path) -> list[str]:
    """All that a store holds and that names the folder of the tests."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        dump = "\n".join(connection.iterdump())
    return [line for line in dump.splitlines() if str(folder.parent) in line and "is where I keep them" not in line]


def stored(run_id: str, name: str, client: MlflowClient | None = None) -> Path:
    """Where a store says that an artifact is; MLflow's clients remember where it was."""
    place = moved.local_path((client or MlflowClient()).get_run(run_id).info.artifact_uri)
    assert place
    return place / name


def first_results() -> str:
    runs = MlflowClient().search_runs([experiment()], order_by=["attributes.start_time ASC"])
    return stored(runs[0].info.run_id, "results.csv").read_text()


@pytest.mark.parametrize("name", ["study", "Studie für Ängste 100%"])
@pytest.mark.parametrize("how", ["moved", "copied"])
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "of an older version"])
def test_a_study_that_is_elsewhere_now(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str, noted: bool
) -> None:
    old, new = make_study(name), tmp_path / "new place" / "there"
    if not noted:
        MlflowClient().delete_experiment_tag(experiment(), moved.PLACE_TAG)
    before = {path for path in old.rglob("*") if path.is_file()}
    shutil.copytree(old, new)
    if how == "moved":
        shutil.rmtree(old)
    go_to(new, monkeypatch)
    with pytest.raises(UserError) as raised, step_run("evaluate", {}):
        pass
    assert str(raised.value).startswith(
        f"this study was {how} from {old} to {new}, but its store mlflow.db still names"
    )
    assert "-m steps.check --mend true" in str(raised.value)
    assert old.exists() == (how == "copied")

    (line,) = mend.mend_all(new / "mlflow.db")
    assert mend.mend_all(new / "mlflow.db") == []
    assert [text for text in places(new) if str(old) in text] == []
    assert len([text for text in places(new) if str(new) in text]) >= 6
    kept = new / line.rpartition(" ")[2]
    assert kept.is_file(), "the store as it was"
    assert first_results() == "a\n1\n"
    with step_run("evaluate", {}) as run:
        record.log_files(run.info.run_id, {"summary.json": {}})
    assert (new / "mlruns" / run.info.experiment_id / run.info.run_id / "artifacts" / "summary.json").is_file()
    version = MlflowClient().get_model_version("fear-classifier", "1")
    assert (place := moved.local_path(version.source))
    assert (place / "MLmodel").is_file()
    first = MlflowClient().search_runs([experiment()], "tags.entry_point = 'prepare'")[0]
    assert first.data.tags["mine"] == f"{old}/mlruns is where I keep them", "what the user wrote is the user's"
    if how == "copied":
        assert {path for path in old.rglob("*") if path.is_file()} == before, "nothing went to the original"


@pytest.mark.parametrize("uri", [True, False])
def test_artifacts_that_are_kept_apart_stay_there(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: bool
) -> None:
    apart = tmp_path / "apart"
    old, new = make_study(location=apart.as_uri() if uri else str(apart)), tmp_path / "new"
    old.rename(new)
    go_to(new, monkeypatch)
    with step_run("evaluate", {}) as run:
        record.log_files(run.info.run_id, {"summary.json": {}})
    assert (apart / run.info.run_id / "artifacts" / "summary.json").is_file()
    assert first_results() == "a\n1\n"
    assert not old.exists()


def test_a_folder_with_two_names_was_not_moved(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_study()
    link = tmp_path / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{link / 'mlflow.db'}")
    with step_run("evaluate", {}):
        pass
    assert moved.displaced(link / "mlflow.db") is None
    MlflowClient().delete_experiment_tag(experiment(), moved.PLACE_TAG)
    assert moved.displaced(link / "mlflow.db") is None


def test_the_store_alone(make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = make_study(), tmp_path / "new"
    new.mkdir()
    shutil.copy(old / "mlflow.db", new)
    go_to(new, monkeypatch)
    with pytest.raises(
        UserError, match=r"is a copy of .* without its artifacts, which are in .*; copy the whole folder"
    ):
        moved.refuse_displaced(f"sqlite:///{new / 'mlflow.db'}")
    (old / "mlflow.db").unlink()  # moved, then, and it finds its artifacts where they were
    moved.refuse_displaced(f"sqlite:///{new / 'mlflow.db'}")
    assert first_results() == "a\n1\n"


def test_artifacts_that_were_moved_without_a_store_elsewhere(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    monkeypatch.chdir(old)
    with step_run("prepare", {}) as run:
        record.log_files(run.info.run_id, {"results.csv": b"a\n1\n"})
    old.rename(new)
    monkeypatch.chdir(new)
    with pytest.raises(UserError, match=f"this study was moved from {old} to {new}"):
        moved.refuse_displaced(os.environ["MLFLOW_TRACKING_URI"])
    assert len(mend.mend_all(store / "mlflow.db")) == 1
    assert first_results() == "a\n1\n"


def test_what_was_left_in_the_old_place_is_still_found_there(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_study(), tmp_path / "new"
    run_id = MlflowClient().search_runs([experiment()])[0].info.run_id
    shutil.copytree(old, new)
    shutil.rmtree(new / "mlruns" / experiment() / run_id)
    go_to(new, monkeypatch)
    mend.mend_all(new / "mlflow.db")
    assert MlflowClient().get_run(run_id).info.artifact_uri.startswith(str(old))
    assert MlflowClient().get_experiment(experiment()).artifact_location.startswith(str(new))


def test_nothing_is_changed_when_mending_fails(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_study(), tmp_path / "new"
    old.rename(new)
    go_to(new, monkeypatch)
    before = places(new)
    with closing(sqlite3.connect(new / "mlflow.db")) as connection:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'no'); END")
        connection.commit()
    with pytest.raises(UserError, match="cannot be mended: no; nothing was changed in it"):
        mend.mend_all(new / "mlflow.db")
    assert places(new) == before


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_spool_goes_with_its_folder(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    spool = open_spool(SERVER, old)
    experiment_id = spool.experiment("study", {"a": "b"})
    run = spool.client().create_run(experiment_id)
    spool.client().log_text(run.info.run_id, "x", "a.txt")
    shutil.copytree(old, new)
    if how == "moved":
        shutil.rmtree(old)
    (spool,) = spools(new)
    assert "the spool was moved or copied: " in capsys.readouterr().err
    assert stored(run.info.run_id, "a.txt", spool.client()).is_file()
    assert stored(run.info.run_id, "a.txt", spool.client()).is_relative_to(new)
    again = spool.client().create_run(spool.experiment("study"))
    spool.client().log_text(again.info.run_id, "x", "b.txt")
    assert old.exists() == (how == "copied")
    assert not list(old.rglob("b.txt"))
    assert spool.client().get_experiment(experiment_id).tags.keys() & {moved.PLACE_TAG} == set(), "it is copied there"
    open_spool(SERVER, new)
    assert capsys.readouterr().err == "", "once"


def test_a_store_whose_writer_was_killed_can_be_read(make_study: MakeStudy) -> None:
    database = make_study() / "mlflow.db"
    write = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA cache_size = 1'); "
        "c.execute('UPDATE runs SET name = 1'); "
        "c.executemany('INSERT INTO experiment_tags VALUES (?, ?, 0)', [(str(i), 'x' * 5000) for i in range(500)]); "
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", write, str(database)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert database.with_name("mlflow.db-journal").stat().st_size
    assert moved.displaced(database) is None
    with moved.reading(database) as connection:
        assert connection.execute("SELECT count(*) FROM experiment_tags WHERE value LIKE 'xx%'").fetchone() == (0,)
