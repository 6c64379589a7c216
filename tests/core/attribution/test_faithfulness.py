"""Deletion and insertion, on functions whose curves are known."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.attribution.compiled import model_output
from steps.core.attribution.faithfulness import (
    FoldCurves,
    area_metrics,
    curve_table,
    fold_curves,
    levels,
    trials_to_test,
)
from steps.core.attribution.integrated_gradients import integrate, integrated_gradients
from steps.core.data.dataset import Floats
from tests.core.attribution.conftest import NetworkMaker
from tests.core.attribution.test_integrated_gradients import BASELINE, WEIGHTS, linear

SUBJECTS = np.array(["a", "a", "b", "b", "c", "c"])


def output(inputs: Floats) -> np.ndarray:
    return np.asarray(linear(inputs)[0], dtype=np.float64)


def curves_of(attributions: Floats, values: Floats, seed: int = 0, orders: int = 5) -> FoldCurves:
    generator = np.random.default_rng(seed)
    return fold_curves(output, values, BASELINE, attributions, SUBJECTS, generator=generator, orders=orders)


def exact(values: Floats) -> Floats:
    return integrate(linear, values, BASELINE, steps=1).attributions


@pytest.mark.parametrize("count", [1, 2, 3, 24, 36, 2424])
def test_levels_are_symmetric_from_none_to_all(count: int) -> None:
    replaced = levels(count)
    assert (replaced[0], replaced[-1]) == (0, count)
    assert (np.diff(replaced) > 0).all()
    np.testing.assert_array_equal(replaced + replaced[::-1], count)


def test_of_a_linear_function_curves_are_sums_of_sorted_attributions(values: Floats) -> None:
    measured = curves_of(exact(values), values)
    change = output(values) - output(BASELINE[np.newaxis])
    contributions = (WEIGHTS * (values - BASELINE)) * np.sign(change)[:, np.newaxis, np.newaxis]
    for unit, scores in (("cells", contributions.reshape(6, -1)), ("features", contributions.sum(axis=1))):
        ordered = -np.sort(-scores, axis=1)
        put_back = np.concatenate([np.zeros((6, 1)), np.cumsum(ordered, axis=1)], axis=1)[:, levels(scores.shape[1])]
        of_unit = measured.curves[unit]  # type: ignore[index]
        np.testing.assert_allclose(of_unit["insertion"], put_back, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(of_unit["deletion"], np.abs(change)[:, np.newaxis] - put_back, rtol=1e-4, atol=1e-4)


def test_of_a_linear_function_random_orders_are_straight_lines_on_average(values: Floats) -> None:
    measured = curves_of(exact(values), values, orders=3000)
    change = np.abs(output(values) - output(BASELINE[np.newaxis]))
    straight = change[:, np.newaxis] * measured.fractions["cells"]
    np.testing.assert_allclose(measured.curves["cells"]["insertion_random"], straight, atol=0.8)
    np.testing.assert_allclose(
        measured.curves["cells"]["deletion_random"] + straight, change[:, np.newaxis] + 0 * straight, atol=0.8
    )


def test_the_true_attribution_beats_random_order_and_a_shuffled_one_does_not(values: Floats) -> None:
    truth = exact(values)
    areas = curves_of(truth, values).areas("cells")
    assert (areas["deletion"] > 0).all()
    assert (areas["insertion"] > 0).all()
    shuffled = np.random.default_rng(1).permuted(truth.reshape(6, -1), axis=1).reshape(truth.shape)
    blind = curves_of(shuffled, values, orders=50).areas("cells")
    assert abs(blind["deletion"].mean()) < 0.3 * areas["deletion"].mean()
    reversed_ = curves_of(-truth, values).areas("cells")
    assert (reversed_["deletion"] < 0).all()


def test_ends_are_the_trial_and_the_baseline(values: Floats) -> None:
    measured = curves_of(exact(values), values)
    change = np.abs(output(values) - output(BASELINE[np.newaxis]))
    for unit in ("cells", "features"):
        curves = measured.curves[unit]
        for name, start, end in (("deletion", change, 0 * change), ("insertion", 0 * change, change)):
            for curve in (curves[name], curves[f"{name}_random"]):
                np.testing.assert_allclose(curve[:, 0], start, atol=1e-4)
                np.testing.assert_allclose(curve[:, -1], end, atol=1e-4)


def test_the_same_seed_gives_the_same_random_orders(values: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = exact(values)
    one = curves_of(truth, values).curves["cells"]["deletion_random"]
    other = curves_of(truth, values, seed=1).curves["cells"]["deletion_random"]
    assert not np.allclose(one, other)
    monkeypatch.setattr("steps.core.attribution.faithfulness._INPUTS_HELD", 100)
    again = curves_of(truth, values).curves["cells"]["deletion_random"]
    np.testing.assert_allclose(one, again, rtol=1e-6)


def test_a_networks_attribution_is_faithful(values: Floats, network: NetworkMaker) -> None:
    model = network(gain=3.0)
    for target in (0, 1):
        attribution = integrated_gradients(model, values, BASELINE, target=target)
        curves = fold_curves(
            model_output(model, target),
            values, BASELINE, attribution.attributions, SUBJECTS, generator=np.random.default_rng(0),
        )  # fmt: skip
        metrics = area_metrics([curves], [SUBJECTS])
        assert metrics["deletion_area_cells_low"] > 0
        assert metrics["insertion_area_cells_low"] > 0
        assert metrics["deletion_area_cells_low"] <= metrics["deletion_area_cells"]
        assert metrics["deletion_area_cells"] <= metrics["deletion_area_cells_high"]


def test_the_table_has_means_over_folds(values: Floats) -> None:
    one, other = curves_of(exact(values), values), curves_of(exact(values), values, seed=1)
    table = curve_table([one, other], [SUBJECTS, SUBJECTS])
    cells = table[table["unit"] == "cells"]
    np.testing.assert_allclose(cells["fraction"], one.fractions["cells"])
    expected = (one.curves["cells"]["deletion"] + other.curves["cells"]["deletion"]).mean(axis=0) / 2
    np.testing.assert_allclose(cells["deletion"], expected)
    assert (cells["insertion_low"] <= cells["insertion"] + 1e-12).all()
    assert set(table["unit"]) == {"cells", "features"}


def test_one_subject_has_no_interval(values: Floats) -> None:
    subjects = np.full(6, "a")
    curves = fold_curves(output, values, BASELINE, exact(values), subjects, generator=np.random.default_rng(0))
    metrics = area_metrics([curves], [subjects])
    assert set(metrics) == {
        f"{kind}_area_{unit}" for kind in ("deletion", "insertion") for unit in ("cells", "features")
    }


def test_a_subject_with_many_trials_is_sampled() -> None:
    subjects = np.array(["b"] * 100 + ["a"] * 3)
    rows = trials_to_test(subjects)
    assert np.unique(subjects[rows], return_counts=True)[1].tolist() == [3, 4]
    assert {0, 99, 100, 101, 102} <= set(rows.tolist())


def test_one_time_point_and_one_feature() -> None:
    values = np.array([[[2.0]], [[-1.0]]], dtype=np.float32)
    curves = fold_curves(
        lambda inputs: inputs[:, 0, 0].astype(np.float64), values, np.zeros((1, 1), np.float32), values,
        np.array(["a", "b"]), generator=np.random.default_rng(0),
    )  # fmt: skip
    np.testing.assert_allclose(curves.curves["cells"]["deletion"], [[2, 0], [1, 0]])
    np.testing.assert_allclose(curves.areas("features")["insertion"], 0)
