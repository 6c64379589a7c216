"""The bound of a paired difference: against other computations, and how often it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.gates import BOUND, pairs, passing
from steps.core.metrics.not_worse import paired_difference
from steps.core.metrics.predictions import Scores


def test_the_standard_error_is_that_of_delong(subtests: pytest.Subtests) -> None:
    """DeLong et al. 1988, Biometrics 44:837-845, by its own formula; the jackknife differs by terms in 1/n."""
    one, other = next(pairs(200, 0.9, 0.8, 0.6, 1, seed=3))
    found = paired_difference(one, other)
    with subtests.test("values"):
        assert found.first == pytest.approx(roc_auc_score(one.labels, one.probabilities))
        assert found.value == pytest.approx(found.first - roc_auc_score(other.labels, other.probabilities))
    above = [
        (side.probabilities[side.labels == 1][:, None] > side.probabilities[side.labels == 0]).astype(float)
        for side in (one, other)
    ]
    gap = above[0] - above[1]
    delong = np.sqrt(gap.mean(axis=1).var(ddof=1) / 100 + gap.mean(axis=0).var(ddof=1) / 100)
    one_more, quantile = 1 / 100, 1.6525
    assert found.value - found.low == pytest.approx(quantile * np.hypot(delong, one_more), rel=0.02)
    assert found.smallest_margin == pytest.approx(quantile * one_more, rel=1e-3)


def test_the_same_probabilities_do_not_differ_and_others_always_may() -> None:
    one, other = next(pairs(24, 0.9, 0.9, 0.9, 1, seed=0))
    assert paired_difference(one, one).low == 0
    perfect = Scores(one.labels, np.where(one.labels == 1, 0.9, 0.1), one.subjects)
    also = Scores(one.labels, np.where(one.labels == 1, 0.8, 0.2), one.subjects)
    found = paired_difference(perfect, also)
    assert found.value == 0
    assert found.low == -found.smallest_margin < -0.1
    with pytest.raises(ValueError, match="same subjects"):
        paired_difference(one, Scores(other.labels, other.probabilities, other.subjects[::-1]))


def test_one_person_of_a_class_is_too_few() -> None:
    labels = np.array([0, 0, 1], dtype=np.int8)
    scores = [Scores(labels, np.array(p), np.array(["a", "b", "c"])) for p in ([0.1, 0.2, 0.9], [0.2, 0.3, 0.1])]
    with pytest.raises(ValueError, match="at least two of each class"):
        paired_difference(*scores)


def test_people_with_trials_of_both_classes_decide_twice() -> None:
    """Eight people, each with a label of either kind: leaving out one takes a positive and a negative away."""
    generator = np.random.default_rng(0)
    labels, names = np.tile([0, 1], 8).astype(np.int8), np.repeat([f"s{number}" for number in range(8)], 2)
    one, other = (Scores(labels, generator.random(16) + labels, names) for _ in range(2))
    assert paired_difference(one, other).smallest_margin == pytest.approx(1.8946 * 2 / 8, rel=1e-3)


@pytest.mark.parametrize(("people", "champion", "correlation"), [(24, 0.85, 0.0), (46, 0.95, 0.9)])
def test_a_challenger_that_is_worse_by_the_margin_seldom_passes(
    people: int, champion: float, correlation: float
) -> None:
    """At most 5%; with 400 studies a rate of 5% exceeds 8.5% once in 500 tries. An equal one passes more often."""
    worse = passing(people, champion, champion - 0.1, correlation, 0.1, 400, others=False).share[BOUND]
    equal = passing(people, champion, champion, correlation, 0.1, 100, others=False).share[BOUND]
    assert worse < 0.085
    assert equal > worse
