"""Expected gradients against closed forms and against their own definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.attribution.compiled import model_gradient
from steps.core.attribution.expected_gradients import ExpectedAttribution, integrate_expected
from steps.core.attribution.integrated_gradients import integrated_gradients
from steps.core.attribution.references import baseline_source, draw
from steps.core.attribution.settings import check_method
from steps.core.data.dataset import Floats
from steps.errors import UserError
from tests.core.attribution.conftest import NetworkMaker, make_dataset
from tests.core.attribution.test_integrated_gradients import WEIGHTS, linear, quadratic, steep

SOURCE = np.random.default_rng(3).normal(0.5, 1.5, size=(20, 12, 3)).astype(np.float32)
DRAWN = np.array([1, 4, 9, 13, 18])


def expected_gradients(model: Any, values: Floats, source: Floats, count: int, **options: Any) -> ExpectedAttribution:
    """Of the probability of class 1 under a network."""
    drawn = draw(len(source), count, np.random.default_rng(0))
    return integrate_expected(model_gradient(model), values, source, drawn, **options)


def test_of_a_linear_function_is_weight_times_difference_from_the_mean_baseline(values: Floats) -> None:
    attribution = integrate_expected(linear, values, SOURCE, DRAWN, steps=1)
    drawn = SOURCE[DRAWN].astype(np.float64)
    expected = WEIGHTS * (values - drawn.mean(axis=0))
    np.testing.assert_allclose(attribution.attributions, expected, rtol=1e-4, atol=1e-5)
    spread = WEIGHTS * drawn.std(axis=0, ddof=1) / np.sqrt(5) * np.sqrt(1 - 5 / 20)
    size = np.sqrt((expected**2).sum(axis=(1, 2)))
    np.testing.assert_allclose(attribution.sampling_error, np.sqrt((spread**2).sum()) / size, rtol=1e-4)
    gap = abs((WEIGHTS * (SOURCE.mean(axis=0, dtype=np.float64) - drawn.mean(axis=0))).sum())
    np.testing.assert_allclose(attribution.source_error, gap, rtol=1e-3)
    assert attribution.baselines == 5


def test_of_a_sum_of_squares_is_the_mean_change_of_each_square(values: Floats) -> None:
    attribution = integrate_expected(quadratic, values, SOURCE, DRAWN, steps=2)
    expected = WEIGHTS * (values.astype(np.float64) ** 2 - (SOURCE[DRAWN].astype(np.float64) ** 2).mean(axis=0))
    np.testing.assert_allclose(attribution.attributions, expected, rtol=1e-3, atol=1e-4)
    assert attribution.completeness_error.max() < 1e-4


def test_one_baseline_is_integrated_gradients(values: Floats, network: NetworkMaker) -> None:
    model = network()
    one = expected_gradients(model, values, SOURCE[:1], count=1, steps=32)
    other = integrated_gradients(model, values, SOURCE[0], steps=32)
    np.testing.assert_allclose(one.attributions, other.attributions, rtol=1e-4, atol=1e-6)
    assert not one.sampling_error.any()  # there was nothing else to draw


def test_is_the_mean_of_integrated_gradients(values: Floats, network: NetworkMaker) -> None:
    model = network(activation="tanh")
    attribution = expected_gradients(model, values, SOURCE[:7], count=100)
    each = [integrated_gradients(model, values, baseline).attributions for baseline in SOURCE[:7]]
    np.testing.assert_allclose(attribution.attributions, np.mean(each, axis=0), rtol=1e-2, atol=1e-5)
    assert attribution.baselines == 7
    assert not attribution.sampling_error.any()
    assert (attribution.source_error <= attribution.completeness_error + 1e-6).all()


def test_a_network_is_complete_against_the_mean_baseline_output(values: Floats, network: NetworkMaker) -> None:
    model = network(gain=3.0)
    attribution = expected_gradients(model, values, SOURCE, count=6, steps=4)
    assert (attribution.relative_error <= 0.01).all()
    total = attribution.attributions.sum(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(total, attribution.output - attribution.baseline_output, atol=0.01)
    assert attribution.source_output[0] == pytest.approx(model(SOURCE, training=False).numpy().mean(), rel=1e-5)
    assert (attribution.sampling_error > 0).all()


def test_points_are_doubled_where_the_sum_is_off(values: Floats) -> None:
    hard = values[:2].copy()
    hard[:, 0, 0] = 10.0, 2.9
    baselines = np.zeros((3, 12, 3), dtype=np.float32)
    attribution = integrate_expected(steep, hard, baselines, np.arange(3), steps=4, max_steps=1024)
    assert attribution.steps[0] > 4
    assert (attribution.relative_error <= 0.01).all()
    capped = integrate_expected(steep, hard, baselines, np.arange(3), steps=4, max_steps=4)
    assert capped.steps.tolist() == [4, 4]
    assert capped.relative_error[0] > 0.01


def test_the_sampling_error_is_how_much_other_draws_differ(values: Floats) -> None:
    """Over 200 draws of a linear function, whose attribution varies with the mean of the baselines alone."""
    draws = [np.random.default_rng(seed).choice(20, 6, replace=False) for seed in range(200)]
    attribution = [integrate_expected(linear, values[:1], SOURCE, drawn, steps=1) for drawn in draws]
    attributions = np.stack([one.attributions[0] for one in attribution]).astype(np.float64)
    actual = np.sqrt(attributions.var(axis=0).sum()) / np.sqrt((attributions.mean(axis=0) ** 2).sum())
    said = np.sqrt(np.mean([one.sampling_error[0] ** 2 for one in attribution]))
    assert said == pytest.approx(actual, rel=0.1)


def test_a_single_drawn_baseline_has_an_unknown_sampling_error(values: Floats) -> None:
    attribution = integrate_expected(linear, values, SOURCE, np.array([2]), steps=1)
    assert np.isnan(attribution.sampling_error).all()


def test_blocks_change_nothing(values: Floats) -> None:
    at_once = integrate_expected(quadratic, values, SOURCE, DRAWN, steps=2)
    in_blocks = integrate_expected(quadratic, values, SOURCE, DRAWN, steps=2, chunk=3, elements=1)
    np.testing.assert_allclose(in_blocks.attributions, at_once.attributions, rtol=1e-6)
    np.testing.assert_allclose(in_blocks.sampling_error, at_once.sampling_error, rtol=1e-6)


def test_what_does_not_fit_is_refused(values: Floats) -> None:
    with pytest.raises(ValueError, match=r"baselines have shape \(11, 3\), expected \(12, 3\)"):
        integrate_expected(linear, values, SOURCE[:, 1:], DRAWN)
    with pytest.raises(ValueError, match="no trials to draw baselines from"):
        integrate_expected(linear, values, SOURCE, DRAWN[:0])


def test_no_trials_give_no_attributions(values: Floats) -> None:
    attribution = integrate_expected(linear, values[:0], SOURCE, DRAWN)
    assert attribution.attributions.shape == (0, 12, 3)
    assert attribution.sampling_error.shape == (0,)


@pytest.mark.parametrize(("available", "count"), [(20, 7), (20, 20), (3, 16), (1, 1)])
def test_a_draw_is_spread_over_the_order(available: int, count: int) -> None:
    drawn = draw(available, count, np.random.default_rng(0))
    assert len(drawn) == min(available, count)
    assert (np.diff(drawn) >= 0).all()
    if count >= available:
        assert drawn.tolist() == list(range(available))
    else:
        assert (np.abs(drawn - np.arange(count) * available / count) <= available / count).all()


def test_every_trial_has_the_same_chance_to_be_drawn() -> None:
    generator = np.random.default_rng(0)
    times = np.zeros(10)
    for _ in range(5000):
        np.add.at(times, draw(10, 4, generator), 1)
    np.testing.assert_allclose(times / 5000, 0.4, atol=0.03)


def test_baselines_come_from_training_or_control_trials(values: Floats) -> None:
    training, controls = make_dataset(values), make_dataset(values[:2] + 1)
    assert baseline_source("mean", training, controls) is training.values
    assert baseline_source("control", training, controls) is controls.values
    with pytest.raises(UserError, match="attribution_baseline=control needs trials of a control group"):
        baseline_source("control", training, controls.select(controls.is_control))


def test_zero_is_no_trial(values: Floats) -> None:
    with pytest.raises(UserError, match=r"method=expected_gradients .* choose attribution_baseline=mean"):
        baseline_source("zero", make_dataset(values))
    check_method("integrated_gradients", "zero")
