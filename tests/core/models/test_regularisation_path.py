"""The head: against scikit-learn, and early stopping along the penalties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import check_grad

from steps.core.models.settings import FitSettings

SETTINGS = FitSettings(model="soft_minirocket", epochs=40, early_stopping_patience=0)
TIMESTEPS, FEATURES = 25, 3
WEIGHTS = (0.8, 1.3)


def study(trials: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Noise, a little rougher where the label is 1, so that the classes overlap."""
    random = np.random.default_rng(seed)
    labels = (np.arange(trials) % 2).astype(np.int8)
    smooth = random.normal(size=(trials, TIMESTEPS, FEATURES)).cumsum(axis=1)
    rough = random.normal(size=smooth.shape) * (0.5 + 0.4 * labels[:, None, None])
    return (smooth + rough).astype(np.float32), labels


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    return {"training": study(50, 0), "validation": study(30, 1), "class_weight": WEIGHTS}


@pytest.fixture(scope="module")
def engine() -> Any:
    from steps.core.models.fit import Engine

    return Engine("soft_minirocket", TIMESTEPS, FEATURES)


def test_the_penalty_falls_tenfold_in_fifteen_epochs() -> None:
    from steps.core.models.regularisation_path import penalty

    assert penalty(1) == 1
    assert penalty(16) == pytest.approx(0.1)
    assert penalty(31) == pytest.approx(0.01)


def test_the_gradient_is_the_losss() -> None:
    from steps.core.models.regularisation_path import logistic_loss

    random = np.random.default_rng(0)
    x, y, weights = random.normal(size=(20, 5)), random.integers(0, 2, 20).astype(float), random.uniform(1, 2, 20)
    arguments = (x, y, weights, 0.3)
    error = check_grad(
        lambda s: logistic_loss(s, *arguments)[0], lambda s: logistic_loss(s, *arguments)[1], random.normal(size=6)
    )
    assert error < 1e-6


@pytest.mark.parametrize("epochs", [1, 16, 40])
def test_every_epoch_is_scikit_learns_logistic_regression(arrays: dict[str, Any], epochs: int) -> None:
    """scikit-learn minimises C times the summed loss plus half the squared norm."""
    from sklearn.linear_model import LogisticRegression

    from steps.core.models.regularisation_path import RegularisationPath, penalty
    from steps.core.models.soft_minirocket import proportions

    path = RegularisationPath("soft_minirocket", TIMESTEPS, FEATURES)
    path.begin(**arrays, settings=SETTINGS, seed=0)
    for number in range(1, epochs + 1):
        logs = path.epoch(number)
    (x, y), (held_x, held_y) = arrays["training"], arrays["validation"]
    columns, held = proportions(path.finish(), x), proportions(path.finish(), held_x)
    reference = LogisticRegression(C=1 / (2 * penalty(epochs) * len(y)), tol=1e-8, max_iter=10_000)
    reference.fit(columns, y, sample_weight=np.array(WEIGHTS)[y])
    np.testing.assert_allclose(
        path.finish()(held_x, training=False).numpy()[:, 0], reference.predict_proba(held)[:, 1], atol=1e-4
    )
    assert logs["val_accuracy"] == pytest.approx(reference.score(held, held_y))
    assert logs["accuracy"] == pytest.approx(reference.score(columns, y))
    chosen = reference.predict_proba(held)[np.arange(len(held_y)), held_y]
    assert logs["val_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-3)
    chosen = reference.predict_proba(columns)[np.arange(len(y)), y]
    cost = -np.log(chosen) @ np.array(WEIGHTS)[y] / len(y) + penalty(epochs) * (reference.coef_**2).sum()
    assert logs["loss"] == pytest.approx(cost, rel=1e-3)


def test_early_stopping_restores_the_best_penalty(engine: Any, arrays: dict[str, Any]) -> None:
    settings = replace(SETTINGS, epochs=60, early_stopping_patience=5)
    # Labels that cannot be learnt: lighter penalties soon make the validation loss worse.
    random = np.random.default_rng(0)
    x, y = arrays["training"]
    fit = engine.fit(**(arrays | {"training": (x, random.permutation(y))}), settings=settings, seed=3)
    losses = np.array(fit.history["val_loss"])
    assert len(fit.timestamps_ms) == losses.argmin() + 1 + 5 < 60
    held, labels = arrays["validation"]
    probability = fit.network(held, training=False).numpy()[:, 0]
    assert -np.log(np.where(labels == 1, probability, 1 - probability)).mean() == pytest.approx(losses.min(), rel=1e-3)
    # Nothing is learnt at the learning rate, so nothing reduces it.
    assert set(fit.history["learning_rate"]) == {np.float32(0.001)}


def test_without_validation_the_last_penalty_is_kept(engine: Any, arrays: dict[str, Any]) -> None:
    """So the final model, given the epochs of the folds, has their penalty."""
    alone = engine.fit(**(arrays | {"validation": None}), settings=replace(SETTINGS, epochs=7), seed=0)
    held = engine.fit(**arrays, settings=replace(SETTINGS, epochs=7), seed=0)
    assert set(alone.history) == {"loss", "accuracy", "penalty", "learning_rate"}
    assert alone.history["loss"] == held.history["loss"]
    x = arrays["validation"][0]
    np.testing.assert_array_equal(alone.network(x), held.network(x))


def test_same_seed_same_fit_whatever_was_fitted_before(engine: Any, arrays: dict[str, Any]) -> None:
    first = engine.fit(**arrays, settings=SETTINGS, seed=5)
    other = engine.fit(**arrays, settings=SETTINGS, seed=6)
    again = engine.fit(**arrays, settings=SETTINGS, seed=5)
    assert first.history == again.history != other.history
    for a, b in zip(first.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # A finished network is its own: later fits have not touched it.
    x = arrays["validation"][0]
    np.testing.assert_array_equal(first.network(x), again.network(x))


def test_a_class_without_weight_is_not_learnt(engine: Any, arrays: dict[str, Any]) -> None:
    fit = engine.fit(**(arrays | {"class_weight": (0.0, 1.0)}), settings=replace(SETTINGS, epochs=5), seed=0)
    assert (fit.network(arrays["validation"][0], training=False).numpy() > 0.5).all()
