"""A study is shown, then removed for good with what is its own; what others use, and what is theirs, stays."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from mlflow import MlflowClient
from mlflow.entities import ViewType

from steps.tracking.carry import removal
from steps.tracking.store.mend import mend_all
from tests.carried import STUDY, Studies, stock, sync


@pytest.fixture
def client(store: Path, made: Studies) -> MlflowClient:
    """A store with both studies."""
    shutil.copytree(made.folder, store, dirs_exist_ok=True)
    mend_all(store / "mlflow.db")
    uri = f"sqlite:///{store / 'mlflow.db'}"
    return MlflowClient(uri, uri)


def ids(client: MlflowClient, view: int = ViewType.ALL) -> dict[str, str]:
    experiment = client.get_experiment_by_name(STUDY).experiment_id
    return {run.info.run_name: run.info.run_id for run in client.search_runs([experiment], "", view)}


def confirmed(store: Path, name: str) -> Result:
    shown = sync(store, delete=name)
    assert shown.exit_code == 0, shown.output
    (token,) = re.findall(r"--confirm (\S+)", shown.stdout)
    return sync(store, delete=name, confirm=token)


def everything_in(store: Path) -> str:
    """All rows of the store's tables, and the bytes of its file, as text."""
    with closing(sqlite3.connect(store / "mlflow.db")) as connection:
        return "\n".join(connection.iterdump()) + (store / "mlflow.db").read_bytes().decode("latin-1")


def test_a_study_goes_with_all_that_is_its_own_and_nothing_else(client: MlflowClient, store: Path) -> None:
    runs = ids(client)
    before = repr(stock(client))
    theirs = {name: one for name, one in stock(client).runs.items() if not name.startswith("second")}
    shown = sync(store, delete=runs["second"])
    assert "goes: 3 runs (1 fold, 1 train, 1 main), 1 models and 8 files of " in shown.stdout
    assert "goes: version 2 of fear-classifier (alias challenger)" in shown.stdout
    assert f"stays: predict run {runs['predict']}, which mentions what goes" in shown.stdout
    assert "nothing was removed; to remove it:" in shown.stdout
    assert repr(stock(client)) == before
    wrong = sync(store, delete=runs["second"], confirm="12345678")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "nothing was removed" in wrong.stderr
    assert repr(stock(client)) == before
    done = confirmed(store, runs["second"])
    assert done.exit_code == 0, done.output
    assert set(ids(client)) == {"first", "first prepare", "first train", "first fold_S1_1", "predict"}
    assert repr(stock(client).runs) == repr(theirs)
    (version,) = client.search_model_versions("name = 'fear-classifier'")
    assert client.get_registered_model("fear-classifier").aliases == {"champion": int(version.version)}
    left = everything_in(store)
    gone = {runs[name] for name in ("second", "second train", "second fold_S1_1")}
    assert not [run_id for run_id in gone if run_id in left]
    assert not [path for path in (store / "mlruns").rglob("*") if path.name in gone]
    again = sync(store, delete=runs["second"])
    assert "is no run in this store" in again.stderr


def test_what_another_study_builds_upon_stays(client: MlflowClient, store: Path) -> None:
    runs = ids(client)
    shown = sync(store, delete=runs["first"])
    assert f"stays: prepare run {runs['first prepare']}, on which second train" in shown.stdout
    assert "attention: one of these versions is the champion" in shown.stdout
    assert confirmed(store, runs["first"]).exit_code == 0
    assert set(ids(client)) == {"first prepare", "second", "second train", "second fold_S1_1", "predict"}
    prepare = client.get_run(runs["first prepare"])
    assert "mlflow.parentRunId" not in prepare.data.tags
    assert Path(client.download_artifacts(runs["first prepare"], "dataset/trials.bin")).read_text() == "0123456789"
    assert confirmed(store, "latest").exit_code == 0
    assert set(ids(client)) == {"first prepare", "predict"}
    assert client.search_registered_models() == []


def test_the_champion_is_not_removed_by_the_way(client: MlflowClient, store: Path) -> None:
    runs = ids(client)
    shown = sync(store, delete=runs["first"]).stdout
    (token,) = re.findall(r"--confirm (\S+)", shown)
    assert token.endswith("-champion")
    assert sync(store, delete=runs["first"], confirm=token.removesuffix("-champion")).exit_code == 2
    client.set_registered_model_alias("fear-classifier", "champion", "2")
    assert sync(store, delete=runs["first"], confirm=token).exit_code == 2, "it is another case now"
    assert len(ids(client)) == 8


def test_a_removal_that_was_killed_is_completed(
    client: MlflowClient, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = ids(client)
    removed: list[str] = []
    real = removal._remove_artifacts

    def killed(owner: str, place: str, uri: str) -> str:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(owner)
        return real(owner, place, uri)

    with monkeypatch.context() as patch:
        patch.setattr(removal, "_remove_artifacts", killed)
        assert confirmed(store, runs["second"]).exit_code != 0
    assert runs["second"] not in ids(client, ViewType.ACTIVE_ONLY).values(), "nobody takes half a study for a whole one"
    assert confirmed(store, runs["second"]).exit_code == 0
    assert len(ids(client)) == 5


def test_artifacts_in_a_folder_of_others_are_left_alone(client: MlflowClient, store: Path) -> None:
    shared = store / "shared"
    shared.mkdir()
    (shared / "precious.txt").write_text("theirs")
    runs = ids(client)
    with closing(sqlite3.connect(store / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (shared.as_uri(), runs["second"]))
    done = confirmed(store, runs["second"])
    assert done.exit_code == 2
    assert "it is not the folder of " in done.stderr
    assert (shared / "precious.txt").read_text() == "theirs"


def test_on_a_server_what_its_users_may_is_done(client: MlflowClient) -> None:
    # Here the server is a SQLite store: the calls are the same.
    runs = ids(client)
    plan = removal.plan(client, runs["second"], ViewType.ACTIVE_ONLY)
    removal.remove_on_server(plan, client)
    assert set(ids(client, ViewType.ACTIVE_ONLY)) == {
        "first",
        "first prepare",
        "first train",
        "first fold_S1_1",
        "predict",
    }
    assert len(client.search_model_versions("name = 'fear-classifier'")) == 1
    experiment = client.get_experiment_by_name(STUDY).experiment_id
    assert len(client.search_logged_models([experiment])) == 1
    client.restore_run(runs["second"])


def test_a_study_that_is_still_recorded_stays(client: MlflowClient, store: Path) -> None:
    runs = ids(client)
    client.update_run(runs["second"], status="RUNNING")
    done = sync(store, delete=runs["second"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "is still being recorded" in done.stderr
    assert "a run that is still being recorded" in sync(store, to="new.zip", run_id=runs["second"]).stderr
    assert "delete is 'abc', which is no run" in sync(store, delete="abc").stderr
