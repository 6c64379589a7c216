"""Expected values against every pair, and against labels drawn as the probabilities say."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest

from steps.core.data.labelling import Labelling
from steps.core.drift.expected import expected_accuracy, expected_auc
from steps.core.drift.later_labels import read_labels, with_labels
from steps.errors import UserError

LABELS: dict[Literal["0", "1"], str] = {"0": "calm", "1": "fear"}


def table(seed: int, subjects: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = np.repeat([f"N{i}" for i in range(subjects)], rng.integers(1, 5, subjects))
    probability = rng.random(len(names)).round(1)  # with ties
    return pd.DataFrame(
        {"subject": names, "probability": probability, "decision": (probability >= 0.5).astype(int)}
    ).assign(trial=[str(i) for i in range(len(names))])


@pytest.mark.parametrize("seed", range(5))
def test_expected_auc_is_that_of_every_pair(seed: int) -> None:
    predictions = table(seed)
    p = predictions["probability"].to_numpy()
    weights = 1 / predictions.groupby("subject")["probability"].transform("size").to_numpy()
    above = total = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            if i != j:
                pair = weights[i] * p[i] * weights[j] * (1 - p[j])
                total += pair
                above += pair * ((p[i] > p[j]) + 0.5 * (p[i] == p[j]))
    assert expected_auc(predictions) == pytest.approx(above / total)


def test_expected_accuracy_is_met_by_labels_that_are_as_probabilities_say() -> None:
    predictions = table(2, subjects=40)
    rng = np.random.default_rng(0)
    drawn = rng.random((4000, len(predictions))) < predictions["probability"].to_numpy()
    right = (drawn == (predictions["decision"].to_numpy() == 1)).mean(axis=0)
    share = pd.Series(right).groupby(predictions["subject"]).mean().mean()
    assert share == pytest.approx(expected_accuracy(predictions), abs=0.005)


def test_certain_probabilities_leave_nothing_to_expect() -> None:
    certain = pd.DataFrame({"subject": ["A", "B"], "probability": [0.0, 1.0], "decision": [0, 1]})
    assert expected_auc(certain) == 1
    assert expected_accuracy(certain) == 1
    assert expected_auc(certain.head(1)) is None


def test_labels_that_came_later_are_found_by_subject_or_by_trial() -> None:
    predictions = table(1)
    names = predictions["subject"].unique()
    by_subject = read_labels(f"subject;label\n{names[0]};fear\n{names[1]};0\n".encode(), "late.csv", LABELS)
    known = with_labels(predictions, by_subject)["label"]
    assert known[predictions["subject"] == names[0]].eq(1).all()
    assert known[predictions["subject"] == names[1]].eq(0).all()
    assert known[~predictions["subject"].isin(names[:2])].isna().all()
    first = predictions.iloc[0]
    by_trial = read_labels(f"subject,trial,label\n{first['subject']},{first['trial']},1\n".encode(), "late.csv", LABELS)
    assert with_labels(predictions, by_trial)["label"].notna().sum() == 1
    assert with_labels(predictions.assign(label=0), None)["label"].eq(0).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("subject\nA\n", "has no column 'label'"),
        ("subject,label\nA,perhaps\n", "row 2: label is 'perhaps', expected one of '0', '1', 'calm', 'fear'"),
        ("subject,label\nA,1\nA,0\n", "'A' has two labels"),
        ("", "is no table that can be read"),
        ("\0\0", "expected"),
    ],
)
def test_labels_that_are_none_are_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_labels(text.encode(), "late.csv", LABELS)


def test_whole_labels_answer_the_question() -> None:
    def answers(labelling: Labelling, *labels: str) -> list[int]:
        negative, positive = labelling.question
        rows = "".join(f"S{place},{label}\n" for place, label in enumerate(labels))
        raw = f"subject,label\n{rows}".encode()
        found: list[int] = read_labels(raw, "later.csv", {"0": negative, "1": positive}, labelling)["label"].tolist()
        return found

    levels = Labelling(kind="ordered", names=("0", "1", "2"), cut_off=2)
    assert answers(levels, "0", "1", "2", "2 or more", "below 2") == [0, 0, 1, 1, 0]
    assert answers(Labelling(kind="classes", names=("joy", "rest", "stress"), cut_off=1), "rest", "joy", "1") == [
        1,
        0,
        1,
    ]
    score = Labelling(kind="score", names=(), cut_off=0.7)
    assert answers(score, "0.7", "0.69", "-1", "1", "0", "0.7 or more") == [1, 0, 0, 1, 0, 1]
    with pytest.raises(UserError, match=r"row 3: label is 'high', expected a score, or one of 'below 0\.7'"):
        answers(score, "1", "high")
