"""The answer in two sentences."""

from __future__ import annotations

from typing import Any

import pytest

from steps.report.answer import answer

NAMES = ("calm", "fear")


def outcome(
    auc: dict[str, float] | None, balanced: dict[str, float] | None = None, subjects: int = 12, mixed: int = 0
) -> dict[str, Any]:
    subject = {"auc": auc, "threshold_0.5/balanced_accuracy": balanced}
    return {
        "counts": {
            "subjects": subjects,
            "trials": 60,
            "positive_subjects": subjects // 2 + mixed,
            "negative_subjects": subjects - subjects // 2,
        },
        "thresholds": [0.5, 0.43],
        "intervals": {"confidence": 0.95},
        "subject": {name: value for name, value in subject.items() if value},
        "pooled": {},
    }


def interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def test_the_measurement_names_value_interval_and_number_of_subjects() -> None:
    measured, _ = answer(outcome(interval(0.9, 0.7, 0.98), interval(0.8, 0.6, 0.95)), NAMES)
    assert measured == (
        "Tested on 12 subjects the models had never seen (6 with fear, 6 with calm; 60 trials), the probability of "
        "fear, averaged over a subject's trials, separates fear from calm with an AUC of 0.900 (95% interval 0.700 to "
        "0.980). At the threshold 0.5 the balanced accuracy, the mean of both classes' shares decided rightly, is "
        "0.800 (0.600 to 0.950)."
    )


@pytest.mark.parametrize(
    ("auc", "balanced", "expected"),
    [
        (interval(0.9, 0.7, 0.98), interval(0.8, 0.6, 0.95), "about 90 times in 100; with only 12 subjects it may"),
        (
            interval(1.0, 0.7, 1.0),
            None,
            "probability every time; with only 12 subjects it may really be anything from 70",
        ),
        (interval(0.9, 0.7, 0.98), interval(0.6, 0.45, 0.7), "decisions at 0.5 cannot be told from guessing."),
        (interval(0.6, 0.4, 0.8), interval(0.6, 0.55, 0.7), "The interval includes 0.5, the AUC of guessing"),
        (interval(0.5, 0.5, 0.5), None, "The interval includes 0.5, the AUC of guessing"),
        (interval(0.2, 0.1, 0.4), None, "This is below 0.5, the AUC of guessing"),
        ({"value": 0.9}, None, "Without an interval, from so few subjects, this cannot be told from guessing."),
    ],
)
def test_the_meaning_is_honest(auc: dict[str, float], balanced: dict[str, float] | None, expected: str) -> None:
    _, meaning = answer(outcome(auc, balanced), NAMES)
    assert expected in meaning
    assert ("better than guessing" in meaning) == (auc.get("low", 0) > 0.5)


def test_subjects_in_both_classes_are_not_told_apart_themselves() -> None:
    measured, meaning = answer(outcome(interval(0.9, 0.7, 0.98), mixed=3), NAMES)
    assert "averaged over a subject's trials of one class, separates" in measured
    assert "3 of them with both; 60 trials" in measured
    assert "of two sets of trials, one with fear and one with calm, the one with fear" in meaning


def test_without_auc_nothing_is_claimed() -> None:
    measured, meaning = answer(outcome(None, subjects=1), NAMES)
    assert (
        measured
        == "The models were tested on 1 subject the models had never seen (0 with fear, 1 with calm; 60 trials), "
        "all of one class."
    )
    assert "says nothing" in meaning
