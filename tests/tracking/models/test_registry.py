"""The final model: loadable anywhere, registered once, with its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from steps.core.models.keras_file import as_bytes
from steps.errors import UserError
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run

TIMESTEPS, FEATURES = 5, 2
TRAINING = {
    "mean": np.zeros((TIMESTEPS, FEATURES)).tolist(),
    "sd": np.ones((TIMESTEPS, FEATURES)).tolist(),
    "usual_distance": 3.0,
    "features": ["a", "b"],
}


@pytest.fixture
def logged(store: Path, tmp_path: Path) -> tuple[str, str, Any]:
    import keras

    inputs = keras.Input((TIMESTEPS, FEATURES))
    dense = keras.layers.Dense(1, activation="sigmoid", kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    network = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(network), TRAINING)
    return str(run.info.run_id), uri, network


def test_it_scores_trials_at_any_threshold_and_flags_strange_ones(logged: tuple[str, str, Any]) -> None:
    import mlflow

    _, uri, network = logged
    model = mlflow.pyfunc.load_model(uri)
    values = np.random.default_rng(0).normal(size=(4, TIMESTEPS, FEATURES)).astype(np.float32)
    values[3] = 50
    expected = network(values).numpy()[:, 0]
    scores = model.predict(values)
    np.testing.assert_allclose(scores["probability"], expected, rtol=1e-6)
    assert scores["decision"].tolist() == (expected >= 0.5).astype(int).tolist()
    assert scores["unusual"].tolist() == [0, 0, 0, 1]
    assert scores["distance"][3] == pytest.approx(50)
    low = float(np.sort(scores["probability"])[1])  # as the model says it: compiled, the last digit may be another
    assert model.predict(values, params={"threshold": low})["decision"].sum() == 3
    with pytest.raises(mlflow.MlflowException, match=r"threshold is 2\.0"):
        model.predict(values, params={"threshold": 2.0})
    values[1, 4, 1] = np.nan
    with pytest.raises(mlflow.MlflowException, match="trial 1 holds nan for feature 'b' at time point 4"):
        model.predict(values)


def test_trials_of_another_shape_are_refused(logged: tuple[str, str, Any]) -> None:
    import mlflow

    model = mlflow.pyfunc.load_model(logged[1])
    with pytest.raises(mlflow.MlflowException, match="shape"):
        model.predict(np.zeros((1, TIMESTEPS, FEATURES + 1), np.float32))


def test_a_run_is_registered_once_and_becomes_the_challenger(logged: tuple[str, str, Any]) -> None:
    import mlflow

    run_id, uri, _ = logged
    first = registry.register(run_id, uri, {"dataset_digest": "abc"}, "AUC 0.9")
    again = registry.register(run_id, uri, {"dataset_digest": "abc"}, "AUC 0.91")
    assert first.version == again.version
    challenger = MlflowClient().get_model_version_by_alias("fear-classifier", "challenger")
    assert (challenger.version, challenger.run_id, challenger.description) == (first.version, run_id, "AUC 0.91")
    assert challenger.tags["dataset_digest"] == "abc"
    loaded = mlflow.pyfunc.load_model("models:/fear-classifier@challenger")
    assert len(loaded.predict(np.zeros((2, TIMESTEPS, FEATURES), np.float32))) == 2


@pytest.fixture
def registered(logged: tuple[str, str, Any]) -> tuple[str, str]:
    run_id, uri, _ = logged
    registry.register(run_id, uri, {"threshold": "0.43"}, "AUC 0.9")
    return run_id, uri


@pytest.mark.parametrize("uri", ["{name}@challenger", "{name}/1", "{name}/latest", "runs:/{run}/model"])
def test_every_way_to_name_a_version_leads_to_the_same_number(registered: tuple[str, str], uri: str) -> None:
    run_id, model_uri = registered
    reference = registry.resolve(uri.format(name="models:/fear-classifier", run=run_id))
    assert reference == registry.ModelReference(
        "models:/fear-classifier/1",
        "fear-classifier",
        "1",
        model_uri.removeprefix("models:/"),
        {"threshold": "0.43", **reference.digests},
        digests=reference.digests,
    )
    assert len(reference.digests) == 2


def test_a_model_that_is_not_registered_keeps_its_own_name(logged: tuple[str, str, Any]) -> None:
    run_id, uri, _ = logged
    model_id = uri.removeprefix("models:/")
    reference = registry.resolve(uri)
    assert reference == registry.ModelReference(uri, model_id=model_id, digests=reference.digests)
    assert registry.resolve(f"runs:/{run_id}/model") == registry.ModelReference(
        f"runs:/{run_id}/model", model_id=model_id, digests=reference.digests
    )


def test_an_alias_that_is_not_there_is_said_with_what_sets_it(registered: tuple[str, str]) -> None:
    with pytest.raises(UserError) as missing:
        registry.resolve("models:/fear-classifier@shadow")
    message = str(missing.value)
    assert "no alias 'shadow'; it has version 1 and alias challenger (version 1)" in message
    command = message.partition('python -c "')[2].partition('"')[0]
    exec(command)  # noqa: S102 - the message's own advice
    assert registry.resolve("models:/fear-classifier@shadow").version == "1"
    with pytest.raises(UserError, match=r"no alias 'champion'; it has version 1 .*first run: .*steps\.promote"):
        registry.resolve("models:/fear-classifier@champion")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/fear-classifier/7", "model fear-classifier has no version 7; it has version 1"),
        ("models:/other@champion", "no registered model 'other': registered are fear-classifier"),
        ("models:/o'; drop@champion", "no registered model"),
        ("models:/m-0123abc", "there is no model m-0123abc in this store; expected models:/fear-classifier@<alias>"),
        ("runs:/0123abc/model", "there is no run 0123abc in this store"),
        ("fear-classifier", "model_uri is 'fear-classifier', expected models:/fear-classifier@<alias>"),
        ("models:/fear-classifier/Production", "model_uri is 'models:/fear-classifier/Production', expected"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(registered: tuple[str, str], uri: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.resolve(uri)


def test_an_empty_registry_says_what_to_run(store: Path) -> None:
    with pytest.raises(UserError, match=r"none is registered; first run: .* -m steps\.main"):
        registry.resolve("models:/fear-classifier@challenger")
