from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from steps.core.metrics.chance import chance_level


@pytest.mark.parametrize(("cases", "expected"), [(20, 0.70), (40, 0.625), (80, 0.5875), (100, 0.58)])
def test_levels_for_two_classes_of_combrisson_and_jerbi(cases: int, expected: float) -> None:
    """The quantile of the binomial distribution, as their MATLAB formula ``binoinv(1 - alpha, n, 1/c)`` has it."""
    level = chance_level(cases // 2, cases // 2)
    assert level["accuracy"] == pytest.approx(expected)
    assert level["cases"] == cases


@pytest.mark.parametrize("each", [1, 5, 12, 50])
def test_balanced_accuracy_of_equal_classes_is_accuracy(each: int) -> None:
    level = chance_level(each, each)
    assert level["balanced_accuracy"] == pytest.approx(level["accuracy"])


def test_guesses_stay_at_or_below() -> None:
    generator = np.random.default_rng(0)
    positives, negatives = 7, 16
    level = chance_level(positives, negatives)["balanced_accuracy"]
    hits, rejections = (generator.binomial(cases, 0.5, 200_000) / cases for cases in (positives, negatives))
    guesses = (hits + rejections) / 2
    assert (guesses > level + 1e-9).mean() <= 0.05 + 0.002
    assert (guesses >= level - 1e-9).mean() > 0.05 - 0.002


def test_unequal_classes_make_accuracy_easier_to_reach_by_guessing() -> None:
    level = chance_level(30, 10)
    assert level["accuracy"] == binom.ppf(0.95, 40, 0.75) / 40
    assert level["accuracy"] > 0.75 > level["balanced_accuracy"] > 0.5


def test_many_cases_take_no_time_and_approach_a_half() -> None:
    assert chance_level(20_000, 30_000)["balanced_accuracy"] == pytest.approx(0.5, abs=0.005)
