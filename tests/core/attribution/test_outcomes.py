from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.attribution.outcomes import FoldOutcomes, fold_outcomes, importance_by_outcome, outcome_metrics

FEATURES = ("knee", "hip")


def fold(subject: str, probabilities: list[float], labels: list[int], sizes: list[list[float]]) -> FoldOutcomes:
    """Two time points, the second with the other sign."""
    signed = np.array(sizes, dtype=np.float32)[:, np.newaxis, :] * np.array([1.0, -0.5], np.float32)[:, np.newaxis]
    subjects = np.full(len(labels), subject)
    return fold_outcomes(signed, np.array(probabilities), np.array(labels, np.int8), subjects)


def two_folds() -> list[FoldOutcomes]:
    return [
        fold("S1", [0.9, 0.5, 0.1], [1, 1, 1], [[4, 0], [8, 0], [0, 4]]),
        fold("S2", [0.2, 0.7], [0, 0], [[12, 4], [0, 8]]),
    ]


def test_the_threshold_belongs_to_the_positive_class() -> None:
    assert two_folds()[0].predictions.tolist() == [1, 1, 0]


def test_every_outcome_has_its_own_importance() -> None:
    table: Any = importance_by_outcome(two_folds(), FEATURES).set_index(["outcome", "feature"])
    # Mean size over time is 3/4 of the first time point; each fold counts the same.
    assert table.loc[("hit", "knee"), "importance"] == pytest.approx(0.75 * (6 + 12) / 2)
    assert table.loc[("error", "hip"), "importance"] == pytest.approx(0.75 * (4 + 8) / 2)
    assert table.loc[("error", "knee"), "importance"] == 0
    assert table.loc[("hit", "knee"), "signed"] == pytest.approx(0.25 * (6 + 12) / 2)
    assert table.loc[("hit", "knee"), ["trials", "subjects", "rank"]].tolist() == [3, 2, 1]
    assert table.loc[("error", "knee"), "rank"] == 2
    assert set(table.index.get_level_values(0)) == {
        "hit", "error", "true_positive", "true_negative", "false_positive", "false_negative",
    }  # fmt: skip
    assert table.loc[("true_negative", "knee"), "importance"] == pytest.approx(9.0)
    assert np.isnan(table.loc[("false_negative", "knee"), "low"])  # one subject


def test_without_errors_there_are_no_rows_of_errors() -> None:
    folds = [fold("S1", [0.9], [1], [[1, 2]]), fold("S2", [0.1], [0], [[1, 2]])]
    table = importance_by_outcome(folds, FEATURES)
    assert set(table["outcome"]) == {"hit", "true_positive", "true_negative"}
    assert outcome_metrics(folds, table) == {"trials_hit": 2, "trials_error": 0}


def test_hits_and_errors_may_look_elsewhere() -> None:
    folds = two_folds()
    metrics = outcome_metrics(folds, importance_by_outcome(folds, FEATURES))
    assert metrics == {"trials_hit": 3, "trials_error": 2, "hit_error_tau": -1.0}


def test_outcomes_partition_the_trials() -> None:
    masks = two_folds()[0].masks()
    parts = ("true_positive", "true_negative", "false_positive", "false_negative")
    assert np.sum([masks[name] for name in parts], axis=0).tolist() == [1, 1, 1]
    assert (masks["hit"] ^ masks["error"]).all()
