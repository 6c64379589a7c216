from __future__ import annotations

import numpy as np

from steps.core.metrics.decisions import decisions, votes, with_votes
from steps.core.metrics.names import IN_FOLD
from steps.core.metrics.predictions import (
    FoldPrediction,
    Scores,
    results_table,
    subject_scores,
    subjects_table,
    trial_scores,
)
from tests.core.metrics.conftest import StudyMaker, make_dataset, scores


def test_most_trials_decide_and_an_even_split_leaves_it_to_the_mean() -> None:
    names = ["few"] * 3 + ["many"] * 3 + ["even, high mean"] * 2 + ["even, low mean"] * 2
    trials = scores([1] * 10, [0.9, 0.1, 0.2, 0.1, 0.5, 0.6, 0.9, 0.4, 0.6, 0.1], names)
    rows = ["even, high mean", "even, low mean", "few", "many"]
    subjects = scores([1] * 4, [0.65, 0.35, 0.4, 0.4], rows)
    assert votes(trials, subjects, (0.5,))[0.5].tolist() == [True, False, False, True]


def test_a_vote_and_a_mean_may_differ() -> None:
    folds = [FoldPrediction(make_dataset(["a"] * 3, ["1", "2", "3"], [0] * 3), 1, np.array([0.99, 0.3, 0.3]))]
    results = results_table(folds, (0.5, 0.2))
    table = with_votes(subjects_table(results, (0.5, 0.2)), results, (0.5, 0.2))
    assert table[["prediction_0.5", "vote_0.5", "prediction_0.2", "vote_0.2"]].to_numpy().tolist() == [[1, 0, 1, 1]]


def test_each_class_of_a_subject_votes_for_itself(study: StudyMaker) -> None:
    results = study(mixed=4)
    trials, subjects = trial_scores(results), subject_scores(results)
    assert len(subjects.labels) == 16
    voted = votes(trials, subjects, (0.5,))[0.5]
    for row, (name, label) in enumerate(zip(subjects.subjects, subjects.labels, strict=True)):
        mine = (trials.subjects == name) & (trials.labels == label)
        share = (trials.probabilities[mine] >= 0.5).mean()
        assert voted[row] == (share > 0.5 or (share == 0.5 and subjects.probabilities[row] >= 0.5))


def test_every_entry_is_decided_by_the_threshold_of_its_fold() -> None:
    own = Scores(np.array([1, 0], np.int8), np.array([0.3, 0.3]), np.array(["a", "b"]), in_fold=np.array([0.3, 0.31]))
    made = decisions(own, (0.5,))
    assert list(made) == [0.5, IN_FOLD]
    assert made[IN_FOLD].tolist() == [True, False]
