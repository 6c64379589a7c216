"""Folds of people beside folds of trials."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from steps.core.audit.leak import leak_check
from steps.core.baselines.logistic import summary_features
from tests.core.audit.test_identity import made


def test_knowing_the_person_is_what_random_folds_measure() -> None:
    check = leak_check(made(1, of_people=2.0, of_classes=0.0, people=16, features=20), seed=0)
    assert check.folds == 16
    assert check.of_people.balanced_accuracy < 0.7
    assert check.of_trials.balanced_accuracy > 0.9
    assert check.of_trials.auc > check.of_people.auc + 0.2
    json.dumps(asdict(check), allow_nan=False)


def test_without_people_both_ways_measure_the_effect() -> None:
    checks = [leak_check(made(seed, of_people=0.0, of_classes=0.5, people=16), seed=0) for seed in range(5)]
    gained = np.mean([one.of_trials.balanced_accuracy - one.of_people.balanced_accuracy for one in checks])
    assert gained == pytest.approx(0, abs=0.03)


def test_people_are_left_out_as_by_fitting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """One penalty, equal classes: the scores of scikit-learn's ridge, fitted without each person."""
    study = made(2, of_people=1.0, of_classes=0.3, people=10)
    monkeypatch.setattr("steps.core.audit.leak._PENALTIES", (30.0,))
    features = summary_features(study.values)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets = np.where(study.labels == 1, 1.0, -1.0)
    scores = cross_val_predict(Ridge(30.0), features, targets, groups=study.subjects, cv=LeaveOneGroupOut())
    # Who is left out is missing in his class: 24 trials against 30 make the mean of the others a ninth.
    scores += np.where(study.labels == 1, 1, -1) / 9
    expected = float(np.mean([(scores[study.labels == c] > 0).mean() if c else (scores[study.labels == c] <= 0).mean()
                              for c in (0, 1)]))  # fmt: skip
    assert leak_check(study, seed=0).of_people.balanced_accuracy == pytest.approx(expected)
