"""Paired differences: what they are, and that pairing is what makes them narrow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.names import LEVELS
from steps.core.metrics.paired import judged, judged_levels, paired_differences
from steps.core.metrics.predictions import levels_of


def results(probabilities: np.ndarray, subjects: int = 20, trials: int = 5) -> pd.DataFrame:
    names = np.repeat([f"s{i:02d}" for i in range(subjects)], trials)
    return pd.DataFrame(
        {
            "subject": names,
            "trial": np.tile([f"t{i}" for i in range(trials)], subjects),
            "label": np.repeat(np.arange(subjects) % 2, trials),
            "test_number": 1,
            "probability": probabilities,
        }
    )


@pytest.fixture(scope="module")
def pair() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two methods that find the same subjects hard; the first is a little better."""
    generator = np.random.default_rng(3)
    hard = np.repeat(generator.normal(0, 1.2, 20), 5) + generator.normal(0, 0.5, 100)
    sign = 2 * np.repeat(np.arange(20) % 2, 5) - 1
    first, second = sign * 1.0 + hard, sign * 0.7 + hard + generator.normal(0, 0.1, 100)
    return results(1 / (1 + np.exp(-first))), results(1 / (1 + np.exp(-second)))


def test_values_are_differences_of_scikit_learns_metrics(pair: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    one, other = (judged_levels(results, (0.5,))["pooled"] for results in pair)
    first, second = one.scores, other.scores
    between = paired_differences(one, other)
    expected = roc_auc_score(first.labels, first.probabilities) - roc_auc_score(second.labels, second.probabilities)
    assert between["auc"]["value"] == pytest.approx(expected)
    expected = brier_score_loss(first.labels, first.probabilities) - brier_score_loss(
        second.labels, second.probabilities
    )
    assert between["brier"]["value"] == pytest.approx(expected)


def test_interval_is_about_that_of_resampled_subjects_drawn_for_both(pair: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """An independent bootstrap: tables of whole subjects, scikit-learn; too narrow for so few, but not by much."""
    levels = [levels_of(one)["pooled"] for one in pair]
    differences = []
    for row in resample_weights(20, 200, 1):
        entries = np.repeat(np.arange(100), np.repeat(row.astype(int), 5))
        labels = levels[0].labels[entries]
        if len(np.unique(labels)) == 2:
            aucs = [roc_auc_score(labels, level.probabilities[entries]) for level in levels]
            differences.append(aucs[0] - aucs[1])
    between = paired_differences(*(judged(level, ()) for level in levels))["auc"]
    low, high = np.percentile(differences, [2.5, 97.5])
    assert between["low"] < low < high < between["high"]
    assert between["high"] - between["low"] < 3 * (high - low)


def test_pairing_cancels_what_is_hard_for_both(pair: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for level in LEVELS:
        first, second = (judged_levels(one, ())[level] for one in pair)
        difference = paired_differences(first, second)["brier"]
        alone = first.estimates["brier"]
        assert difference["high"] - difference["low"] < 0.6 * (alone["high"] - alone["low"])


def test_swapping_changes_the_sign_and_a_method_does_not_differ_from_itself(
    pair: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    first, second = (judged_levels(one, (0.5,))["subject"] for one in pair)
    forth, back = (paired_differences(*two) for two in ((first, second), (second, first)))
    for name in forth:
        assert forth[name]["value"] == pytest.approx(-back[name]["value"])
        assert forth[name].get("low") == pytest.approx(-back[name]["high"] if "high" in back[name] else None)
    for name, estimate in paired_differences(first, first).items():
        assert estimate == ({"value": 0.0} if name in ("loss", "ece") else {"value": 0.0, "low": 0.0, "high": 0.0})


def test_other_trials_are_refused() -> None:
    first, second = results(np.full(100, 0.5)), results(np.full(50, 0.5), subjects=10)
    with pytest.raises(ValueError, match="same subjects"):
        paired_differences(*(judged_levels(one, ())["pooled"] for one in (first, second)))


def test_a_single_subject_has_no_interval() -> None:
    one, other = (
        judged_levels(results(np.linspace(*ends, 5), subjects=1), ())["pooled"] for ends in ((0.1, 0.9), (0.2, 0.6))
    )
    between = paired_differences(one, other)
    assert set(between["brier"]) == {"value"}
    assert "auc" not in between
