"""Comparing what two runs recorded."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps.reproduce.compare import Evidence, compare, difference, is_deterministic, left_out, verdict_of

TABLE = pd.DataFrame({"subject": ["S01", "007"], "probability": ["0.25", "0.5"], "inference_ms": ["3", "4"]})
RECORDED = Evidence(
    metrics={"pooled/auc": 0.9, "training_time_s": 4.0},
    curves={"loss": [(1, 0.7), (2, 0.6)]},
    tables={"results.csv": TABLE},
    documents={"summary.json": {"auc": {"value": 0.9, "name": "AUC"}, "wall_s": 3, "folds": [1, 2]}},
    digest="abc",
)


def verdicts(recorded: Evidence, again: Evidence) -> dict[str, str]:
    return {comparison.name: comparison.verdict for comparison in compare("run", recorded, again)}


def test_the_same_is_identical_and_times_are_left_out() -> None:
    comparisons = compare("run", RECORDED, RECORDED)
    assert [(c.kind, c.name, c.verdict, c.values) for c in comparisons] == [
        ("digest", "dataset", "identical", 1),
        ("metric", "pooled/auc", "identical", 1),
        ("curve", "loss", "identical", 2),
        ("table", "results.csv: subject", "identical", 2),
        ("table", "results.csv: probability", "identical", 2),
        ("document", "summary.json", "identical", 4),
    ]
    assert verdict_of(comparisons) == "identical"
    assert {c.difference for c in comparisons if not math.isnan(c.difference)} == {0.0}


def test_every_kind_of_difference_is_found() -> None:
    table = TABLE.assign(subject=["S01", "7"], probability=["0.25", "0.5000001"])
    again = Evidence(
        metrics={"pooled/auc": 0.8, "training_time_s": 9.0},
        curves={"loss": [(1, 0.7), (2, 0.6 + 1e-9)]},
        tables={"results.csv": table},
        documents={"summary.json": {"auc": {"value": 0.9, "name": "area"}, "wall_s": 5, "folds": [1, 2]}},
        digest="abd",
    )
    assert verdicts(RECORDED, again) == {
        "dataset": "different",
        "pooled/auc": "different",
        "loss": "within 1e-6",
        "results.csv: subject": "different",
        "results.csv: probability": "within 1e-6",
        "summary.json": "different",
    }
    (auc,) = [c for c in compare("run", RECORDED, again) if c.name == "pooled/auc"]
    assert auc.difference == pytest.approx(0.1)
    assert (auc.recorded, auc.reproduced) == ("0.9", "0.8")


def test_another_number_of_epochs_rows_or_keys_differs() -> None:
    again = Evidence(
        metrics=RECORDED.metrics,
        curves={"loss": [(1, 0.7)]},
        tables={"results.csv": TABLE.head(1)},
        documents={"summary.json": {"auc": {"value": 0.9}}},
        digest="abc",
    )
    verdict_by_name = verdicts(RECORDED, again)
    assert (verdict_by_name["loss"], verdict_by_name["results.csv"], verdict_by_name["summary.json"]) == (
        "different",
    ) * 3


def test_missing_counts_and_new_does_not() -> None:
    less = replace(RECORDED, metrics={})
    assert verdicts(RECORDED, less)["pooled/auc"] == "missing"
    assert verdict_of(compare("run", RECORDED, less)) == "different"
    assert verdicts(less, RECORDED)["pooled/auc"] == "new"
    assert verdict_of(compare("run", less, RECORDED)) == "identical"


def test_what_evaluate_adds_can_be_left_out() -> None:
    fold = Evidence(metrics={"best_val_loss": 0.5, "test_loss": 0.3, "threshold_0.5/tp": 4.0})
    trained = Evidence(metrics={"best_val_loss": 0.5})
    assert [c.name for c in compare("fold", fold, trained, evaluated=False)] == ["best_val_loss"]
    assert left_out(fold) == 2
    assert verdict_of(compare("fold", fold, trained)) == "different"


@pytest.mark.parametrize(
    "name",
    ["training_time_s", "train_wall_s", "inference_ms_per_trial", "training_s_mean_per_fold", "system/cpu_percent",
     "workers", "reused", "trials_per_second", "peak_rss_mib", "wall_s"],
)  # fmt: skip
def test_times_rates_and_memory_are_of_the_machine(name: str) -> None:
    assert not is_deterministic(name)


@pytest.mark.parametrize(
    "name",
    ["pooled/auc_low", "best_val_loss_epoch", "threshold_0.5/tp", "trials", "subjects", "timesteps", "features",
     "completeness_error_max", "time", "steps", "loss", "per_test_number/pooled/auc_sd", "folds", "epochs_trained"],
)  # fmt: skip
def test_results_are_not_of_the_machine(name: str) -> None:
    assert is_deterministic(name)


@given(st.lists(st.floats(), min_size=1))
def test_a_sequence_is_identical_to_itself_whatever_is_in_it(values: list[float]) -> None:
    assert difference(values, list(values)) == ("identical", 0.0)


@given(st.floats(-1e12, 1e12), st.floats(-1e3, 1e3))
def test_the_difference_is_absolute_and_the_tolerance_scales(value: float, apart: float) -> None:
    other = value + apart
    verdict, measured = difference([0.0, value], [0.0, other])
    assert measured == abs(value - other)
    if value == other:
        assert verdict == "identical"
    else:
        assert verdict == ("within 1e-6" if abs(value - other) <= 1e-6 * max(1, abs(value)) else "different")


@pytest.mark.parametrize("other", [math.nan, math.inf])
def test_what_is_no_number_differs_from_a_number(other: float) -> None:
    assert difference([1.0], [other]) == ("different", math.inf)
    assert difference([other], [1.0]) == ("different", math.inf)
