from __future__ import annotations

import numpy as np
import pytest

from steps.core.metrics.predictions import FoldPrediction, results_table, subject_scores, subjects_table, trial_scores
from tests.core.metrics.conftest import make_dataset

ANNA = make_dataset(["anna", "anna"], ["1", "2"], [1, 1])
BEN = make_dataset(["ben", "ben", "ben"], ["1", "1", "2"], [0, 1, 0])  # trial 1 in both conditions


def test_a_row_per_trial_and_test_number() -> None:
    folds = [
        FoldPrediction(BEN, 1, np.array([0.2, 0.6, 0.4])),
        FoldPrediction(ANNA, 2, np.array([0.9, 0.5])),
        FoldPrediction(ANNA, 1, np.array([0.7, 0.3])),
    ]
    table = results_table(folds, (0.5, 0.35))
    assert list(table.columns) == [
        "subject", "trial", "label", "test_number", "probability", "prediction_0.5", "prediction_0.35",
    ]  # fmt: skip
    assert table["subject"].tolist() == ["anna", "anna", "ben", "ben", "ben", "anna", "anna"]
    assert table["test_number"].tolist() == [1, 1, 1, 1, 1, 2, 2]
    assert table["label"].tolist() == [1, 1, 0, 1, 0, 1, 1]
    assert table["prediction_0.5"].tolist() == [1, 0, 0, 1, 0, 1, 1]
    assert table["prediction_0.35"].tolist() == [1, 0, 0, 1, 1, 1, 1]


def test_subjects_average_trials_after_test_numbers() -> None:
    folds = [
        FoldPrediction(ANNA, 1, np.array([0.8, 0.1])),
        FoldPrediction(ANNA, 2, np.array([0.6, 0.3])),
        FoldPrediction(BEN, 1, np.array([0.2, 0.6, 0.4])),
    ]
    results = results_table(folds, (0.5, 0.35))
    table = subjects_table(results, (0.5, 0.35))
    assert list(table.columns) == [
        "subject", "label", "trials", "probability", "prediction_0.5", "prediction_0.35",
    ]  # fmt: skip
    assert table["subject"].tolist() == ["anna", "ben", "ben"]
    assert table["label"].tolist() == [1, 0, 1]
    assert table["trials"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(table["probability"], [0.45, 0.3, 0.6])
    assert table["prediction_0.5"].tolist() == [0, 0, 1]
    assert table["prediction_0.35"].tolist() == [1, 0, 1]
    np.testing.assert_allclose(trial_scores(results).probabilities, [0.7, 0.2, 0.2, 0.4, 0.6])
    assert subject_scores(results).subjects.tolist() == ["anna", "ben", "ben"]


def test_a_trial_tested_twice_is_a_bug() -> None:
    fold = FoldPrediction(ANNA, 1, np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="trial '1' of subject 'anna' is tested twice under test number 1"):
        results_table([fold, fold], (0.5,))


def test_no_folds_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no folds"):
        results_table([], (0.5,))


def test_probabilities_must_fit_the_trials() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\), expected \(2,\)"):
        FoldPrediction(ANNA, 1, np.zeros(3))
