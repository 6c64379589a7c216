from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.attribution.compiled import inputs_per_call, model_gradient
from steps.core.attribution.integrated_gradients import (
    CHANGE_FLOOR,
    Attribution,
    integrate,
    integrated_gradients,
)
from steps.core.data.dataset import Floats
from tests.core.attribution.conftest import NetworkMaker

BASELINE = np.random.default_rng(7).normal(size=(12, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(8).normal(size=(12, 3))


def linear(inputs: Floats) -> tuple[Any, Any]:
    return (inputs * WEIGHTS).sum(axis=(1, 2)), np.broadcast_to(WEIGHTS, inputs.shape)


def quadratic(inputs: Floats) -> tuple[Any, Any]:
    wide = inputs.astype(np.float64)
    return (WEIGHTS * wide**2).sum(axis=(1, 2)), 2 * WEIGHTS * wide


def product(inputs: Floats) -> tuple[Any, Any]:
    """The first value of feature 0 times that of feature 1; feature 2 is not used."""
    wide = inputs.astype(np.float64)
    gradient = np.zeros_like(wide)
    gradient[:, 0, 0], gradient[:, 0, 1] = wide[:, 0, 1], wide[:, 0, 0]
    return wide[:, 0, 0] * wide[:, 0, 1], gradient


def steep(inputs: Floats) -> tuple[Any, Any]:
    """A logistic that rises within a hundredth of the path: few points miss it."""
    logits = 50 * (inputs[:, 0, 0].astype(np.float64) - 3)
    output = 1 / (1 + np.exp(-logits))
    gradient = np.zeros(inputs.shape)
    gradient[:, 0, 0] = 50 * output * (1 - output)
    return output, gradient


def test_of_a_linear_function_is_weight_times_difference(values: Floats) -> None:
    attribution = integrate(linear, values, BASELINE, steps=1)
    np.testing.assert_allclose(attribution.attributions, WEIGHTS * (values - BASELINE), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(attribution.output, linear(values)[0])
    np.testing.assert_allclose(attribution.baseline_output, linear(BASELINE[np.newaxis])[0].repeat(6))
    assert attribution.attributions.dtype == np.float32
    assert attribution.steps.tolist() == [1] * 6


def test_of_a_sum_of_squares_is_the_change_of_each_square(values: Floats) -> None:
    attribution = integrate(quadratic, values, BASELINE, steps=2)
    expected = WEIGHTS * (values.astype(np.float64) ** 2 - BASELINE.astype(np.float64) ** 2)
    np.testing.assert_allclose(attribution.attributions, expected, rtol=1e-4, atol=1e-5)


def test_of_a_product_is_shared_and_an_unused_feature_gets_nothing(values: Floats) -> None:
    attribution = integrate(product, values, np.zeros((12, 3), dtype=np.float32), steps=4)
    half = values[:, 0, 0] * values[:, 0, 1] / 2
    np.testing.assert_allclose(attribution.attributions[:, 0, 0], half, rtol=1e-5)
    np.testing.assert_allclose(attribution.attributions[:, 0, 1], half, rtol=1e-5)
    assert not attribution.attributions[:, 1:].any()
    assert not attribution.attributions[..., 2].any()


def test_a_trial_equal_to_its_baseline_gets_nothing() -> None:
    attribution = integrate(quadratic, BASELINE[np.newaxis], BASELINE)
    assert not attribution.attributions.any()
    assert attribution.relative_error.tolist() == [0.0]


def test_points_are_doubled_only_where_needed(values: Floats) -> None:
    easy, hard = values[:1].copy(), values[1:2].copy()
    easy[0, 0, 0], hard[0, 0, 0] = 0.5, 10.0
    both = np.concatenate([easy, hard])
    zero = np.zeros((12, 3), dtype=np.float32)
    attribution = integrate(steep, both, zero, steps=4, tolerance=0.01)
    assert attribution.steps[0] == 4
    assert attribution.steps[1] in (64, 128, 256, 512)
    assert (attribution.relative_error <= 0.01).all()
    assert attribution.attributions[1, 0, 0] == pytest.approx(1.0, rel=0.01)


def test_doubling_stops_at_the_most_points_and_says_what_is_left(values: Floats) -> None:
    hard = values[:1].copy()
    hard[0, 0, 0] = 1000.0
    attribution = integrate(steep, hard, np.zeros((12, 3), dtype=np.float32), steps=4, max_steps=10)
    assert attribution.steps.tolist() == [10]
    assert attribution.relative_error[0] > 0.01
    total = attribution.attributions.astype(np.float64).sum()
    assert attribution.completeness_error[0] == pytest.approx(
        abs(total - attribution.output[0] + attribution.baseline_output[0])
    )


def test_relative_error_is_of_the_change_or_the_floor() -> None:
    """One point for a cubic: the midpoint rule gives 3/4 of the change, whatever its size."""

    def cubic(inputs: Floats) -> tuple[Any, Any]:
        wide = inputs.astype(np.float64)
        return wide.sum(axis=(1, 2)) ** 3, 3 * np.broadcast_to(wide.sum(axis=(1, 2), keepdims=True), wide.shape) ** 2

    sizes = np.array([1.0, 0.01], dtype=np.float32).reshape(2, 1, 1)
    attribution = integrate(cubic, sizes, np.zeros((1, 1), dtype=np.float32), steps=1, tolerance=1.0)
    np.testing.assert_allclose(attribution.completeness_error, [0.25, 0.25e-6], rtol=1e-5)
    np.testing.assert_allclose(attribution.relative_error, [0.25, 0.25e-6 / CHANGE_FLOOR], rtol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (12, 2), (5, 12, 3), (1, 12, 3), (6, 1, 12, 3)])
def test_a_baseline_of_another_shape_is_refused(values: Floats, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"baseline has shape .* expected \(12, 3\) or \(6, 12, 3\)"):
        integrate(linear, values, np.zeros(shape, dtype=np.float32))


def test_no_trials_give_no_attributions(values: Floats) -> None:
    attribution = integrate(linear, values[:0], BASELINE)
    assert attribution.attributions.shape == (0, 12, 3)
    assert attribution.output.shape == attribution.completeness_error.shape == attribution.steps.shape == (0,)


def assert_equal(one: Attribution, other: Attribution) -> None:
    np.testing.assert_allclose(one.attributions, other.attributions, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(one.output, other.output, rtol=1e-5)
    np.testing.assert_allclose(one.baseline_output, other.baseline_output, rtol=1e-5)
    np.testing.assert_array_equal(one.steps, other.steps)


def test_the_longer_the_inputs_the_fewer_share_a_call() -> None:
    assert [inputs_per_call(timesteps) for timesteps in (101, 1000, 100_000)] == [128, 12, 1]


@pytest.mark.parametrize("chunk", [1, 7, 50, 10_000])
def test_chunks_change_nothing(values: Floats, network: NetworkMaker, chunk: int) -> None:
    model = network()
    assert_equal(
        integrated_gradients(model, values, BASELINE, steps=5, chunk=chunk, tolerance=1),
        integrated_gradients(model, values, BASELINE, steps=5, tolerance=1),
    )


def test_all_trials_at_once_are_one_by_one(values: Floats, network: NetworkMaker) -> None:
    model = network()
    at_once = integrated_gradients(model, values, BASELINE)
    for row in range(len(values)):
        alone = integrated_gradients(model, values[row : row + 1], BASELINE)
        np.testing.assert_allclose(alone.attributions[0], at_once.attributions[row], rtol=1e-4, atol=1e-7)


def test_one_baseline_for_all_is_a_baseline_for_each(values: Floats, network: NetworkMaker) -> None:
    model = network()
    repeated = np.broadcast_to(BASELINE, values.shape)
    assert_equal(integrated_gradients(model, values, BASELINE), integrated_gradients(model, values, repeated))


def test_each_trial_has_its_own_baseline(values: Floats, network: NetworkMaker) -> None:
    model = network()
    attribution = integrated_gradients(model, values, values[::-1].copy())
    np.testing.assert_allclose(attribution.baseline_output, attribution.output[::-1], rtol=1e-5)


@pytest.mark.parametrize(("activation", "tolerance"), [("relu", 1e-2), ("tanh", 1e-4)])
def test_a_network_is_complete(values: Floats, network: NetworkMaker, activation: str, tolerance: float) -> None:
    """The kinks of ReLU make the gradient jump, which costs points; tanh is smooth."""
    model = network(gain=3.0, activation=activation)
    attribution = integrated_gradients(model, values, BASELINE, tolerance=tolerance)
    change = attribution.output - attribution.baseline_output
    assert np.abs(change).max() > 0.01
    np.testing.assert_allclose(attribution.output, model(values, training=False).numpy()[:, 0], rtol=1e-5)
    total = attribution.attributions.astype(np.float64).sum(axis=(1, 2))
    assert (np.abs(total - change) <= tolerance * np.maximum(np.abs(change), CHANGE_FLOOR) + 1e-6).all()
    assert (attribution.relative_error <= tolerance).all()


def test_a_saturated_network_needs_more_points(values: Floats, network: NetworkMaker) -> None:
    model = network(gain=300.0)
    few = integrated_gradients(model, values, -values, steps=2, max_steps=2)
    assert few.relative_error.max() > 0.01
    enough = integrated_gradients(model, values, -values, steps=2)
    assert enough.steps.max() > 2
    assert enough.relative_error.max() < few.relative_error.max()


def test_class_zero_is_class_one_reversed(values: Floats, network: NetworkMaker) -> None:
    model = network()
    one = integrated_gradients(model, values, BASELINE, target=1)
    zero = integrated_gradients(model, values, BASELINE, target=0)
    np.testing.assert_allclose(zero.attributions, -one.attributions, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(zero.output, 1 - one.output, rtol=1e-5)


def test_there_are_two_classes() -> None:
    with pytest.raises(ValueError, match="target is 2, expected 0 or 1"):
        model_gradient(None, 2)  # type: ignore[arg-type]


def test_gradients_are_finite_differences(values: Floats, network: NetworkMaker) -> None:
    model = network(activation="tanh")
    output, gradients = model_gradient(model)(values[:1])
    assert output.shape == (1,)
    size = 0.01
    for time, feature in ((0, 0), (5, 1), (11, 2)):
        step = np.zeros_like(values[:1])
        step[0, time, feature] = size
        high, low = model(values[:1] + step, training=False), model(values[:1] - step, training=False)
        difference = (float(high[0, 0]) - float(low[0, 0])) / (2 * size)
        assert gradients[0, time, feature] == pytest.approx(difference, rel=0.02, abs=2e-5)
