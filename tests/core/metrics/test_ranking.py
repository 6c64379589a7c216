"""Which method is best, and which cannot be told apart."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from steps.core.metrics.paired import judged_levels
from steps.core.metrics.predictions import subject_scores
from steps.core.metrics.ranking import letters_of, ranking, told_apart
from tests.core.metrics.conftest import StudyMaker

NAMES = ("one", "two", "three", "four", "five", "six")


@given(st.integers(1, 6), st.sets(st.sampled_from([frozenset(pair) for pair in combinations(NAMES, 2)])))
@settings(max_examples=200, deadline=None)
def test_two_share_a_letter_if_and_only_if_they_are_alike(count: int, alike: set[frozenset[str]]) -> None:
    order = NAMES[:count]
    letters = letters_of(order, alike)
    assert letters[order[0]].startswith("a")
    for first, second in combinations(order, 2):
        assert bool(set(letters[first]) & set(letters[second])) == (frozenset((first, second)) in alike)


def test_a_chain_of_methods() -> None:
    """The best and the worst differ, the middle one cannot be told from either."""
    alike = {frozenset(("one", "two")), frozenset(("two", "three"))}
    assert letters_of(("one", "two", "three"), alike) == {"one": "a", "two": "ab", "three": "b"}


def test_methods_are_ranked_by_the_auc_of_subjects(study: StudyMaker) -> None:
    results = {"poor": study(effect=0.0, subjects=40), "good": study(effect=4.0, subjects=40)}
    results["same"] = results["good"]
    ranked = ranking({name: judged_levels(one, ())["subject"] for name, one in results.items()})
    assert [one["method"] for one in ranked["methods"]] == ["good", "same", "poor"]
    for one in ranked["methods"]:
        scores = subject_scores(results[one["method"]])
        assert one["value"] == pytest.approx(roc_auc_score(scores.labels, scores.probabilities))
    assert [one["letters"] for one in ranked["methods"]] == ["a", "a", "b"]
    best = {(one["first"], one["second"]): one for one in ranked["differences"]}
    assert set(best) == {("good", "same"), ("good", "poor"), ("same", "poor")}
    assert best["good", "poor"]["low"] > 0


def test_with_one_class_nothing_is_ranked(study: StudyMaker) -> None:
    results = study()
    one_class = results[results["label"] == 1]
    ranked = ranking({name: judged_levels(one_class, ())["subject"] for name in ("one", "two")})
    assert ranked["methods"] == ranked["differences"] == []


def test_what_has_no_interval_is_not_told_apart() -> None:
    assert not told_apart({"value": 0.5})
    assert not told_apart({"value": 0.5, "low": 0.0, "high": 1.0})
    assert told_apart({"value": -0.5, "low": -0.9, "high": -0.1})
