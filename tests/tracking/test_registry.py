"""The deployable model: loadable anywhere, registered once, with its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from steps.tracking import record, registry
from steps.tracking.session import step_run
from tests.tracking.helpers import as_bytes

pytestmark = pytest.mark.filterwarnings("ignore:.*Add type hints to the `predict` method:UserWarning")
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
    network = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs)))
    with step_run("train", {}) as run:
        uri = record.log_deployable_model(as_bytes(network, tmp_path), (TIMESTEPS, FEATURES), TRAINING)
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
    low = float(np.sort(expected)[1])
    assert model.predict(values, params={"threshold": low})["decision"].sum() == 3
    with pytest.raises(ValueError, match=r"threshold is 2\.0"):
        model.predict(values, params={"threshold": 2.0})


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
    found = MlflowClient().get_model_version_by_alias("fear-classifier", "challenger")
    assert (found.version, found.run_id, found.description) == (first.version, run_id, "AUC 0.91")
    assert found.tags["dataset_digest"] == "abc"
    loaded = mlflow.pyfunc.load_model("models:/fear-classifier@challenger")
    assert len(loaded.predict(np.zeros((2, TIMESTEPS, FEATURES), np.float32))) == 2
