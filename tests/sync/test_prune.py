"""A spool is removed only when its server hands out all that is in it; what is lost or deleted anywhere is named.

Every test runs with a second SQLite store in place of the server and, as a slow one, with a real ``mlflow server``.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from steps.tracking.spool.push import Push
from steps.tracking.spool.result import SyncResult
from tests.changed_server import STUDY, Line, assert_whole


def test_pruning_asks_the_server_and_removes_nothing_that_it_has_forgotten(line: Line) -> None:
    before = line.backup()
    assert line.sync().exit_code == 0
    line.restore(before)
    done = line.sync("--prune", "true")
    assert done.exit_code == 0, done.output
    assert "no longer has 3 runs (train, fold_S1_1, fold_S2_1), copied there before" in done.stderr
    assert "3 of 4 runs" in done.stdout
    assert "removed: all of it was read back" in done.stdout
    assert not line.spool.folder.exists()
    assert set(line.copies()) == set(line.runs)
    fold = line.copies()["fold_S1_1"]
    assert line.copies()["train"].data.tags["best"] == fold.info.run_id
    assert line.server_client.get_model_version_by_alias("fear-classifier", "challenger").run_id == fold.info.run_id


QUICK = ("metric point", "file", "alias")
SLOW = ("param", "tag", "model file", "version")


@pytest.mark.parametrize("wanted", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_pruning_sees_whatever_is_missing(line: Line, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line.sync().exit_code == 0
    damage(line, wanted)
    with monkeypatch.context() as patch:
        patch.setattr(Push, "once", lambda *_args, **_options: SyncResult())
        done = line.sync("--prune", "true")
    assert done.exit_code == 2, "without copying it again"
    assert "not removed, because " in done.stderr
    done = line.sync("--prune", "true")
    assert done.exit_code == 0, done.output
    assert not line.spool.folder.exists()


def damage(line: Line, wanted: str) -> None:
    """Take something away on the server, as a restored backup or a lost disk would."""
    copy = line.copies()["fold_S1_1"]
    statements = {
        "param": "DELETE FROM params WHERE run_uuid = ?",
        "tag": "UPDATE tags SET value = 'other' WHERE key = 'subject' AND run_uuid = ?",
        "metric point": "DELETE FROM metrics WHERE step = 2 AND run_uuid = ?",
        "alias": "DELETE FROM registered_model_aliases WHERE ? != ''",
    }
    if sql := statements.get(wanted):
        with closing(sqlite3.connect(line.database)) as connection, connection:
            connection.execute(sql, [copy.info.run_id])
    elif wanted == "version":
        line.server_client.delete_model_version("fear-classifier", "1")
    else:
        name = "history.csv" if wanted == "file" else "model.keras"
        for path in line.database.parent.rglob(name):
            if line.spool.folder not in path.parents:
                path.unlink()


def test_a_run_that_was_deleted_there_stays_deleted_and_is_not_pruned(line: Line) -> None:
    assert line.sync().exit_code == 0
    copy = line.copies()["fold_S2_1"].info.run_id
    line.server_client.delete_run(copy)
    line.spool.client().set_tag(line.runs["fold_S2_1"], "later", "yes")
    done = line.sync()
    assert done.exit_code == 0, done.output
    assert "left so: 1 run (fold_S2_1); to restore: MLFLOW_TRACKING_URI=" in done.stderr
    assert f"mlflow runs restore --run-id {copy}" in done.stderr
    assert "0 of 0 runs" in done.stdout
    assert "fold_S2_1" not in line.copies()
    kept = line.sync("--prune", "true")
    assert kept.exit_code == 2
    assert "run fold_S2_1: deleted on the server, so this is all that is left of it" in kept.stderr
    assert line.spool.folder.exists()
    line.server_client.restore_run(copy)
    assert_whole(line, line.sync())
    assert line.copies()["fold_S2_1"].data.tags["later"] == "yes"
    assert line.sync("--prune", "true").exit_code == 0


def test_a_model_that_was_deleted_there_stays_deleted_and_is_not_pruned(line: Line) -> None:
    assert line.sync().exit_code == 0
    (output,) = line.copies()["fold_S2_1"].outputs.model_outputs
    line.server_client.delete_logged_model(output.model_id)
    done = line.sync()
    assert done.exit_code == 0, done.output
    assert "left so: 1 model (model)" in done.stderr
    assert line.sync("--prune", "true").exit_code == 2


def test_what_is_lost_before_it_was_copied_is_named(line: Line) -> None:
    client = line.spool.client()
    place = Path(client.get_run(line.runs["fold_S1_1"]).info.artifact_uri.removeprefix("file://"))
    saved = (place / "split.json").read_bytes()
    (place / "split.json").unlink()
    (model,) = client.search_logged_models(
        [line.spool.experiment(STUDY)], f"source_run_id = '{line.runs['fold_S2_1']}'"
    )
    shutil.rmtree(model.artifact_location.removeprefix("file://"))
    done = line.sync()
    assert done.exit_code == 2
    assert "run fold_S1_1: logged, but no longer in this spool: split.json; put back what is lost under" in done.stderr
    assert "model model: logged, but no longer in this spool: MLmodel, conda.yaml, data/keras_module.txt" in done.stderr
    assert f"(model of run {line.runs['fold_S2_1']})" in done.stderr
    assert line.sync("--prune", "true").exit_code == 2
    (place / "split.json").write_bytes(saved)
    assert "fold_S1_1" not in line.sync().stderr


def test_what_is_lost_here_after_it_was_copied_is_on_the_server(line: Line) -> None:
    assert line.sync().exit_code == 0
    place = Path(line.spool.client().get_run(line.runs["fold_S1_1"]).info.artifact_uri.removeprefix("file://"))
    (place / "split.json").unlink()
    assert line.sync().exit_code == 0
    assert line.sync("--prune", "true").exit_code == 0


def test_pruning_leaves_what_is_still_recorded(line: Line) -> None:
    run = line.spool.client().create_run(line.spool.experiment(STUDY), run_name="under way")
    done = line.sync("--prune", "true")
    assert done.exit_code == 2
    assert "run under way: still being recorded, or its process was killed" in done.stderr
    line.spool.client().set_terminated(run.info.run_id, "FAILED")
    assert line.sync("--prune", "true").exit_code == 0
