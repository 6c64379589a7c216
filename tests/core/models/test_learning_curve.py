"""Fewer training subjects: who they are, and what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from steps.core.data.folds import plan_folds
from steps.core.models.heads import HeadsPath
from steps.core.models.learning_curve import REPEATS, _in_order, predictions, sizes
from steps.core.models.settings import balanced_weights
from steps.core.readers.simulate import SimulationSize, simulate
from steps.errors import UserError

STUDY = simulate(SimulationSize(subjects=14, controls=0, trials_min=2, trials_max=3, features=3), seed=0, timesteps=20)
FOLDS = plan_folds(STUDY, validation_fraction=0)
FEATURES = [STUDY.values.mean(axis=1).astype(np.float64), STUDY.values.std(axis=1).astype(np.float64)]


def test_sizes_go_from_few_to_all_that_a_fold_has() -> None:
    found = sizes(FOLDS)
    assert found == tuple(sorted(set(found)))
    assert found[0] == 6
    assert found[-1] == min(len(fold.training_subjects) for fold in FOLDS)


def test_too_few_subjects_are_one_clear_line() -> None:
    few = [replace(fold, training_subjects=fold.training_subjects[:8]) for fold in FOLDS]
    with pytest.raises(UserError, match="at least 10 subjects, found 8: add subjects"):
        sizes(few)


def test_even_the_fewest_have_both_classes_in_proportion() -> None:
    labels = {name: STUDY.labels[STUDY.subjects == name][0] for name in np.unique(STUDY.subjects)}
    for seed in range(20):
        order = _in_order(STUDY, FOLDS[0].training_subjects, np.random.default_rng(seed))
        assert sorted(order) == sorted(FOLDS[0].training_subjects)
        for size in range(4, len(order) + 1):
            assert abs(np.mean([labels[name] for name in order[:size]]) - 0.5) <= 0.17


def test_with_all_subjects_it_is_the_fold_itself() -> None:
    fold, most = FOLDS[0], len(FOLDS[0].training_subjects)
    table = predictions(FEATURES, STUDY, fold, (6, most))
    assert table.groupby("training_subjects")["repeat"].nunique().to_dict() == {6: REPEATS, most: 1}
    trains, tested = (np.isin(STUDY.subjects, names) for names in (fold.training_subjects, fold.test_subjects))
    labels = STUDY.labels[trains]
    weights = balanced_weights(labels)
    heads = HeadsPath([one[trains] for one in FEATURES], labels, STUDY.subjects[trains], weights).best()
    expected = expit(heads.logits([one[tested] for one in FEATURES]))
    np.testing.assert_allclose(table[table["training_subjects"] == most]["probability"], expected)


def test_whoever_is_tested_has_no_part_in_it() -> None:
    fold = FOLDS[0]
    tested = np.isin(STUDY.subjects, fold.test_subjects)
    other = replace(STUDY, labels=np.where(tested, 1 - STUDY.labels, STUDY.labels).astype(np.int8))
    first, second = (predictions(FEATURES, study, fold, (6, 8)) for study in (STUDY, other))
    np.testing.assert_array_equal(first["probability"], second["probability"])
