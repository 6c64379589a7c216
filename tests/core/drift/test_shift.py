"""The test of many numbers at once, against SciPy, against all ways of dealing people, and as often as it says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steps.core.drift.shift import people_needed, shift


def test_each_number_is_a_rank_sum_as_scipy_has_it() -> None:
    rng = np.random.default_rng(0)
    reference, batch = rng.normal(size=(24, 6)).round(1), rng.normal(0.5, size=(7, 6)).round(1)  # with ties
    found = shift(reference, batch, seed=1, permutations=99)
    for i in range(6):
        two_sided = stats.mannwhitneyu(batch[:, i], reference[:, i], method="asymptotic", use_continuity=False).pvalue
        assert 2 * stats.norm.sf(abs(found.z[i])) == pytest.approx(two_sided, rel=1e-9)


def test_p_values_are_those_of_all_ways_of_dealing_people() -> None:
    rng = np.random.default_rng(3)
    reference, batch = rng.normal(size=(6, 4)), rng.normal(1.0, size=(3, 4))
    found = shift(reference, batch, seed=0, permutations=20_000)
    ranks = stats.rankdata(np.vstack([reference, batch]), axis=0)
    ranks = (ranks - ranks.mean(axis=0)) / (ranks.std(axis=0, ddof=1) * np.sqrt(3 * 6 / 9))
    largest = [np.abs(ranks[list(chosen)].sum(axis=0)).max() for chosen in combinations(range(9), 3)]
    exact = [np.mean(np.array(largest) >= abs(z) - 1e-9) for z in found.z]
    assert found.p_values == pytest.approx(exact, abs=0.012)
    assert found.p_value == found.p_values.min()


@given(st.integers(0, 2**31 - 1))
def test_only_the_order_of_people_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, batch = rng.normal(size=(8, 3)), rng.normal(size=(4, 3))
    one = shift(reference, batch, 0, 99)
    other = shift(np.exp(reference) * 10, np.exp(batch) * 10, 0, 99)
    assert np.array_equal(one.z, other.z)
    assert np.array_equal(one.p_values, other.p_values)


def test_constant_numbers_say_nothing() -> None:
    found = shift(np.ones((9, 2)), np.ones((4, 2)), 0, 99)
    assert found.z.tolist() == [0, 0]
    assert found.p_value == 1


def test_false_alarms_are_as_rare_as_said() -> None:
    # Numbers that go together, of odd distributions; each time other people on both sides.
    rng = np.random.default_rng(7)
    p_values = []
    for i in range(300):
        people = np.exp(rng.normal(size=(17, 10)) @ rng.normal(size=(10, 30)))
        p_values.append(shift(people[:12], people[12:], i, 199).p_value)
    for level in (0.05, 0.2):
        alarms = np.mean(np.array(p_values) <= level)
        assert level - 3.5 * np.sqrt(level / 300) < alarms < level + 3.5 * np.sqrt(level / 300)


def test_people_needed_are_enough_and_fewer_are_not() -> None:
    rng = np.random.default_rng(0)
    needed = people_needed(24, 96, 0.01)
    assert needed == 4
    for size, found in ((needed, True), (needed - 2, False)):
        reference, batch = rng.normal(size=(24, 96)), rng.normal(size=(size, 96))
        batch[:, 5] += 100
        assert (shift(reference, batch, 0).p_values[5] <= 0.015) == found, "drawn permutations"
