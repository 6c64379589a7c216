"""A server that has become another one: nothing is lost, nothing lands with strangers, and each case is said.

Every test runs with a second SQLite store in place of the server and, as a slow one, with a real ``mlflow server``.
"""

from __future__ import annotations

import pytest

from steps.errors import UserError
from steps.tracking import lookup, reuse
from steps.tracking.spool import id_on_server, pull
from steps.tracking.spool.push import Push
from steps.tracking.spool.replicator import Backlog, Replicator, degraded
from steps.tracking.store.allowed import ALLOWED
from tests.changed_server import STUDY, Line, assert_whole


def test_a_backup_from_amid_the_study_is_completed(line: Line) -> None:
    Push(line.spool).once()
    before = line.backup()
    line.spool.client().log_metric(line.runs["fold_S2_1"], "test_auc", 0.75)
    line.spool.client().set_tag(line.runs["fold_S1_1"], "later", "yes")
    assert line.sync().exit_code == 0
    names = Push(line.spool).names().identifiers
    line.restore(before)
    done = line.sync()
    assert "has 2 runs (fold_S1_1, fold_S2_1) in an older state; copied again" in done.stderr
    assert_whole(line, done)
    assert Push(line.spool).names().identifiers == names, "no run was made anew"


def test_a_new_and_empty_server_at_the_same_address_gets_everything(line: Line) -> None:
    assert line.sync().exit_code == 0
    line.restore(line.empty)
    done = line.sync()
    assert "no longer has 3 runs" in done.stderr
    assert "no longer has fear-classifier/1; registered again" in done.stderr
    assert_whole(line, done)


def test_an_experiment_that_has_our_number_but_is_a_strangers_stays_his(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.server_client.get_experiment_by_name(STUDY).experiment_id
    line.restore(line.empty)
    assert line.server_client.create_experiment("a stranger's") == number
    his = line.server_client.create_run(number, run_name="a stranger's").info
    run = his.run_id
    line.server_client.create_registered_model("fear-classifier")
    line.server_client.create_model_version("fear-classifier", f"{his.artifact_uri}/model", run, {"auc": "0.1"})
    client = line.spool.client()
    client.set_tag(line.runs["fold_S1_1"], "later", "yes")
    client.set_model_version_tag("fear-classifier", "1", "auc", "0.95")
    done = line.sync()
    assert done.exit_code == 0, done.output
    assert [entity.info.run_id for entity in line.server_client.search_runs([number])] == [run]
    assert set(line.copies()) == set(line.runs)
    versions = {entity.version: entity.tags["auc"] for entity in line.server_client.search_model_versions()}
    assert {str(version): auc for version, auc in versions.items()} == {"1": "0.1", "2": "0.95"}


def test_an_experiment_that_was_renamed_is_still_ours(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.server_client.get_experiment_by_name(STUDY).experiment_id
    line.server_client.rename_experiment(number, "another name")
    line.spool.client().set_tag(line.runs["fold_S1_1"], "later", "yes")
    done = line.sync()
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert line.server_client.get_experiment_by_name(STUDY) is None
    assert len(line.server_client.search_runs([number], "tags.later = 'yes'")) == 1


def test_an_experiment_that_was_deleted_there_is_said(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.server_client.get_experiment_by_name(STUDY).experiment_id
    line.server_client.delete_experiment(number)
    line.spool.client().create_run(line.spool.experiment(STUDY), run_name="new")
    done = line.sync()
    assert done.exit_code == 2
    assert f"run new: experiment {STUDY!r} was deleted on " in done.stderr
    assert f"mlflow experiments restore -x {number}) and sync again" in done.stderr
    line.server_client.restore_experiment(number)
    assert line.sync().exit_code == 0
    assert "new" in line.copies()


def test_a_registered_model_that_is_gone_is_registered_again(line: Line) -> None:
    assert line.sync().exit_code == 0
    line.server_client.delete_registered_model("fear-classifier")
    done = line.sync()
    assert "no longer has fear-classifier/1; registered again" in done.stderr
    assert_whole(line, done)


@pytest.mark.parametrize("line", [pytest.param("server", marks=pytest.mark.slow)], indirect=True)
def test_a_server_that_names_a_folder_is_refused_until_that_is_allowed(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = line.spool.folder.parent / "theirs"
    line.server_client.create_experiment(STUDY, artifact_location=theirs.as_uri())
    done = line.sync()
    assert done.exit_code == 2
    assert done.stderr.count("keeps artifacts in file:///") == 1, "one line for all runs"
    assert "run train, run fold_S1_1, run fold_S2_1: " in done.stderr
    assert f"name the place in {ALLOWED}" in done.stderr
    assert not theirs.exists()
    assert line.copies() == {}
    monkeypatch.setenv(ALLOWED, str(theirs))
    assert_whole(line, line.sync())


def test_a_study_says_what_is_wrong_where_the_server_is_not_away(line: Line) -> None:
    line.server_client.delete_experiment(line.server_client.create_experiment(STUDY))
    backlog = Backlog(3, "reason", refused=["run train: reason"])
    user = line.spool.folder.parents[1]
    assert "Nothing is lost. When that is mended:" in degraded(line.spool, backlog, user)
    assert "Nothing is lost. When the server is back:" in degraded(line.spool, Backlog(3, "away"), user)
    replicator = Replicator(line.spool)
    replicator.start()
    backlog = replicator.stop()
    assert backlog.runs == 4
    assert backlog.reason.startswith(f"run train, run fold_S1_1, run fold_S2_1: experiment {STUDY!r} was deleted on ")


def test_what_the_server_has_deleted_is_not_used_again(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", line.spool.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", line.spool.target)
    experiment_id, client = line.spool.experiment(STUDY), line.spool.client()
    Push(line.spool).once()
    train = client.get_run(line.runs["train"])
    assert pull.deleted_on_server(train) == ""
    line.server_client.delete_run(line.copies()["train"].info.run_id)
    assert pull.deleted_on_server(train) == "train"
    with pytest.raises(UserError, match="no finished train run"):
        lookup.find_run("train", "latest", experiment_id)
    identity = reuse.Identity("train", {}, "code", "inputs")
    client.set_tag(line.runs["train"], reuse.KEY_TAG, identity.key)
    reusable, reason = reuse.find(identity, experiment_id)
    assert reusable is None
    assert reason == f"run {line.runs['train']} matches, but train was deleted on the server"


def test_a_training_whose_fold_the_server_has_deleted_is_not_whole(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEAR_TRACKING_TARGET", line.spool.target)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", line.spool.uri)
    client = line.spool.client()
    client.set_tag(line.runs["fold_S2_1"], "entry_point", "fold")
    Push(line.spool).once()
    line.server_client.delete_run(line.copies()["fold_S2_1"].info.run_id)
    assert pull.deleted_on_server(client.get_run(line.runs["train"])) == "fold_S2_1"


def test_workers_are_told_what_a_new_server_calls_a_run(line: Line) -> None:
    run_id = line.runs["train"]
    before = id_on_server(line.spool, run_id)
    assert before == id_on_server(line.spool, run_id) == line.copies()["train"].info.run_id
    line.restore(line.empty)
    assert id_on_server(line.spool, run_id) == line.copies()["train"].info.run_id != before
