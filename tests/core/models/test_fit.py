"""The engine against Keras's own `fit`, and against itself."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import plan_folds
from steps.core.models.settings import FitSettings

SETTINGS = FitSettings(epochs=6, batch_size=8, early_stopping_patience=0, reduce_lr_patience=0)


@pytest.fixture(scope="module")
def fold(small_study: Dataset) -> Fold:
    return plan_folds(small_study)[0]


@pytest.fixture(scope="module")
def arrays(small_study: Dataset, fold: Fold) -> dict[str, Any]:
    from steps.core.models.fit import standardisation

    training = small_study.of_subjects(fold.training_subjects)
    validation = small_study.of_subjects(fold.validation_subjects)
    mean, scale = standardisation(training.values)
    return {
        "training": (((training.values - mean) / scale).astype(np.float32), training.labels),
        "validation": (((validation.values - mean) / scale).astype(np.float32), validation.labels),
        "class_weight": (0.8, 1.3),
    }


@pytest.fixture(scope="module")
def engine(small_study: Dataset) -> Any:
    from steps.core.models.fit import Engine

    return Engine("cnn", small_study.timesteps, len(small_study.features))


def test_same_seed_same_fit_whatever_was_fitted_before(engine: Any, arrays: dict[str, Any]) -> None:
    first = engine.fit(**arrays, settings=SETTINGS, seed=5)
    engine.fit(**arrays, settings=SETTINGS, seed=6)
    again = engine.fit(**arrays, settings=SETTINGS, seed=5)
    assert first.history == again.history
    for a, b in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_is_another_fit(engine: Any, arrays: dict[str, Any]) -> None:
    assert (
        engine.fit(**arrays, settings=SETTINGS, seed=1).history
        != engine.fit(**arrays, settings=SETTINGS, seed=2).history
    )


@pytest.mark.parametrize("model", ["cnn", pytest.param("cnn_wide", marks=pytest.mark.slow)])
def test_one_batch_per_epoch_gives_what_keras_fit_gives(arrays: dict[str, Any], model: str) -> None:
    """With one batch an epoch the order of trials does not matter, so Keras can be asked for the same."""
    import keras

    from steps.core.models import networks
    from steps.core.models.fit import Engine
    from steps.core.models.gradient_descent import GradientDescent

    x, y = arrays["training"]
    fitting = replace(SETTINGS, model=model, epochs=4, batch_size=len(y))
    shape = x.shape[1:]
    seed = 11

    def without_dropout(network: Any) -> Any:
        # Two engines draw different dropout masks; the rest of the network must agree.
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        return network

    engine = Engine(model, *shape)
    assert isinstance(engine.method, GradientDescent)
    without_dropout(engine.method.network)
    ours = engine.fit(**arrays, settings=fitting, seed=seed)

    keras.utils.set_random_seed(seed)
    network = without_dropout(networks.build(model, *shape))
    network.compile(keras.optimizers.Adam(fitting.learning_rate), "binary_crossentropy", metrics=["accuracy"])
    negative, positive = arrays["class_weight"]
    theirs = network.fit(
        x,
        y.astype(np.float32)[:, None],
        validation_data=(arrays["validation"][0], arrays["validation"][1].astype(np.float32)[:, None]),
        class_weight={0: negative, 1: positive},
        epochs=fitting.epochs,
        batch_size=fitting.batch_size,
        verbose=0,
    )
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=2e-3, atol=2e-4, err_msg=name)


def test_early_stopping_restores_the_best_weights_and_the_rate_falls_on_a_plateau(
    engine: Any, arrays: dict[str, Any]
) -> None:
    patient = FitSettings(
        epochs=60,
        batch_size=8,
        learning_rate=0.01,
        early_stopping_patience=5,
        reduce_lr_patience=2,
        reduce_lr_factor=0.5,
    )
    # Labels that cannot be learnt: the validation loss gets worse soon.
    random = np.random.default_rng(0)
    x, y = arrays["training"]
    hopeless = arrays | {"training": (x, random.permutation(y))}
    fit = engine.fit(**hopeless, settings=patient, seed=3)
    losses = np.array(fit.history["val_loss"])
    assert len(fit.timestamps_ms) < 60
    assert len(fit.timestamps_ms) == losses.argmin() + 1 + 5
    assert fit.history["learning_rate"][-1] < 0.01
    restored = fit.network(arrays["validation"][0], training=False).numpy()[:, 0]
    labels = arrays["validation"][1]
    loss = -np.log(np.where(labels == 1, restored, 1 - restored)).mean()
    assert loss == pytest.approx(losses.min(), rel=1e-4)


class Scripted:
    """A method whose validation losses are given, and whose only weight is the number of epochs done."""

    has_learning_rate = True
    epochs: int | None = None
    left_out: np.ndarray | None = None

    def __init__(self, losses: list[float]) -> None:
        self._losses = losses

    def begin(self, *_arguments: Any) -> Any:
        self.network = one_weight()
        return self.network

    def epoch(self, number: int) -> dict[str, float]:
        self.network.set_weights([np.array([[number]])])
        loss = self._losses[number - 1]
        return {"loss": loss, "accuracy": 0.5, "val_loss": loss, "val_accuracy": 0.5}

    def finish(self) -> Any:
        return self.network


def one_weight() -> Any:
    import keras

    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    network.compile(keras.optimizers.SGD(1.0), "mse")
    return network


@given(losses=st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.8]), min_size=1, max_size=14), patience=st.integers(1, 4))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_stopping_and_plateaus_are_those_of_keras_fit(engine: Any, losses: list[float], patience: int) -> None:
    """The same validation losses go through Keras's own loop with Keras's own callbacks."""
    import keras

    class Script(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.model.set_weights([np.array([[epoch + 1]])])
            logs["val_loss"] = losses[epoch]

    schedule = FitSettings(
        epochs=len(losses), early_stopping_patience=patience + 1, reduce_lr_patience=patience, learning_rate=1.0
    )
    ours_engine = copy.copy(engine)
    ours_engine.method = Scripted(losses)
    labelled = (np.zeros((1, 1, 1), np.float32), np.zeros(1, np.int8))
    ours = ours_engine.fit(labelled, labelled, (1.0, 1.0), schedule, 0)

    theirs = one_weight()
    rates = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", patience=patience, factor=schedule.reduce_lr_factor, min_delta=0.0
    )
    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience + 1, restore_best_weights=True)
    seen: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda _epoch, _logs: seen.append(float(theirs.optimizer.learning_rate))
    )
    zeros = np.zeros((1, 1), np.float32)
    theirs.fit(
        zeros, zeros, epochs=len(losses), validation_data=(zeros, zeros), verbose=0,
        callbacks=[note, Script(), rates, stopping],
    )  # fmt: skip
    assert ours.history["learning_rate"] == seen
    np.testing.assert_array_equal(ours.network.get_weights(), theirs.get_weights())


@pytest.mark.parametrize(("model", "precision"), [("cnn", "mixed_bfloat16"), ("cnn_wide", "mixed_float16")])
def test_mixed_precision_trains_nearly_as_float32_and_leaves_a_float32_network(
    arrays: dict[str, Any], model: str, precision: str
) -> None:
    from steps.core.models.fit import Engine

    shape = arrays["training"][0].shape[1:]
    few = replace(SETTINGS, model=model, epochs=2)
    exact = Engine(model, *shape).fit(**arrays, settings=few, seed=4)
    engine = Engine(model, *shape, precision=precision)
    mixed = engine.fit(**arrays, settings=few, seed=4)
    assert mixed.history["loss"] != exact.history["loss"], "something was computed in fewer bits"
    np.testing.assert_allclose(mixed.history["loss"], exact.history["loss"], rtol=0.05)
    assert engine.fit(**arrays, settings=few, seed=4).history == mixed.history, "loss scales start afresh"
    assert {str(weight.dtype) for weight in mixed.network.get_weights()} == {"float32"}
    assert {layer.compute_dtype for layer in mixed.network.layers} == {"float32"}


def test_epochs_are_reported_as_they_end(engine: Any, arrays: dict[str, Any]) -> None:
    seen: list[tuple[int, float]] = []
    fit = engine.fit(
        **arrays, settings=SETTINGS, seed=0, on_epoch=lambda epoch, logs: seen.append((epoch, logs["loss"]))
    )
    assert seen == list(enumerate(fit.history["loss"], start=1))
    assert fit.timestamps_ms == sorted(fit.timestamps_ms)


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    from steps.core.models.fit import standardisation

    values = np.random.default_rng(0).normal(3, 2, (5, 4, 2)).astype(np.float32)
    values[:, :, 1] = 7
    mean, scale = standardisation(values)
    assert scale[1] == 1
    assert mean[1] == pytest.approx(7)
    flat = values[:, :, 0].ravel().astype(np.float64)
    assert (mean[0], scale[0]) == pytest.approx((flat.mean(), flat.std()))
