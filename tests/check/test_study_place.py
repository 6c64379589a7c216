"""Where studies are recorded: what would go wrong with the next one, and what is gone of the last."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from steps.check import installation
from steps.check.checklist import CheckError
from steps.check.study_place import default_experiment, look_for_artifacts, may_write
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.session import step_run
from steps.tracking.store.trouble import trouble_with
from tests.bad_servers import answering


def test_a_deleted_default_experiment_stops_mlflow_run_without_a_name(store: Path) -> None:
    assert default_experiment(False).startswith("there")
    MlflowClient().delete_experiment("0")
    with pytest.raises(CheckError, match="Default is deleted, and mlflow run without a name begins there") as caught:
        default_experiment(False)
    assert "mlflow experiments restore -x 0" in caught.value.mend
    assert "not needed" in default_experiment(True)


@pytest.fixture
def tracking_uri(monkeypatch: pytest.MonkeyPatch, store: Path) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        yield patch
    mlflow.set_tracking_uri(None)


def test_one_that_is_gone_for_good(tracking_uri: pytest.MonkeyPatch) -> None:
    gone = '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment with id=0 exists"}'
    with answering(lambda _method, _path: (404, gone)) as uri:
        tracking_uri.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(CheckError, match="Default is gone for good"):
            default_experiment(False)


def test_whether_one_may_write_is_found_out_without_writing(store: Path) -> None:
    client = MlflowClient()
    experiment_id = client.create_experiment("mine", tags={"one": "two"})
    before = client.get_experiment(experiment_id)
    assert may_write(experiment_id) == "this account may"
    after = client.get_experiment(experiment_id)
    assert (after.tags, after.last_update_time) == (before.tags, before.last_update_time)


def test_a_readers_account_is_told_what_it_is(tracking_uri: pytest.MonkeyPatch) -> None:
    def read_only(method: str, _path: str) -> tuple[int, str]:
        return (200, "{}") if method == "GET" else (403, "Permission denied")

    with answering(read_only) as uri:
        tracking_uri.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(MlflowException) as caught:
            may_write("1")
    assert "ask the server's owner for permission to write" in trouble_with(caught.value).mend


def test_a_default_experiment_of_others_matters_where_no_other_is_chosen(tracking_uri: pytest.MonkeyPatch) -> None:
    with answering(lambda _method, _path: (403, "Permission denied")) as uri:
        tracking_uri.setenv("MLFLOW_TRACKING_URI", uri)
        assert default_experiment(True) == "Default is not this account's; not needed, another experiment is chosen"
        with pytest.raises(CheckError, match="Default is not this account's, and mlflow run without a name") as caught:
            default_experiment(False)
    assert caught.value.mend == "name one of your own: mlflow run . --experiment-name …"


def test_files_that_were_taken_away_are_missed(store: Path) -> None:
    assert look_for_artifacts("0") == "none yet"
    with step_run("prepare", {}) as run:
        pass
    experiment = MlflowClient().get_experiment_by_name(EXPERIMENT)
    place = Path(urlsplit(run.info.artifact_uri).path)
    assert look_for_artifacts(experiment.experiment_id) == f"those of the newest run are in {run.info.artifact_uri}"
    shutil.move(place, store / "elsewhere")
    with pytest.raises(CheckError, match=f"recorded files in .*{place}, and none are there") as caught:
        look_for_artifacts(experiment.experiment_id)
    assert "put the folder back" in caught.value.mend


def test_the_code_is_known_by_its_commit_or_it_is_said_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {"code_sha256": "0123456789abcdef", "git_commit": "abcdef0123456789", "git_dirty": "true"}
    monkeypatch.setattr(installation, "environment_tags", lambda: tags)
    monkeypatch.setattr(installation, "git_problem", lambda: "")
    assert installation.check_code() == "commit abcdef012345, with changes"
    tags["git_dirty"] = "false"
    assert installation.check_code() == "commit abcdef012345, unchanged"
    del tags["git_commit"]
    assert installation.check_code() == "no clone; known by its digest 0123456789ab…"
    monkeypatch.setattr(installation, "git_problem", lambda: "git says 'fatal: detected dubious ownership'")
    with pytest.raises(CheckError, match="the commit cannot be recorded: git says 'fatal: detected dubious") as caught:
        installation.check_code()
    assert "git config --global --add safe.directory /" in caught.value.mend
