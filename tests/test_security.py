"""What is untrusted stays data, what is secret stays out of the record, what was tampered with is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.errors import UserError, shown
from steps.tracking import datasets, record
from steps.tracking.children import run_step
from steps.tracking.models import reading
from steps.tracking.session import step_run
from tests.conftest import mlflow_run, step_here
from tests.server_study import EXPERIMENT
from tests.tracking.helpers import fold_run

NASTY = """--help it's "$(touch $PWNED)" `touch $PWNED`; touch $PWNED & {seed} %s\nsecond line -é"""


@pytest.fixture
def pwned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exists when some part of `NASTY` was taken for a command."""
    path = tmp_path / "pwned"
    monkeypatch.setenv("PWNED", str(path))
    return path


@pytest.fixture
def nasty_source(tmp_path: Path, small_study_table: str) -> Path:
    """A table in a folder whose name a shell would make something of; labels in another script."""
    folder = tmp_path / NASTY
    folder.mkdir()
    table = folder / "-my $data; é.csv"
    table.write_text(small_study_table.replace("fear", "Ängst liche-2.0"))
    return table


@pytest.mark.slow
def test_parameters_pass_mlflow_run_unharmed(
    tmp_path: Path, empty_store: Path, nasty_source: Path, pwned: Path
) -> None:
    user = tmp_path / "user"
    user.mkdir()
    shutil.copy(empty_store, user / "mlflow.db")
    source = nasty_source.relative_to(tmp_path)
    done = mlflow_run("-e", "prepare", cwd=user, source=f"../{source}", positive_label="Ängst liche-2.0")
    assert done.returncode == 0, done.stderr[-3000:]
    client = MlflowClient(f"sqlite:///{user / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id], "tags.entry_point = 'prepare'")
    manifest = json.loads(Path(client.download_artifacts(run.info.run_id, "dataset/dataset.json")).read_text())
    assert manifest["source"] == run.data.params["source"] == f"../{source}"
    assert manifest["labels"] == {"0": "calm", "1": "Ängst liche-2.0"}
    assert not pwned.exists()


def test_parameters_pass_from_the_driver_to_a_step_unharmed(
    store: Path, nasty_source: Path, pwned: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with step_run("main", {}) as run:
        run_id = run_step("prepare", {"source": str(nasty_source), "positive_label": "auto"}, run)
        manifest = json.loads(Path(MlflowClient().download_artifacts(run_id, "dataset/dataset.json")).read_text())
        assert manifest["source"] == str(nasty_source)
        with pytest.raises(UserError, match="step prepare failed"):
            run_step("prepare", {"source": str(nasty_source), "positive_label": NASTY}, run)
    assert f"error: positive_label is {shown(NASTY)}, which is no label of the data" in capfd.readouterr().err
    assert not pwned.exists()


@pytest.fixture
def trained(store: Path, small_study: Dataset) -> tuple[Path, str, str]:
    """The folder of a dataset artifact, its URI, and the ID of a training on it."""
    with step_run("prepare", {}) as prepare:
        folder = store / "ds"
        digest = write_artifact(small_study, folder).digest
        MlflowClient().log_artifacts(prepare.info.run_id, str(folder), "dataset")
    uri = f"runs:/{prepare.info.run_id}/dataset"
    with step_run("train", {}) as train:
        record.log(train.info.run_id, tags={"dataset_uri": uri, "dataset_digest": digest})
    return Path(url2pathname(urlparse(prepare.info.artifact_uri).path)) / "dataset", uri, train.info.run_id


@pytest.mark.parametrize("entry_point", ["train", "evaluate"])
def test_a_dataset_that_was_tampered_with_is_refused(
    store: Path, trained: tuple[Path, str, str], entry_point: str
) -> None:
    folder, uri, train_run_id = trained
    table = pq.read_table(folder / "trials.parquet")
    flipped = pa.array([1 - label for label in table["label"].to_pylist()], table["label"].type)
    pq.write_table(table.set_column(table.column_names.index("label"), "label", flipped), folder / "trials.parquet")
    given = {"dataset_uri": uri} if entry_point == "train" else {"train_run_id": train_run_id}
    done = step_here(entry_point, store, **given)
    assert done.exit_code == 2
    assert "was changed after it was written" in done.stderr
    assert "Traceback" not in done.stderr
    experiment = MlflowClient().get_experiment_by_name(EXPERIMENT)
    newest = MlflowClient().search_runs([experiment.experiment_id], max_results=1)[0]
    assert (newest.data.tags["entry_point"], newest.info.status) == (entry_point, "FAILED")


def test_another_dataset_in_the_place_of_the_one_trained_on_is_refused(
    store: Path, trained: tuple[Path, str, str], small_study: Dataset
) -> None:
    folder, _, train_run_id = trained
    train = MlflowClient().get_run(train_run_id)
    assert datasets.dataset_and_uri_of(train)[0].digest() == small_study.digest()
    other = replace(small_study, values=small_study.values + 1)
    write_artifact(other, folder)  # consistent in itself
    with pytest.raises(UserError, match=f"has digest {other.digest()[:12]}…, expected {small_study.digest()[:12]}…"):
        datasets.dataset_and_uri_of(train)[0]


def network_with(layer: dict[str, Any], folder: Path) -> Path:
    """A ``.keras`` file whose architecture holds ``layer``, as an attacker would write it."""
    import keras

    path = folder / "model.keras"
    keras.Sequential([keras.Input((21, 6)), keras.layers.Flatten(name="mine")]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layers = config["config"]["layers"]
    layers[-1] = layer
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def as_lambda() -> dict[str, Any]:
    """A layer that brings its own bytecode."""
    import keras

    layer = keras.layers.Lambda(lambda x: __import__("os").system("touch $PWNED") or x, name="evil")
    return dict(keras.saving.serialize_keras_object(layer))


def as_import(module: str, name: str, **config: object) -> dict[str, Any]:
    """Something importable in the place of a layer."""
    return {"module": module, "class_name": name, "config": config, "registered_name": name}


@pytest.mark.parametrize(
    "make",
    [
        as_lambda,
        partial(as_import, "subprocess", "Popen", args=["sh", "-c", "touch $PWNED"]),
        partial(as_import, "os", "system", command="touch $PWNED"),
        partial(as_import, "builtins", "exec", source="import os; os.system('touch $PWNED')"),
        partial(as_import, "tests.test_security", "Custom"),
    ],
    ids=["lambda", "popen", "system", "exec", "custom layer"],
)
def test_a_network_with_code_of_its_own_is_refused(
    store: Path, pwned: Path, make: Callable[[], dict[str, Any]]
) -> None:
    with step_run("train", {}) as train:
        run_id = fold_run(train, "S1")
        MlflowClient().log_artifact(run_id, str(network_with(make(), store)), "model/data")
    with pytest.raises(UserError, match=r"cannot load the model of run fear_S1_1 \(\w+\): "):
        reading.load_network(MlflowClient().get_run(run_id))
    assert not pwned.exists()
