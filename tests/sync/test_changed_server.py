"""A server that has become another one: nothing is lost, nothing lands with strangers, and each case is said.

Every test runs with a second SQLite store in place of the server and, as a slow one, with a real ``mlflow server``.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from steps.sync.__main__ import main
from steps.tracking import push
from steps.tracking.push import Push
from steps.tracking.spool import Spool, open_spool
from steps.tracking.tracker import MLflowTracker
from tests.inventory import Inventory, inventory
from tests.servers import Server, mlflow_server
from tests.tracking.test_push import NETWORK, OWN_TAGS, missed

STUDY = "a study"
IGNORED = rf"{OWN_TAGS}|mlflow\.modelVersions$"


@dataclass
class Line:
    """A spool with a finished study of one training and two folds, and the server it is for."""

    spool: Spool
    database: Path
    empty: Path
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def there(self) -> MlflowClient:
        return self.spool.target_client()

    def backup(self, name: str = "backup") -> Path:
        return copy_database(self.database, self.spool.folder.parent / name)

    def restore(self, backup: Path) -> None:
        """The server's database becomes that one, while nobody asks it anything."""
        copy_database(backup, self.database)

    def copies(self, view: int = ViewType.ACTIVE_ONLY) -> dict[str, Run]:
        """The runs of the study on the server by name, each there once."""
        experiment = self.there.get_experiment_by_name(STUDY)
        runs = self.there.search_runs([experiment.experiment_id], "", view) if experiment else []
        assert len({run.info.run_name for run in runs}) == len(runs), "each run is there once"
        return {run.info.run_name: run for run in runs}

    def missed(self) -> list[str]:
        """What the server does not hold as the spool does."""
        return missed(stock(self.spool.client()), stock(self.there))

    def sync(self, *options: str) -> Result:
        folder = self.spool.folder.parents[1]
        return CliRunner().invoke(main, ["--cwd", str(folder), *options])


def stock(client: MlflowClient) -> Inventory:
    found = inventory(client, STUDY, IGNORED)
    return Inventory({k: v for k, v in found.runs.items() if "(deleted)" not in k}, found.registered, {})


def copy_database(source: Path, target: Path) -> Path:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "server.db")
    with mlflow_server(folder) as running:
        yield running


@pytest.fixture(params=["store", pytest.param("server", marks=pytest.mark.slow)])
def line(
    request: pytest.FixtureRequest, store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if request.param == "server":
        running: Server = request.getfixturevalue("server")
        database, uri = running.folder / "server.db", running.uri
        copy_database(empty_store, database)
    else:
        database = store / "server.db"
        shutil.copy(empty_store, database)
        uri = f"sqlite:///{database}"
    made = Line(open_spool(uri, store / "user"), database, empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.spool.uri)
    record_study(made)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)


def record_study(line: Line, subjects: tuple[str, ...] = ("S1", "S2")) -> None:
    experiment_id = line.spool.experiment(STUDY)
    with MLflowTracker(experiment_id=experiment_id) as tracker:
        train = tracker.start_run("train", tags={"entry_point": "train"})
        with MLflowTracker(experiment_id=experiment_id, parent_run_id=train.run_id) as folds:
            for subject in subjects:
                run = folds.start_run("fold", subject, 1)
                run.log_model(NETWORK, (21, 6))
                run.log_parameters({"seed": 1})
                run.log_training_metrics({"loss": [0.7, 0.6, 0.5]}, [1_000, 2_000, 3_000])
                run.log_artifacts({"split.json": "{}\n", "history.csv": "loss\n0.5\n"})
                run.end_run()
                line.runs[f"fold_{subject}_1"] = run.run_id
        train.log_tags({"best": line.runs["fold_S1_1"]})
        train.log_artifacts({"report.md": f"the best fold is {line.runs['fold_S1_1']}\n"})
        train.end_run()
        line.runs["train"] = train.run_id
    client = line.spool.client()
    (model,) = client.search_logged_models([experiment_id], f"source_run_id = '{line.runs['fold_S1_1']}'")
    client.create_registered_model("fear-classifier")
    client.create_model_version("fear-classifier", model.artifact_location, line.runs["fold_S1_1"], {"auc": "0.9"})
    client.set_registered_model_alias("fear-classifier", "challenger", "1")


def assert_whole(line: Line, done: Result) -> None:
    assert done.exit_code == 0, done.output
    assert line.missed() == []
    again = line.sync()
    assert (again.exit_code, again.stderr) == (0, ""), again.output
    assert "0 of 0 runs, 0 models and 0 registered versions copied and checked; 0 doubles removed" in again.stdout


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
    assert line.there.get_model_version_by_alias("fear-classifier", "challenger").run_id == fold.info.run_id


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


@pytest.mark.parametrize("wanted", ["param", "tag", "metric point", "file", "model file", "alias", "version"])
def test_pruning_sees_whatever_is_missing(line: Line, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line.sync().exit_code == 0
    damage(line, wanted)
    with monkeypatch.context() as patch:
        patch.setattr(Push, "once", lambda *_args, **_options: push.Passed())
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
        line.there.delete_model_version("fear-classifier", "1")
    else:
        name = "history.csv" if wanted == "file" else "model.keras"
        for path in line.database.parent.rglob(name):
            if line.spool.folder not in path.parents:
                path.unlink()


def test_a_new_and_empty_server_at_the_same_address_gets_everything(line: Line) -> None:
    assert line.sync().exit_code == 0
    line.restore(line.empty)
    done = line.sync()
    assert "no longer has 3 runs" in done.stderr
    assert "no longer has fear-classifier/1; registered again" in done.stderr
    assert_whole(line, done)


def test_an_experiment_that_has_our_number_but_is_a_strangers_stays_his(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.there.get_experiment_by_name(STUDY).experiment_id
    line.restore(line.empty)
    assert line.there.create_experiment("a stranger's") == number
    his = line.there.create_run(number, run_name="a stranger's").info
    run = his.run_id
    line.there.create_registered_model("fear-classifier")
    line.there.create_model_version("fear-classifier", f"{his.artifact_uri}/model", run, {"auc": "0.1"})
    client = line.spool.client()
    client.set_tag(line.runs["fold_S1_1"], "later", "yes")
    client.set_model_version_tag("fear-classifier", "1", "auc", "0.95")
    done = line.sync()
    assert done.exit_code == 0, done.output
    assert [found.info.run_id for found in line.there.search_runs([number])] == [run]
    assert set(line.copies()) == set(line.runs)
    versions = {found.version: found.tags["auc"] for found in line.there.search_model_versions()}
    assert {str(version): auc for version, auc in versions.items()} == {"1": "0.1", "2": "0.95"}


def test_an_experiment_that_was_renamed_is_still_ours(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.there.get_experiment_by_name(STUDY).experiment_id
    line.there.rename_experiment(number, "another name")
    line.spool.client().set_tag(line.runs["fold_S1_1"], "later", "yes")
    done = line.sync()
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert line.there.get_experiment_by_name(STUDY) is None
    assert len(line.there.search_runs([number], "tags.later = 'yes'")) == 1


def test_a_run_that_was_deleted_there_stays_deleted_and_is_not_pruned(line: Line) -> None:
    assert line.sync().exit_code == 0
    copy = line.copies()["fold_S2_1"].info.run_id
    line.there.delete_run(copy)
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
    line.there.restore_run(copy)
    assert_whole(line, line.sync())
    assert line.copies()["fold_S2_1"].data.tags["later"] == "yes"
    assert line.sync("--prune", "true").exit_code == 0


def test_a_model_that_was_deleted_there_stays_deleted_and_is_not_pruned(line: Line) -> None:
    assert line.sync().exit_code == 0
    (output,) = line.copies()["fold_S2_1"].outputs.model_outputs
    line.there.delete_logged_model(output.model_id)
    done = line.sync()
    assert done.exit_code == 0, done.output
    assert "left so: 1 model (model)" in done.stderr
    assert line.sync("--prune", "true").exit_code == 2


def test_an_experiment_that_was_deleted_there_is_said(line: Line) -> None:
    assert line.sync().exit_code == 0
    number = line.there.get_experiment_by_name(STUDY).experiment_id
    line.there.delete_experiment(number)
    line.spool.client().create_run(line.spool.experiment(STUDY), run_name="new")
    done = line.sync()
    assert done.exit_code == 2
    assert f"run new: experiment {STUDY!r} was deleted on " in done.stderr
    assert f"mlflow experiments restore -x {number}) and sync again" in done.stderr
    line.there.restore_experiment(number)
    assert line.sync().exit_code == 0
    assert "new" in line.copies()


def test_a_registered_model_that_is_gone_is_registered_again(line: Line) -> None:
    assert line.sync().exit_code == 0
    line.there.delete_registered_model("fear-classifier")
    done = line.sync()
    assert "no longer has fear-classifier/1; registered again" in done.stderr
    assert_whole(line, done)


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
