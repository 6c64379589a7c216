from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.data.dataset import Floats
from steps.core.metrics.inference import inference_ms_per_trial, predict
from steps.errors import UserError

VALUES = np.random.default_rng(0).normal(size=(7, 5, 2)).astype(np.float32)


class Recorder:
    """A model without a network: the logistic of a trial's mean; remembers how it was called."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.training: list[bool] = []

    def __call__(self, inputs: Floats, *, training: bool) -> Any:
        self.sizes.append(len(inputs))
        self.training.append(training)
        return 1 / (1 + np.exp(-inputs.mean(axis=(1, 2))))[:, np.newaxis]


def test_chunks_change_nothing_and_training_is_off() -> None:
    model = Recorder()
    whole, parts = predict(model, VALUES), predict(model, VALUES, chunk=3)
    np.testing.assert_array_equal(whole, parts)
    assert model.sizes == [7, 3, 3, 1]
    assert not any(model.training)
    assert whole.shape == (7,)


def test_no_trials_give_no_probabilities() -> None:
    assert predict(Recorder(), VALUES[:0]).shape == (0,)


def test_an_output_of_another_shape_is_a_bug() -> None:
    def softmax(inputs: Floats, *, training: bool) -> Floats:
        return np.full((len(inputs), 2), 0.5, dtype=np.float32)

    with pytest.raises(ValueError, match=r"shape \(7, 2\), expected \(7, 1\)"):
        predict(softmax, VALUES)


@pytest.mark.parametrize("value", [float("nan"), 1.5])
def test_what_is_no_probability_is_reported(value: float) -> None:
    def diverged(inputs: Floats, *, training: bool) -> Floats:
        return np.full((len(inputs), 1), value, dtype=np.float32)

    with pytest.raises(UserError, match=f"7 of 7 trials .*{value}"):
        predict(diverged, VALUES)


def test_time_is_of_single_trials_after_a_warm_call() -> None:
    model = Recorder()
    assert inference_ms_per_trial(model, VALUES, calls=9) > 0
    assert model.sizes == [1] * 10


def test_a_keras_network_predicts_as_its_own_predict_does() -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((5, 2)),
            layers.Conv1D(3, 3, activation="relu"),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    np.testing.assert_allclose(predict(network, VALUES), network.predict(VALUES, verbose=0)[:, 0], rtol=1e-5)
