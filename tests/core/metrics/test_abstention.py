"""What a "don't know" would have been worth: counted by hand, calibrated without the held-out subject."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from steps.core.metrics.abstention import (
    DECLARED,
    abstention,
    abstention_metrics,
    answers_table,
    at_declared,
    curve_table,
    fold_p_values,
)
from steps.core.metrics.conformal import DONT_KNOW
from steps.core.metrics.text import abstention_text
from steps.parameters import PARAMETERS
from tests.core.metrics.conftest import make_dataset

NAMES = ("no fear", "fear")


def left_out(people: int, low: float = 0.2, high: float = 0.8) -> pd.DataFrame:
    """Scores of as many people of either class, two trials each, and of a control that looks like fear."""
    rows = [(f"{label}{one}", label, (low, high)[label]) for label in (0, 1) for one in range(people) for _ in range(2)]
    return pd.DataFrame([*rows, ("control", 0, 1.0)], columns=["subject", "label", "probability"])


def p_values_of(probabilities: list[float], label: int, people: int = 9) -> pd.DataFrame:
    """Of a held-out subject of ``label`` with these probabilities."""
    count = len(probabilities)
    test = make_dataset([f"new{label}"] * count, [f"t{trial}" for trial in range(count)], [label] * count)
    return fold_p_values(test, np.array(probabilities), left_out(people), {"control"})


def test_trials_and_the_subject_are_compared_with_the_training_subjects_and_not_with_controls() -> None:
    table = p_values_of([0.9, 0.1, 0.8], label=1)
    assert table["level"].tolist() == ["pooled"] * 3 + ["subject"]
    assert table["trial"].tolist() == ["t0", "t1", "t2", ""]
    np.testing.assert_allclose(table["p_value_0"], [0.1, 1, 0.1, 0.1])
    np.testing.assert_allclose(table["p_value_1"], [1, 0.1, 1, 0.1])


def test_answers_and_errors_are_counted_by_person() -> None:
    folds = [p_values_of([0.9, 0.9, 0.1, 0.5], label=1), p_values_of([0.1], label=0)]
    answered = answers_table(folds, NAMES)
    assert answered.set_index(["level", "subject", "trial"])["answer"].to_dict() == {
        ("pooled", "new0", "t0"): "no fear",
        ("pooled", "new1", "t0"): "fear",
        ("pooled", "new1", "t1"): "fear",
        ("pooled", "new1", "t2"): "no fear",
        ("pooled", "new1", "t3"): DONT_KNOW,  # unlike both
        ("subject", "new0", ""): "no fear",
        ("subject", "new1", ""): DONT_KNOW,  # mean 0.6: unlike both
    }
    document = abstention(answered)
    trials, people = (at_declared(document, level) for level in ("pooled", "subject"))
    assert (trials["cases"], trials["answered"], trials["wrong"]) == (5, 4, 1)
    assert trials["answered_share"] == pytest.approx((1 + 3 / 4) / 2)
    assert trials["error"] == pytest.approx((0 + 1 / 4) / 2)
    assert trials["error_answered"] == pytest.approx(1 / 7)
    assert trials["coverage"] == pytest.approx((1 + 2 / 4) / 2)
    assert trials["error_low"] < trials["error"] < trials["error_high"]
    assert (people["cases"], people["answered"], people["wrong"]) == (2, 1, 0)
    assert abstention_metrics(document)["abstention/pooled/error"] == trials["error"]
    assert abstention_text(document) == (
        "at a declared error rate of 10% it answers for 1 of 2 people and is wrong for 0; "
        "of their trials it answers 88% and is wrong for 12%"
    )
    curves = curve_table(document)
    assert curves.groupby("level")["error_rate"].agg(["min", "max", "size"]).to_numpy().tolist() == [[0, 0.5, 51]] * 2
    assert (curves.groupby("level")["answered"].diff().dropna() >= 0).all()


def test_too_few_training_subjects_answer_nothing_and_the_sentence_says_how_many_it_takes() -> None:
    document = abstention(answers_table([p_values_of([0.9], 1, people=8), p_values_of([0.1], 0, people=8)], NAMES))
    assert "error_answered" not in at_declared(document, "subject")
    assert abstention_text(document).endswith("(to rule out a class takes 9 training subjects of it)")


def test_p_values_of_several_test_numbers_are_averaged_and_a_person_of_both_classes_counts_in_both() -> None:
    first, second = p_values_of([0.9], label=1), p_values_of([0.1], label=1)
    both = answers_table([first, second], NAMES)
    np.testing.assert_allclose(both[["p_value_0", "p_value_1"]], [[0.55, 0.55]] * 2)
    other = p_values_of([0.1], label=0).assign(subject="new1")
    mixed = abstention(answers_table([first, other], NAMES))
    assert (mixed["people"], at_declared(mixed, "subject")["cases"]) == (1, 2)
    assert "2 of 2 sets of trials of one class and person" in abstention_text(mixed)


def test_the_declared_rate_is_that_of_predict() -> None:
    assert PARAMETERS["error_rate"].default == DECLARED
