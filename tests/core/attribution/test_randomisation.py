from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from steps.core.attribution.checks import check_metrics
from steps.core.attribution.integrated_gradients import integrated_gradients
from steps.core.attribution.randomisation import (
    cascade,
    randomisation_check,
    randomisation_metrics,
    randomisation_table,
)
from steps.core.data.dataset import Floats
from tests.core.attribution.conftest import NetworkMaker
from tests.core.attribution.test_integrated_gradients import BASELINE
from tests.fold_networks import scaled_network

SUBJECTS = np.array(["a", "a", "b", "b", "c", "c"])


def layers_with_weights(model: Any) -> list[Any]:
    return [layer for layer in model.layers if layer.trainable_weights]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_layers_are_randomised_from_the_output_to_the_input(network: NetworkMaker) -> None:
    model = network()
    before = [weights.copy() for weights in model.get_weights()]
    own = layers_with_weights(model)
    for stage, (name, randomised) in enumerate(cascade(model, seed=3), start=1):
        copies = layers_with_weights(randomised)
        assert name == own[-stage].name
        assert [same(one, other) for one, other in zip(own, copies, strict=True)] == (
            [True] * (len(own) - stage) + [False] * stage
        )
    assert stage == 3
    for weights, original in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, original)


def test_the_scaler_of_a_model_is_kept(values: Floats) -> None:
    model = scaled_network([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], timesteps=12)
    *_, (_, randomised) = cascade(model, seed=0)
    scaled = [one.get_layer("standardise")(values).numpy() for one in (model, randomised)]
    np.testing.assert_array_equal(scaled[0], scaled[1])
    assert not np.allclose(model(values).numpy(), randomised(values).numpy())


def test_the_same_seed_gives_the_same_weights(network: NetworkMaker) -> None:
    model = network()
    one, other, third = (list(cascade(model, seed))[-1][1] for seed in (5, 5, 6))
    assert same(one, other)
    assert not same(one, third)


def test_random_weights_are_not_those_that_training_began_with() -> None:
    """Initialisers that have recorded their seed would draw the same again."""
    from steps.core.models.networks import build

    untrained = build("cnn", 12, 3, seed=4)
    *_, (_, one) = cascade(untrained, seed=0)
    for own, drawn in zip(layers_with_weights(untrained), layers_with_weights(one), strict=True):
        assert not np.allclose(own.get_weights()[0], drawn.get_weights()[0])


def test_random_weights_are_their_seeds_alone(network: NetworkMaker) -> None:
    """Other threads of a process may draw from Python's generator at any moment."""
    model = network()
    random.seed(1)
    one = list(cascade(model, 5))[-1][1]
    random.seed(2)
    assert same(one, list(cascade(model, 5))[-1][1])


def test_attributions_of_the_data_alone_are_caught(values: Floats, network: NetworkMaker) -> None:
    """An "attribution" that never asks the model stays the same under random weights."""
    checked = randomisation_check(network(), lambda model: values - BASELINE, SUBJECTS, seed=0)
    np.testing.assert_allclose(checked["correlation"], 1)
    metrics = randomisation_metrics(checked)
    assert metrics["randomised_correlation"] == pytest.approx(1)
    assert check_metrics({"trials_above_tolerance": 0, **metrics})["check_randomisation"] == 0


def test_integrated_gradients_depend_on_the_weights(values: Floats, network: NetworkMaker) -> None:
    model = network()
    checked = randomisation_check(
        model, lambda one: integrated_gradients(one, values, BASELINE, tolerance=np.inf).attributions, SUBJECTS, seed=0
    )
    assert len(checked) == 18
    table = randomisation_table(checked)
    assert table["stage"].tolist() == [1, 2, 3]
    assert table["trials"].tolist() == [6, 6, 6]
    assert checked.loc[checked["last"], "stage"].unique().tolist() == [3]
    assert randomisation_metrics(checked)["randomised_correlation"] < 0.5


def test_opposite_signs_do_not_cancel(values: Floats, network: NetworkMaker) -> None:
    calls = iter([values, *[values * np.array([1, -1] * 3, np.float32)[:, np.newaxis, np.newaxis]] * 3])
    checked = randomisation_check(network(), lambda model: next(calls), SUBJECTS, seed=0)
    assert randomisation_metrics(checked)["randomised_correlation"] == pytest.approx(1)


def test_constant_attributions_have_no_correlation(values: Floats, network: NetworkMaker) -> None:
    checked = randomisation_check(network(), lambda model: np.zeros_like(values), SUBJECTS, seed=0)
    assert checked["correlation"].isna().all()
    assert randomisation_metrics(checked) == {}
