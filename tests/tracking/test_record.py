"""Writing the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from steps.core.data.dataset import Dataset
from steps.core.models.keras_file import as_bytes
from steps.tracking import lookup, record
from steps.tracking.models import reading
from steps.tracking.models.fold_model import PACKAGES, model_requirements
from steps.tracking.session import step_run
from tests.tracking.helpers import fold_run


def test_large_batches_are_split(store: Path) -> None:
    with step_run("train", {}) as run:
        run_id = run.info.run_id
        record.log(run_id, params={f"p{i}": i for i in range(250)}, tags={f"t{i}": i for i in range(250)})
        record.log(run_id, points=[Metric("loss", float(i), i, i) for i in range(2500)])
    recorded = MlflowClient().get_run(run_id)
    assert len(recorded.data.params) == 250
    assert recorded.data.tags["t249"] == "249"
    history = MlflowClient().get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(i, float(i)) for i in range(2500)]


def test_updating_metrics_twice_doubles_nothing(store: Path) -> None:
    with step_run("train", {}) as run:
        record.log(run.info.run_id, metrics={"kept": 1.0})
    for value in (0.25, 0.25, 0.75):
        record.update_metrics(run, {"kept": 1.0, "test_auc": value})
    client = MlflowClient()
    assert client.get_run(run.info.run_id).data.metrics == {"kept": 1.0, "test_auc": 0.75}
    assert [point.value for point in client.get_metric_history(run.info.run_id, "kept")] == [1.0]
    assert [point.value for point in client.get_metric_history(run.info.run_id, "test_auc")] == [0.25, 0.75]


def test_files_are_logged_by_what_they_hold(store: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"subject": ["007", "NA"], "p": [0.1, 1.0]})
    with step_run("evaluate", {}) as run:
        record.log_files(run.info.run_id, {"raw": b"\x00", "table.csv": table, "summary.json": {"auc": 0.5}})
        record.log_files(run.info.run_id, {"table.csv": table.head(1)})
    folder = Path(MlflowClient().download_artifacts(run.info.run_id, ".", str(tmp_path)))
    assert (folder / "raw").read_bytes() == b"\x00"
    assert (folder / "table.csv").read_bytes() == b"subject,p\n007,0.1\n"
    assert (folder / "summary.json").read_bytes() == b'{\n  "auc": 0.5\n}\n'


def test_json_refuses_what_is_not_a_number_and_nothing_is_logged(store: Path) -> None:
    with step_run("evaluate", {}) as run, pytest.raises(ValueError, match="JSON compliant"):
        record.log_files(run.info.run_id, {"a.csv": pd.DataFrame({"p": [1]}), "b.json": {"auc": float("nan")}})
    assert [file.path for file in MlflowClient().list_artifacts(run.info.run_id)] == [
        "packages.json",
        "parameters.json",
    ]


def test_dataset_is_logged_as_an_input(store: Path, small_study: Dataset) -> None:
    with step_run("prepare", {}) as run:
        record.log_dataset_input(small_study.manifest(), f"runs:/{run.info.run_id}/dataset", "prepare")
    (dataset_input,) = MlflowClient().get_run(run.info.run_id).inputs.dataset_inputs
    assert small_study.digest().startswith(dataset_input.dataset.digest)
    assert {tag.key: tag.value for tag in dataset_input.tags} == {"mlflow.data.context": "prepare"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_logged_model_comes_back_the_same_by_every_door(store: Path, tmp_path: Path) -> None:
    import keras
    import mlflow

    inputs = keras.Input((5, 2))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs)))
    values = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    with step_run("train", {}) as train:
        run_id = fold_run(train, "S1", model=as_bytes(model))
    expected = model(values).numpy()
    (fold,) = lookup.fold_runs(train.info.run_id)
    np.testing.assert_array_equal(reading.load_network(fold.run)(values), expected)
    uri = f"runs:/{run_id}/model"
    np.testing.assert_array_equal(mlflow.tensorflow.load_model(uri)(values), expected)
    loaded = mlflow.pyfunc.load_model(uri)
    np.testing.assert_allclose(loaded.predict(values), expected, rtol=1e-6)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 5, 2)
    requirements = mlflow.pyfunc.get_model_dependencies(uri)
    assert set(model_requirements(*PACKAGES)) <= set(Path(requirements).read_text().split())


def test_a_model_that_holds_code_is_refused(store: Path, tmp_path: Path) -> None:
    import keras

    from steps.errors import UserError

    inputs = keras.Input((2, 1))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    folder = tmp_path / "model" / "data"
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    with step_run("train", {}) as train:
        run_id = fold_run(train, "S1")
        MlflowClient().log_artifacts(run_id, str(tmp_path / "model"), "model")
    (fold,) = lookup.fold_runs(train.info.run_id)
    with pytest.raises(UserError, match="cannot load the model of run fear_S1_1"):
        reading.load_network(fold.run)
