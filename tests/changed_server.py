"""A spool with a small study, and a server that may become another one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner, Result
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from steps.sync.__main__ import main
from steps.tracking.spool.spool import Spool
from steps.tracking.tracker import MLflowTracker
from tests.inventory import Inventory, inventory
from tests.tracking.spool.test_push import NETWORK, OWN_TAGS, missed

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
    def server_client(self) -> MlflowClient:
        return self.spool.target_client()

    def backup(self, name: str = "backup") -> Path:
        return copy_database(self.database, self.spool.folder.parent / name)

    def restore(self, backup: Path) -> None:
        """The server's database becomes that one, while nobody asks it anything."""
        copy_database(backup, self.database)

    def copies(self, view: int = ViewType.ACTIVE_ONLY) -> dict[str, Run]:
        """The runs of the study on the server by name, each there once."""
        experiment = self.server_client.get_experiment_by_name(STUDY)
        runs = self.server_client.search_runs([experiment.experiment_id], "", view) if experiment else []
        assert len({run.info.run_name for run in runs}) == len(runs), "each run is there once"
        return {run.info.run_name: run for run in runs}

    def missed(self) -> list[str]:
        """What the server does not hold as the spool does."""
        return missed(stock(self.spool.client()), stock(self.server_client))

    def sync(self, *options: str) -> Result:
        folder = self.spool.folder.parents[1]
        return CliRunner().invoke(main, ["--cwd", str(folder), *options])


def stock(client: MlflowClient) -> Inventory:
    whole = inventory(client, STUDY, IGNORED)
    return Inventory({k: v for k, v in whole.runs.items() if "(deleted)" not in k}, whole.registered, {})


def copy_database(source: Path, target: Path) -> Path:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target


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
    assert "0 of 0 runs, 0 models and 0 registered versions copied and checked; 0 duplicates removed" in again.stdout
