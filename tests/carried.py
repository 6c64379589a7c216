"""Two small studies of a local store, the second of which took over the first one's dataset; and a record of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from steps.sync.__main__ import main
from steps.tracking.experiments import experiment_named
from steps.tracking.record import DatasetPart
from steps.tracking.tracker import MLflowTracker
from tests.changed_server import IGNORED
from tests.inventory import Inventory, differences, inventory
from tests.tracking.spool.test_push import NETWORK

STUDY = "a study"


@dataclass
class Studies:
    """A folder with a store of two studies."""

    folder: Path
    runs: dict[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, self.uri)


def sync(folder: Path, uri: str | None = None, /, **options: object) -> Result:
    """The command, in this process."""
    given = [f"--{name.rstrip('_')}={value}" for name, value in options.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri or f"sqlite:///{folder / 'mlflow.db'}")
        return CliRunner().invoke(main, ["--cwd", str(folder), *given])


def missed(expected: Inventory, actual: Inventory) -> list[str]:
    """What differs, but for the lengths of texts that name places, and where the store is."""
    found = differences(expected, actual)
    return [line for line in found if " > size is " not in line and "store_place" not in line]


def stock(client: MlflowClient, experiment: str = STUDY) -> Inventory:
    """What a store has of the studies, but for what copying notes."""
    return inventory(client, experiment, rf"{IGNORED}|host$|pid$|process_started$")


def new_store(folder: Path, empty_store: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_store, folder / "mlflow.db")
    return folder


def record_studies(folder: Path) -> Studies:
    """Record two studies into the store in the folder, in which this process is."""
    studies = Studies(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", studies.uri)
        patch.chdir(folder)
        experiment_id = experiment_named(STUDY)
        _record(studies, experiment_id, "first")
        _record(studies, experiment_id, "second", prepare=studies.runs["first prepare"])
        studies.client.set_registered_model_alias("fear-classifier", "challenger", "2")
        studies.client.set_registered_model_alias("fear-classifier", "champion", "1")
    return studies


def _record(studies: Studies, experiment_id: str, name: str, prepare: str = "") -> None:
    client = studies.client
    with MLflowTracker(experiment_id=experiment_id) as tracker:
        study = tracker.start_run(name, tags={"entry_point": "main"})
        studies.runs[name] = study.run_id
        with MLflowTracker(experiment_id=experiment_id, parent_run_id=study.run_id) as steps:
            if not prepare:
                made = steps.start_run(f"{name} prepare", tags={"entry_point": "prepare"})
                made.log_artifacts({"dataset/dataset.json": '{"name": "x"}\n', "dataset/trials.bin": "0123456789"})
                made.end_run()
                prepare = studies.runs[f"{name} prepare"] = made.run_id
            uri = f"runs:/{prepare}/dataset"
            place = client.get_run(prepare).info.artifact_uri
            train = steps.start_run(f"{name} train", tags={"entry_point": "train", "dataset_uri": uri})
            studies.runs[f"{name} train"] = train.run_id
            with MLflowTracker(experiment_id=experiment_id, parent_run_id=train.run_id) as folds:
                fold = folds.start_run(f"{name} fold", "S1", 1, {"entry_point": "fold"})
                fold.log_model(NETWORK, (21, 6))
                fold.log_parameters({"seed": 1, "train_run_id": train.run_id})
                fold.log_training_metrics({"loss": [0.7, 0.6, 0.5]}, [1_000, 2_000, 3_000])
                fold.log_evaluation_metrics({"test_loss": float("nan")}, inference_time=0.25)
                fold.log_datasets([DatasetPart("x", "d" * 64, f"{place}/dataset", ("S1",), "test")])
                fold.end_run()
                studies.runs[f"{name} fold"] = fold.run_id
            train.log_artifacts({"report.md": f"of {place}/dataset, the best fold is {fold.run_id}\n"})
            train.end_run()
        study.log_tags({"prepare_run_id": prepare, "train_run_id": train.run_id})
        study.end_run()
    filter_string = f"source_run_id = '{fold.run_id}'"
    (model,) = client.search_logged_models([experiment_id], filter_string)
    if not client.search_registered_models():
        client.create_registered_model("fear-classifier", description="for new people")
    tags = {"auc": "0.9", "train_run_id": train.run_id}
    mlflow.set_tracking_uri(None)
    version = client.create_model_version("fear-classifier", model.artifact_location, fold.run_id, tags)
    if name == "second":
        with MLflowTracker(experiment_id=experiment_id) as tracker:
            uri = f"models:/fear-classifier/{version.version}"
            studies.runs["predict"] = tracker.start_run(
                "predict", tags={"entry_point": "predict", "model_uri": uri}
            ).run_id
