"""Studies by a file and straight to a server: everything, exactly once, and nothing that is somebody else's touched."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.tracking.spool.spool import Spool, open_spool
from tests.carried import STUDY, Studies, missed, new_store, stock, sync
from tests.inventory import differences
from tests.servers import Server, mlflow_server
from tests.tracking.spool.test_push import Unlucky


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "server.db")
    with mlflow_server(folder) as running:
        yield running


@pytest.fixture(params=["store", pytest.param("server", marks=pytest.mark.slow)])
def target(request: pytest.FixtureRequest, store: Path, empty_store: Path) -> str:
    """Where studies go: another store, or a real server, empty."""
    if request.param == "store":
        return f"sqlite:///{new_store(store / 'there', empty_store) / 'mlflow.db'}"
    running: Server = request.getfixturevalue("server")
    with closing(sqlite3.connect(empty_store)) as one, closing(sqlite3.connect(running.folder / "server.db")) as other:
        one.backup(other)
    return running.uri


def test_everything_arrives_once_however_often_it_is_brought(made: Studies, record: Path, target: str) -> None:
    here, there = record.parent, MlflowClient(target, target)
    done = sync(here, target, from_=record)
    assert done.exit_code == 0, done.output
    assert "8 runs, whole" in done.stdout
    assert "8 of 10 runs, 2 models and 2 registered versions copied and checked" in done.stdout
    assert missed(stock(made.client), stock(there)) == []
    train = there.search_runs(
        [there.get_experiment_by_name(STUDY).experiment_id], "attributes.run_name = 'first train'"
    )
    report = Path(there.download_artifacts(train[0].info.run_id, "report.md")).read_text()
    assert made.runs["first fold"] not in report
    assert str(made.folder) not in report, "places are those of the new store"
    before = stock(there)
    again = sync(here, target, from_=record)
    assert "0 of 0 runs, 0 models and 0 registered versions copied and checked; 0 duplicates" in again.stdout
    assert not differences(before, stock(there), verbatim=".")


@pytest.mark.slow
def test_records_that_overlap_bring_each_run_once(made: Studies, record: Path, target: str, store: Path) -> None:
    first = store / "first.zip"
    assert sync(made.folder, to=first, run_id=made.runs["first"]).exit_code == 0
    assert "4 of 5 runs" in sync(store, target, from_=first).stdout
    assert "4 of 5 runs" in sync(store, target, from_=record).stdout
    assert missed(stock(made.client), stock(MlflowClient(target, target))) == []
    # A copy is known for what it is: from the copy to a third store, which has one of the studies already.
    third = f"sqlite:///{new_store(store / 'third', store / 'mlflow.db') / 'mlflow.db'}"
    assert sync(store, third, from_=first).exit_code == 0
    if target.startswith("sqlite"):
        onward = store / "onward.zip"
        assert sync(store, target, to=onward, run_id="all").exit_code == 0
        assert "4 of 5 runs, 1 models and 1 registered" in sync(store, third, from_=onward).stdout
        assert missed(stock(made.client), stock(MlflowClient(third, third))) == []


def test_a_study_goes_from_a_store_to_a_server_and_leaves_no_notes(made: Studies, target: str, store: Path) -> None:
    before = (made.folder / "mlflow.db").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        if target.startswith("sqlite"):  # in place of a server
            patch.setattr("steps.tracking.carry.carry.is_remote", lambda uri: uri == target)
        for expected in ("8 of 10 runs", "0 of 0 runs"):
            done = sync(made.folder, to=target, run_id="all")
            assert done.exit_code == 0, done.output
            assert expected in done.stdout
    assert missed(stock(made.client), stock(MlflowClient(target, target))) == []
    assert (made.folder / "mlflow.db").read_bytes() == before


@pytest.mark.usefixtures("store")
def test_a_record_brought_to_where_it_is_from_changes_nothing(made: Studies, record: Path) -> None:
    before = stock(made.client)
    done = sync(made.folder, from_=record)
    assert "0 of 0 runs, 0 models and 0 registered versions copied" in done.stdout, done.output
    assert not differences(before, stock(made.client), verbatim=".")


@pytest.mark.slow
def test_what_was_deleted_there_stays_deleted(made: Studies, record: Path, target: str) -> None:
    assert sync(record.parent, target, from_=record).exit_code == 0
    there = MlflowClient(target, target)
    experiment = there.get_experiment_by_name(STUDY).experiment_id
    (fold,) = there.search_runs([experiment], "attributes.run_name = 'first fold_S1_1'")
    there.delete_run(fold.info.run_id)
    done = sync(record.parent, target, from_=record)
    assert "deleted on" in done.stderr
    assert "0 of 0 runs" in done.stdout
    assert len(there.search_runs([experiment])) == len(made.runs) - 1


def test_an_alias_that_is_in_use_stays_where_it_is(record: Path, target: str) -> None:
    there = MlflowClient(target, target)
    there.create_registered_model("fear-classifier")
    experiment = there.create_experiment("other")
    run = there.create_run(experiment).info
    there.create_model_version("fear-classifier", f"{run.artifact_uri}/model", run.run_id)
    there.set_registered_model_alias("fear-classifier", "champion", "1")
    for _ in range(2):
        done = sync(record.parent, target, from_=record)
        assert done.exit_code == 0, done.output
        assert "note: alias champion of fear-classifier stays with version 1 on " in done.stderr
        assert "what was champion here is version 2 there" in done.stderr
        aliases = there.get_registered_model("fear-classifier").aliases
        assert {name: str(number) for name, number in aliases.items()} == {"champion": "1", "challenger": "3"}
    (predict,) = there.search_runs([there.get_experiment_by_name(STUDY).experiment_id], "tags.entry_point = 'predict'")
    assert predict.data.tags["model_uri"] == "models:/fear-classifier/3", "what was version 2 here"


@pytest.mark.slow
@pytest.mark.parametrize("carried_out", [False, True], ids=["request lost", "answer lost"])
def test_an_import_that_was_cut_off_is_completed(
    made: Studies, record: Path, store: Path, empty_store: Path, carried_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"sqlite:///{new_store(store / 'there', empty_store) / 'mlflow.db'}"
    real = Spool.target_client
    for number in (1, 4, 9, 9, 9):
        with monkeypatch.context() as patch:
            unlucky = Unlucky(real(Spool(target, store)), number, carried_out=carried_out)
            patch.setattr(Spool, "target_client", lambda _self, client=unlucky: client)
            done = sync(store, target, from_=record)
        assert done.exit_code == 2
        assert "give the same command again" in done.stderr
    done = sync(store, target, from_=record)
    assert done.exit_code == 0, done.output
    assert missed(stock(made.client), stock(MlflowClient(target, target))) == []
    assert "0 of 0 runs" in sync(store, target, from_=record).stdout


@pytest.mark.slow
def test_a_spool_becomes_a_record(made: Studies, record: Path, store: Path, target: str) -> None:
    spool = open_spool("http://127.0.0.1:9", store)
    assert sync(store, spool.uri, from_=record).exit_code == 0, "in place of recording into it"
    (store / "mlflow.db").unlink()
    done = sync(store, "http://127.0.0.1:9", to="carried.zip", run_id="all")
    assert done.exit_code == 0, done.output
    assert "second" in done.stdout
    assert sync(store, target, from_=store / "carried.zip").exit_code == 0
    assert missed(stock(made.client), stock(MlflowClient(target, target))) == []


def test_the_same_studies_make_the_same_file_which_is_its_owners(made: Studies, record: Path, store: Path) -> None:
    again = store / "again.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret-word")
        assert sync(made.folder, to=again, run_id="all").exit_code == 0
    assert again.read_bytes() == record.read_bytes()
    assert stat.S_IMODE(again.stat().st_mode) == 0o600
    with zipfile.ZipFile(again) as archive:
        assert not [name for name in archive.namelist() if b"s3cret-word" in archive.read(name)]


def test_a_scoring_brings_the_study_of_its_model_along(made: Studies, store: Path) -> None:
    done = sync(made.folder, to=store / "predict.zip", run_id=made.runs["predict"])
    assert "8 runs, 2 models, 2 registered versions" in done.stdout, "the second study took over a step of the first"


def test_what_cannot_be_sent_is_one_line_and_nothing_is_written(store: Path) -> None:
    (store / "there.zip").write_bytes(b"")
    for options, said in (
        ({"to": "there.zip"}, "which exists; remove it, or name another file"),
        ({"to": "127.0.0.1:5000"}, "expected a file, such as record.zip, or a server, http://host:5000"),
        ({"to": "no/such/folder.zip"}, "there is no folder"),
        ({"to": "http://me:word@127.0.0.1:9"}, "to holds a password or a token"),
        ({"to": "http://127.0.0.1:9"}, "the server does not answer"),
        ({"to": "new.zip", "run_id": "f" * 32}, "nothing to copy: expected run 'ffff"),
        ({"to": "new.zip"}, "nothing to copy: expected a finished study in "),
        ({"from_": "new.zip"}, "there is no file new.zip"),
        ({"from_": "."}, ". is a folder, expected a record"),
        ({"from_": "a.zip", "to": "b.zip"}, "to and from do not go together"),
        ({"run_id": "all"}, "run_id is 'all', which says more about 'to'"),
    ):
        done = sync(store, **options)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
        assert said in done.stderr
        assert not (store / "new.zip").exists()
