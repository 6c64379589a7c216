"""The plain way is the same network, and its attributions are right where they are known."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.plain import networks as plain
from benchmarks.plain.integrated_gradients import complete_integrated_gradients, integrated_gradients
from benchmarks.study import Plan, make_study, write_splits
from steps.core.data.artifact import read_artifact
from steps.core.models import networks
from tests.conftest import ROOT, run_command


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
def test_layers_and_initial_weights_are_those_of_the_project(name: str) -> None:
    built = []
    for build in (plain.build, networks.build):
        keras.utils.set_random_seed(7)
        built.append(build(name, 21, 5))
    built[1] = networks.without_scaler(built[1])
    ours, theirs = (
        [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)] for model in built
    )
    assert [_described(layer) for layer in ours] == [_described(layer) for layer in theirs]
    for left, right in zip(*(model.get_weights() for model in built), strict=True):
        np.testing.assert_array_equal(left, right)


def _described(layer: keras.Layer) -> tuple[str, str]:
    config = {key: value for key, value in layer.get_config().items() if key != "name"}
    return type(layer).__name__, json.dumps(config, sort_keys=True, default=str)


def test_integrated_gradients_of_a_linear_function_are_its_terms() -> None:
    inputs = keras.Input((4, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(inputs)))
    trial, baseline = np.random.default_rng(0).normal(size=(2, 4, 2)).astype(np.float32)
    expected = model.layers[-1].kernel.numpy().reshape(4, 2) * (trial - baseline)
    np.testing.assert_allclose(integrated_gradients(model, trial, baseline), expected, rtol=1e-5, atol=1e-6)


def test_steps_are_doubled_until_the_attributions_are_complete() -> None:
    inputs = keras.Input((1, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(keras.ops.sigmoid(400 * inputs)))
    trial, baseline = np.array([[2.0]], np.float32), np.array([[-1.0]], np.float32)
    change = 1.0  # the sigmoid goes from 0 to 1 within a fraction of one of a hundred steps
    assert abs(integrated_gradients(model, trial, baseline).sum() - change) > 0.01
    attributions = complete_integrated_gradients(model, trial, baseline, tolerance=0.01, floor=1e-4)
    assert abs(attributions.sum() - change) <= 0.01


@pytest.mark.slow
def test_script_trains_every_fold_and_predicts_its_test_subject(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", subjects=4, trials=2, timesteps=11)
    folds = write_splits(study, Plan(subjects="S01,S03"), tmp_path / "splits.json")
    done = run_command(
        *("python", "-m", "benchmarks.plain.keras_study", "splits.json", "--result", "result.json", "--epochs", "2"),
        *("--track", "--attribute"),
        cwd=tmp_path,
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS="ignore",
    )
    assert done.returncode == 0, done.stderr
    dataset = read_artifact(study.dataset)
    result = json.loads((tmp_path / "result.json").read_text())["folds"]
    assert [fold["name"] for fold in result] == ["S01", "S03"]
    for trained, fold in zip(result, folds, strict=True):
        assert trained["labels"] == dataset.of_subjects(fold.test_subjects).labels.tolist()
        assert trained["training_trials"] == len(dataset.of_subjects(fold.training_subjects).labels)
        assert all(0 <= probability <= 1 for probability in trained["probabilities"])
        assert set(trained["seconds"]) == {"read", "fit", "predict", "log", "attribute"}
        assert 0 < trained["later_epochs_s"] < trained["seconds"]["fit"]
