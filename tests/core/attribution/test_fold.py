"""One fold and a whole study without MLflow, by both methods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.attribution.fold import FoldResult, attribute_fold
from steps.core.attribution.results import REPORTED_TABLES, Results, results, summary_lines, warnings
from steps.core.attribution.settings import Method, Settings
from steps.core.data.dataset import Dataset
from steps.parameters import STEPS
from steps.tracking.products import may_be_empty

METHODS: tuple[Method, ...] = ("integrated_gradients", "expected_gradients")


@pytest.fixture(scope="module")
def model() -> Any:
    """A network that has learned nothing; attribution explains it all the same."""
    keras = pytest.importorskip("keras")
    from steps.core.models.networks import build

    keras.utils.set_random_seed(2)
    network = build("cnn", 21, 6)
    output = network.layers[-1]
    output.kernel.assign(10 * output.kernel)  # probabilities that differ, as those of a trained one do
    return network


@pytest.fixture(scope="module")
def standardised(small_study: Dataset) -> Dataset:
    values = small_study.values
    scaled = (values - values.mean(axis=(0, 1))) / values.std(axis=(0, 1))
    return replace(small_study, values=scaled.astype(np.float32))


def one_fold(
    model: Any, dataset: Dataset, subjects: list[str], settings: Settings, randomise: bool = True
) -> FoldResult:
    return attribute_fold(
        model,
        dataset.of_subjects(subjects),
        dataset.select(~dataset.is_control & ~np.isin(dataset.subjects, subjects)),
        dataset.select(dataset.is_control),
        settings,
        name="_".join(subjects),
        test_number=1,
        randomise=randomise,
    )


def study(model: Any, dataset: Dataset, settings: Settings) -> Results:
    """Two folds of two subjects, of which one is checked by randomisation, and one of one."""
    folds = [["S01", "S02"], ["S03", "S04"], ["S05"]]
    attributed = [one_fold(model, dataset, names, settings, randomise=names[0] == "S01") for names in folds]
    return results(attributed, [("_".join(names), 1) for names in folds], dataset, settings)


@pytest.fixture(scope="module", params=METHODS)
def outcome(request: pytest.FixtureRequest, model: Any, standardised: Dataset) -> Results:
    return study(model, standardised, Settings(method=request.param, baseline_trials=4))


def test_every_trial_is_accounted_for(outcome: Results, standardised: Dataset) -> None:
    trials = outcome.tables["completeness"]
    tested = standardised.of_subjects(["S01", "S02", "S03", "S04", "S05"])
    assert sorted(zip(trials["subject"], trials["trial"], strict=True)) == sorted(
        zip(tested.subjects, tested.trials, strict=True)
    )
    assert outcome.metrics["trials_hit"] + outcome.metrics["trials_error"] == len(trials)
    assert outcome.metrics["completeness_error_max"] <= 0.01
    assert outcome.metrics["check_completeness"] == 1


def test_expected_gradients_state_their_own_error(outcome: Results) -> None:
    trials = outcome.tables["completeness"]
    if "baselines" in trials:
        assert (trials["baselines"] == 4).all()
        assert (trials["sampling_error"] > 0).all()
        gap = (trials["source_output"] - trials["baseline_output"]).abs()
        assert (abs(trials["source_error"] - gap) <= trials["completeness_error"] + 1e-6).all()
        assert outcome.metrics["sampling_error_max"] == trials["sampling_error"].max()
    else:
        assert "sampling_error_max" not in outcome.metrics


def test_tables_and_metrics_are_all_there(outcome: Results) -> None:
    assert set(REPORTED_TABLES) <= set(outcome.tables)
    assert {"planted_truth", "randomisation", "rank_stability", "cell_importance"} <= set(outcome.tables)
    metrics = outcome.metrics
    for name in ("deletion_area_cells", "insertion_area_features", "randomised_correlation", "rank_tau_pairwise"):
        assert np.isfinite(metrics[name])
    assert {"check_deletion", "check_insertion", "check_randomisation"} <= set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
    assert metrics["check_deletion"] == metrics["check_insertion"] == 1  # faithful even to a model without sense


def test_missing_values_are_only_where_a_reader_expects_them(outcome: Results) -> None:
    for name in ("feature_importance", "attribution_map", *REPORTED_TABLES):
        table = outcome.tables[name]
        missing = {str(column) for column in table.columns[table.isna().any()]}
        assert all(may_be_empty(column) for column in missing)
        assert f"{name}.csv" in STEPS["attribute"].tables


def test_it_says_what_it_found(outcome: Results) -> None:
    text = "\n".join(summary_lines(outcome))
    assert "most important of 6 features" in text
    assert f"{outcome.metrics['deletion_area_cells']:.3f} [" in text
    assert ("sampling error" in text) == ("sampling_error_max" in outcome.metrics)
    failed = Results(outcome.tables, {**outcome.metrics, "check_deletion": 0.0, "trials_above_tolerance": 2})
    assert len(warnings(failed)) == len(warnings(outcome)) + 2
    hits_only = Results(outcome.tables, {**outcome.metrics, "trials_error": 0})
    assert "no trial was decided wrongly" in "\n".join(summary_lines(hits_only))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_results(model: Any, standardised: Dataset, method: Method) -> None:
    seeds = [Settings(method=method, baseline_trials=4, seed=seed) for seed in (0, 0, 1)]
    one, again, other = (one_fold(model, standardised, ["S01"], settings) for settings in seeds)
    assert one.randomised is not None
    assert again.randomised is not None
    np.testing.assert_array_equal(one.map.absolute, again.map.absolute)
    pd.testing.assert_frame_equal(one.randomised, again.randomised)
    random = "deletion_random"
    np.testing.assert_array_equal(one.curves.curves["cells"][random], again.curves.curves["cells"][random])
    assert not np.array_equal(one.curves.curves["cells"][random], other.curves.curves["cells"][random])
    assert np.array_equal(one.map.absolute, other.map.absolute) == (method == "integrated_gradients")


def test_the_other_class_decides_the_same(model: Any, standardised: Dataset) -> None:
    """Hits are about the probability of class 1, whichever class is attributed."""
    one, zero = (one_fold(model, standardised, ["S01"], Settings(target=target), False) for target in (1, 0))
    np.testing.assert_array_equal(one.outcomes.predictions, zero.outcomes.predictions)
    np.testing.assert_allclose(one.map.absolute, zero.map.absolute, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(one.map.signed, -zero.map.signed, rtol=1e-3, atol=1e-7)
    assert one.randomised is None


def test_nothing_of_a_held_out_subject_is_in_its_baselines(model: Any, standardised: Dataset) -> None:
    """Other values of the held-out trials change their outputs, not what they are compared with."""
    tested = standardised.subjects == "S01"
    other = replace(standardised, values=standardised.values + np.float32(5) * tested[:, np.newaxis, np.newaxis])
    for method in METHODS:
        settings = Settings(method=method, baseline_trials=4)
        one, two = (one_fold(model, data, ["S01"], settings, False).completeness for data in (standardised, other))
        np.testing.assert_array_equal(one["baseline_output"], two["baseline_output"])
        assert not np.allclose(one["output"], two["output"])
