"""What cannot be compared is refused, and the difference named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steps.core.metrics.comparable import check_comparable
from steps.errors import UserError
from tests.core.metrics.conftest import MethodMaker


def test_the_same_folds_pass_whatever_the_order_of_rows(make_method: MethodMaker) -> None:
    first, second = make_method(), make_method(noise=1)
    check_comparable(first, replace(second, results=second.results.sample(frac=1, random_state=0)))


def test_other_data(make_method: MethodMaker) -> None:
    other = replace(make_method(), train_run_id="b" * 32, dataset_digest="e" * 64)
    with pytest.raises(UserError, match=r"aaaa was trained on data with digest dddddddddddd…, run bbbb"):
        check_comparable(make_method(), other)


def test_other_folds_or_test_numbers(make_method: MethodMaker) -> None:
    few, many = make_method(subjects=4), make_method(subjects=4, test_numbers=2, train_run_id="b" * 32)
    for pair in ((few, many), (many, few)):
        with pytest.raises(UserError, match=r"run b+ has fold 's00' with test number 2 and 3 more, run a+ has not"):
            check_comparable(*pair)


def test_other_test_subjects_in_a_fold(make_method: MethodMaker) -> None:
    one = make_method(subjects=4)
    turned = replace(one, folds={**one.folds, ("s00", 1): frozenset(["s00", "s01"])})
    with pytest.raises(UserError, match=r"subject 's01' is tested by fold 's00' with test number 1 in one of"):
        check_comparable(one, turned)


def test_other_trials(make_method: MethodMaker) -> None:
    one = make_method(subjects=4)
    with pytest.raises(UserError, match="not of the same trials"):
        check_comparable(one, replace(one, results=one.results.iloc[1:]))
