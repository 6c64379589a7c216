"""The tests against scipy, closed forms and their own level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from steps.core.metrics.significance import mcnemar, subject_errors, wilcoxon


def test_wilcoxon_is_scipys_and_says_who_is_better() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random(15), generator.random(15) + 0.3
    test = wilcoxon(first, second)
    assert test["p_value"] == pytest.approx(stats.wilcoxon(first, second).pvalue)
    assert test["first_better"] == int((first < second).sum())
    assert test["rank_biserial"] > 0
    assert wilcoxon(second, first)["rank_biserial"] == pytest.approx(-test["rank_biserial"])
    assert wilcoxon(second, first)["p_value"] == pytest.approx(test["p_value"])


def test_wilcoxon_of_six_all_better_in_closed_form() -> None:
    test = wilcoxon(np.arange(6) / 10, np.arange(6) / 10 + np.arange(1, 7) / 100)
    assert test["p_value"] == pytest.approx(2 / 2**6)
    assert (test["first_better"], test["rank_biserial"]) == (6, 1.0)


@pytest.mark.parametrize("subjects", [1, 2, 30])
def test_wilcoxon_without_differences_decides_nothing(subjects: int) -> None:
    same = np.linspace(0.1, 0.5, subjects)
    test = wilcoxon(same, same)
    assert (test["p_value"], test["rank_biserial"], test["equal"]) == (1.0, 0.0, subjects)


def test_wilcoxon_with_ties_and_zeros_has_a_p_value() -> None:
    test = wilcoxon(np.array([0.1, 0.1, 0.2, 0.3, 0.3]), np.array([0.1, 0.2, 0.3, 0.3, 0.4]))
    assert 0 < test["p_value"] <= 1
    assert (test["first_better"], test["equal"]) == (3, 2)


def test_mcnemar_in_closed_form() -> None:
    labels = np.ones(12, dtype=int)
    first = np.array([0.9] * 8 + [0.1] * 4)
    second = np.array([0.9] * 3 + [0.1] * 5 + [0.9] + [0.1] * 3)
    test = mcnemar(labels, first, second, 0.5)
    counts = [test[name] for name in ("both_right", "only_first_right", "only_second_right", "both_wrong")]
    assert counts == [3, 5, 1, 3]
    assert test["p_value"] == pytest.approx(2 * (1 + 6) / 2**6)  # 0 or 1 heads of 6, twice
    assert test["first_share"] == pytest.approx(5 / 6)
    assert test["first_share_low"] < 0.5 < 5 / 6 < test["first_share_high"]


def test_mcnemar_needs_a_disagreement() -> None:
    same = np.array([0.2, 0.7])
    test = mcnemar(np.array([0, 0]), same, same, 0.5)
    assert (test["p_value"], test["both_right"], test["both_wrong"]) == (1.0, 1, 1)
    assert "first_share" not in test


def test_both_keep_their_level_where_there_is_no_difference() -> None:
    generator = np.random.default_rng(1)
    rejected = np.zeros(2)
    for _ in range(300):
        labels = generator.integers(0, 2, 24)
        first, second = generator.random(24), generator.random(24)
        rejected += [
            mcnemar(labels, first, second, 0.5)["p_value"] < 0.05,
            wilcoxon((first - labels) ** 2, (second - labels) ** 2)["p_value"] < 0.05,
        ]
    assert (rejected / 300 < 0.08).all(), rejected


def test_a_subjects_error_averages_its_trials_after_the_test_numbers() -> None:
    results = pd.DataFrame(
        {
            "subject": ["b", "b", "a", "a", "a", "a"],
            "trial": ["1", "1", "1", "1", "2", "2"],
            "label": [1, 1, 0, 0, 1, 1],
            "test_number": [1, 2, 1, 2, 1, 2],
            "probability": [0.4, 0.8, 0.2, 0.4, 0.5, 0.5],
        }
    )
    assert subject_errors(results).to_dict() == pytest.approx({"a": (0.09 + 0.25) / 2, "b": 0.16})
