"""What inner folds say of settings."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from steps.core.data.fold import Fold
from steps.core.metrics.predictions import FoldPrediction
from steps.core.tuning.inner import Inner, subject_errors
from steps.core.tuning.space import Settings
from tests.core.metrics.conftest import make_dataset


def prediction(subjects: list[str], labels: list[int], probabilities: list[float]) -> FoldPrediction:
    names = [str(place) for place in range(len(subjects))]
    return FoldPrediction(make_dataset(subjects, names, labels), 1, np.array(probabilities))


def test_a_subject_counts_once_however_many_trials_there_are() -> None:
    one = prediction(["a", "a", "a", "b"], [1, 1, 1, 0], [0.5, 0.7, 0.9, 0.4])
    np.testing.assert_allclose(subject_errors(one), [(1 - 0.7) ** 2, 0.4**2])


def test_a_subject_of_both_classes_counts_once_in_each() -> None:
    one = prediction(["a", "a", "a"], [1, 0, 0], [0.9, 0.2, 0.4])
    np.testing.assert_allclose(subject_errors(one), [0.3**2, 0.1**2])


def test_the_value_is_the_mean_over_all_subjects_so_far_and_no_fold_is_trained_twice() -> None:
    said = [
        prediction(["a", "b"], [1, 0], [0.8, 0.5]),
        prediction(["c"], [1], [0.4]),
        prediction(["d", "e", "f"], [0, 0, 1], [0.1, 0.2, 0.3]),
    ]
    folds = [Fold(str(place), 1, (), (), (), "mixed", place) for place in range(3)]
    trained = Counter[str]()

    def predict(settings: Settings, fold: Fold) -> FoldPrediction:
        assert settings == {"model": "cnn"}
        trained[fold.name] += 1
        return said[fold.seed]

    inner = Inner(lambda _settings: folds, predict)
    errors = [0.04, 0.25, 0.36, 0.01, 0.04, 0.49]
    for step, people in enumerate((2, 3, 6)):
        assert inner({"model": "cnn"}, step) == pytest.approx(np.mean(errors[:people]))
    assert inner({"model": "cnn"}, 0) == pytest.approx(np.mean(errors[:2]))
    assert set(trained.values()) == {1}
