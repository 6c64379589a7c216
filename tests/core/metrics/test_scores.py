"""Scores, decisions, flags, and metrics that keep new and trained subjects apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from steps.core.data.training_reference import LeftOutScores, TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.conformal import DONT_KNOW
from steps.core.metrics.scores import by_subject, performance, performance_metrics, score, with_answers


class _Fixed:
    """A network that says for each trial what it is told to."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self._left = probabilities

    def __call__(self, inputs: np.ndarray, *, training: bool) -> np.ndarray:
        assert not training
        now, self._left = self._left[: len(inputs)], self._left[len(inputs) :]
        return now[:, None]


def scored(unseen: Unseen, trained: TrainingReference, threshold: float = 0.5) -> pd.DataFrame:
    probabilities = np.random.default_rng(3).uniform(size=len(unseen.trials))
    return score(_Fixed(probabilities), unseen, trained, threshold)


def test_probabilities_are_the_networks_and_decisions_follow(
    unseen: Unseen, trained: TrainingReference, final_network: Any
) -> None:
    expected = final_network(unseen.values).numpy()[:, 0].astype(float)
    threshold = float(np.median(expected))
    table = score(final_network, unseen, trained, threshold)
    np.testing.assert_allclose(table["probability"], expected, rtol=1e-6)
    assert table["decision"].tolist() == (table["probability"] >= threshold).astype(int).tolist()
    assert set(table["threshold"]) == {threshold}
    assert list(table.columns) == [
        *("subject", "trial", "group", "label", "probability", "decision", "threshold", "distance", "unusual"),
        "in_training",
    ]


def test_distance_is_in_standard_deviations_of_the_training_trials(unseen: Unseen, trained: TrainingReference) -> None:
    mean, sd = np.asarray(trained.mean), np.asarray(trained.sd)
    far = np.stack([mean, mean + 2 * sd, mean - 40 * sd] + [mean] * (len(unseen.trials) - 3)).astype(np.float32)
    table = scored(replace(unseen, values=far), trained)
    np.testing.assert_allclose(table["distance"][:4], [0, 2, 40, 0], atol=1e-4)
    assert table["unusual"][:4].tolist() == [0, int(trained.usual_distance < 2), 1, 0]


def test_without_labels_there_is_no_column_and_controls_have_none(unseen: Unseen, trained: TrainingReference) -> None:
    assert "label" not in scored(replace(unseen, labels=None), trained)
    table = scored(unseen, trained)
    assert table["label"].isna().tolist() == unseen.is_control.tolist()


def test_a_subjects_probability_is_the_mean_of_its_trials(unseen: Unseen, trained: TrainingReference) -> None:
    table = scored(unseen, trained)
    subjects = by_subject(table, 0.5).set_index("subject")
    assert sorted(subjects.index) == sorted(set(unseen.subjects))  # controls too
    for name, row in subjects.iterrows():
        own = table[table["subject"] == name]
        assert row["probability"] == pytest.approx(own["probability"].mean())
        assert row["decision"] == int(own["probability"].mean() >= 0.5)
        assert row["trials"] == len(own)


def test_trials_and_subjects_are_answered_by_what_is_left_of_both_classes(
    unseen: Unseen, trained: TrainingReference
) -> None:
    """Class 1 of the training has high probabilities and class 0 low ones, so that each end has its answer."""
    label = [subject % 2 for subject in range(len(trained.subjects))]
    probability = [0.3 + 0.4 * one for one in label]
    known = {"subject": range(len(label)), "label": label, "probability": probability}
    calibrated = trained.model_copy(update={"left_out_scores": LeftOutScores.model_validate(known)})
    table = scored(unseen, calibrated).assign(unusual=0)
    trials, subjects = with_answers(table, by_subject(table, 0.5), calibrated, 0.4)
    for answered in (trials, subjects):
        p = answered["probability"]
        expected = np.select([p >= 0.7, p <= 0.3], [calibrated.labels["1"], calibrated.labels["0"]], DONT_KNOW)
        assert answered["answer"].tolist() == expected.tolist()
    assert set(trials["answer"]) == {*calibrated.labels.values(), DONT_KNOW}
    mixed = calibrated.model_copy(
        update={"left_out_scores": LeftOutScores(subject=[0, 0, 1], label=[0, 1, 1], probability=[0.2, 0.9, 0.8])}
    )
    alone = scored(replace(unseen, labels=None), trained).assign(unusual=0)
    trials, subjects = with_answers(alone, by_subject(alone, 0.5), mixed, 0.4)
    assert "answer" in trials
    assert "answer" not in subjects, "a person's trials may be of both classes"
    assert "answer" in with_answers(table, by_subject(table, 0.5), mixed, 0.4)[1]
    never, _ = with_answers(table, by_subject(table, 0.5), calibrated, 0.05)
    assert set(never["answer"]) == {DONT_KNOW}, "too few subjects to rule out any class at 5%"
    with pytest.raises(ValueError, match="nothing is kept to calibrate with"):
        with_answers(table, by_subject(table, 0.5), trained, 0.1)


def test_what_is_unlike_the_training_is_not_answered(unseen: Unseen, trained: TrainingReference) -> None:
    label = [subject % 2 for subject in range(len(trained.subjects))]
    known = {"subject": range(len(label)), "label": label, "probability": [0.3 + 0.4 * one for one in label]}
    calibrated = trained.model_copy(update={"left_out_scores": LeftOutScores.model_validate(known)})
    usual = scored(unseen, calibrated).assign(unusual=0, probability=0.9)
    first = usual["subject"].iloc[0]
    unusual = usual.assign(unusual=(usual["subject"] == first).astype(int))
    trials, subjects = with_answers(unusual, by_subject(unusual, 0.5), calibrated, 0.4)
    for answered in (trials, subjects):
        own = answered["subject"] == first
        assert set(answered.loc[own, "answer"]) == {DONT_KNOW}
        assert set(answered.loc[~own, "answer"]) == {calibrated.labels["1"]}


def test_performance_is_scikit_learns_without_controls(unseen: Unseen, trained: TrainingReference) -> None:
    table = scored(unseen, trained, 0.4)
    patients = table[table["group"] == "patient"]
    labels = patients["label"].astype(int)
    metrics = performance_metrics(performance(table, 0.4, seed=0))
    assert metrics["pooled/auc"] == pytest.approx(roc_auc_score(labels, patients["probability"]))
    assert metrics["pooled/threshold_0.4/balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(labels, patients["decision"])
    )
    assert metrics["pooled/auc_low"] <= metrics["pooled/auc"] <= metrics["pooled/auc_high"]
    assert not any(name.startswith("trained_subjects") for name in metrics)


def test_trained_subjects_never_enter_the_metrics_of_new_ones(unseen: Unseen, trained: TrainingReference) -> None:
    known = unseen.subjects == unseen.subjects[-1]
    table = scored(replace(unseen, in_training=known), trained)
    documents = performance(table, 0.5, seed=0)
    counted = {name: document["counts"]["trials"] for name, document in documents.items()}
    assert counted == {
        "new_subjects": int((~known & ~unseen.is_control).sum()),
        "trained_subjects": int((known & ~unseen.is_control).sum()),
    }
    assert "trained_subjects/pooled/threshold_0.5/accuracy" in performance_metrics(documents)
    everybody = performance(scored(replace(unseen, in_training=~unseen.is_control), trained), 0.5, seed=0)
    assert set(everybody) == {"trained_subjects"}


def test_one_class_has_no_auc(unseen: Unseen, trained: TrainingReference) -> None:
    table = scored(replace(unseen, labels=np.zeros_like(unseen.trials, dtype=np.int8)), trained)
    metrics = performance_metrics(performance(table, 0.5, seed=0))
    assert "pooled/auc" not in metrics
    assert "pooled/threshold_0.5/accuracy" in metrics
