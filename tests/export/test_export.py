"""The whole step on a real store: a file, and a model that answers as the one it was made of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.data.labelling import Labelling
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.models import networks, onnx_file
from steps.core.models.keras_file import as_bytes
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from tests.conftest import ROOT, clean_environment, left_out_scores, step_here

SCORE = Labelling(kind="score", names=(), cut_off=37)


@pytest.fixture
def registered(store: Path, final_network: Any, training_json: dict[str, Any]) -> Path:
    """A store with one registered version, whose evidence names a threshold."""
    scores = left_out_scores(training_json, [0.2, 0.4, 0.6])
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(final_network), {**training_json, "left_out_scores": scores})
    registry.register(run.info.run_id, uri, {"threshold": "0.43"}, "evidence")
    return store


def exported() -> Run:
    (run,) = MlflowClient().search_runs(["1"], "tags.entry_point = 'export'")
    return MlflowClient().get_run(run.info.run_id)  # a search leaves inputs and outputs out


def made(run: Run) -> str:
    (output,) = run.outputs.model_outputs
    return f"models:/{output.model_id}"


def test_the_file_says_what_one_needs_to_use_it_and_names_nobody(
    registered: Path, training_json: dict[str, Any]
) -> None:
    done = step_here("export", registered, to="model.onnx")
    assert done.exit_code == 0, done.stderr
    path = registered / "model.onnx"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in registered.glob("*.onnx*")] == ["model.onnx"]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    about = {one.key: json.loads(one.value) for one in model.metadata_props}
    kept = ("features", "units", "time", "time_unit", "normalise", "labels", "dataset_digest", "mean", "usual_distance")
    assert {name: about[name] for name in kept} == {
        name: training_json[name] for name in kept if name != "normalise"
    } | {"normalise": "study"}
    assert (about["threshold"], about["model_uri"], about["subjects"]) == (0.43, "models:/fear-classifier/1", 8)
    source = MlflowClient().search_runs(["1"], "tags.entry_point = 'train'")[0]
    assert about["commit"] == source.data.tags.get("git_commit", "")
    assert "of 'fear'" in model.doc_string
    content = path.read_bytes()
    assert not any(name.encode() in content for name in training_json["subjects"])
    assert str(registered).encode() not in content
    assert str(ROOT).encode() not in content


def test_the_model_beside_it_answers_as_the_one_it_was_made_of(registered: Path, unseen: Unseen) -> None:
    done = step_here("export", registered)
    assert done.exit_code == 0, done.stderr
    assert not list(registered.glob("*.onnx"))
    run = exported()
    assert run.data.metrics["largest_difference"] <= onnx_file.TOLERANCE
    assert run.data.tags["model_uri"] == "models:/fear-classifier/1"
    (used,) = run.inputs.model_inputs
    assert used.model_id == registry.resolve("models:/fear-classifier/1").model_id
    assert f"mlflow models serve -m runs:/{run.info.run_id}/model\n" in done.stdout
    again = step_here("export", registered, model_uri=made(run))
    assert again.stderr.startswith(f"error: {made(run)} is a model as ONNX, made by export")
    kept = mlflow.pyfunc.load_model("models:/fear-classifier/1")
    onnx_model = mlflow.pyfunc.load_model(made(run))
    assert onnx_model.metadata.signature == kept.metadata.signature
    for params in ({}, {"threshold": 0.4, "error_rate": 0.3}):
        expected, found = (model.predict(unseen.values, params=params) for model in (kept, onnx_model))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
    requirements = Path(mlflow.pyfunc.get_model_dependencies(made(run))).read_text()
    assert "onnxruntime==" in requirements
    assert "tensorflow" not in requirements
    assert "keras" not in requirements


def test_a_score_is_said_too_and_people_are_compared_with_themselves(
    store: Path, training_json: dict[str, Any], unseen: Unseen
) -> None:
    network = networks.build("cnn", unseen.values.shape[1], unseen.values.shape[2], seed=1, labelling=SCORE)
    summary = {
        **training_json, "labelling": SCORE.model_dump(mode="json"), "normalise": "subject", "format_version": 2
    }  # fmt: skip
    with step_run("train", {}) as train:
        uri = log_final_model(train, as_bytes(network), summary)
    done = step_here("export", store, model_uri=uri, to="score.onnx")
    assert done.exit_code == 0, done.stderr
    assert "standardised per person" in done.stderr
    model = onnx.load(store / "score.onnx")
    assert [one.name for one in model.graph.output] == ["probability", "label"]
    assert "standardised by mean and standard deviation of all trials of their person" in model.doc_string
    assert "label: (trials, 1), the score" in model.doc_string
    expected, found = (mlflow.pyfunc.load_model(one).predict(unseen.values) for one in (uri, made(exported())))
    assert "predicted_score" in found
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("model.keras", "expected a file that ends in .onnx"),
        ("there.onnx", "which exists; name another file, or say overwrite=true"),
        ("nowhere/model.onnx", "there is no folder"),
        ("folder.onnx", "which is a folder"),
        (".onnx", "expected a file that ends in .onnx"),
        ("/proc/model.onnx", "which cannot be written: No such file or directory"),
    ],
)
def test_a_place_that_will_not_do_is_refused_before_anything_is_recorded(store: Path, to: str, said: str) -> None:
    (store / "there.onnx").write_text("mine")
    (store / "folder.onnx").mkdir()
    done = step_here("export", store, to=to)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: to is '{to}'")
    assert said in done.stderr
    assert (store / "there.onnx").read_text() == "mine"
    assert not MlflowClient().search_experiments(filter_string="name != 'Default'")


@pytest.mark.parametrize("letters", [245, 300])
def test_a_name_that_is_too_long_is_refused_at_once(store: Path, letters: int) -> None:
    """One of 245 letters is so only while the file is unfinished."""
    done = step_here("export", store, to=f"{letters * 'm'}.onnx")
    assert done.exit_code == 2
    assert done.stderr.endswith("…, which cannot be written: File name too long\n")
    assert not MlflowClient().search_experiments(filter_string="name != 'Default'")


def test_what_is_missing_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    done = step_here("export", store)
    assert done.exit_code == 2
    wanted = " ".join(f"'{text}'" for text in onnx_file.REQUIREMENTS)
    assert done.stderr.startswith(f"error: export needs tf2onnx, which is not installed: pip install {wanted}")


def test_a_file_that_says_something_else_is_not_written(
    registered: Path, trained: TrainingReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the conversion were wrong: it converts another network."""
    other, convert = networks.build("cnn", *trained.shape, seed=9), onnx_file.as_onnx
    monkeypatch.setattr(onnx_file, "as_onnx", lambda network, *more: convert(other, *more))
    (registered / "model.onnx").write_text("mine")
    done = step_here("export", registered, to="model.onnx", overwrite=True)
    assert done.exit_code == 2
    assert "as ONNX differs from its network by" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (registered / "model.onnx").read_text() == "mine"
    run = exported()
    assert run.info.status == "FAILED"
    assert not run.outputs.model_outputs


@pytest.mark.slow
def test_it_needs_neither_tensorflow_nor_keras_nor_this_project(
    registered: Path, unseen: Unseen, final_network: Any
) -> None:
    assert step_here("export", registered).exit_code == 0
    np.save(registered / "trials.npy", unseen.values)
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'tf2onnx', 'onnx', 'steps'): sys.modules[name] = None\n"
        "import mlflow, numpy\n"
        f"table = mlflow.pyfunc.load_model('{made(exported())}').predict(numpy.load('trials.npy'))\n"
        "print(table['probability'].to_json(orient='values', double_precision=15))\n"
    )
    environment = clean_environment(f"sqlite:///{registered / 'mlflow.db'}")
    done = subprocess.run([sys.executable, "-c", code], cwd=registered, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), np.asarray(final_network(unseen.values))[:, 0], atol=1e-5)
