"""Fewer training subjects: who they are, and what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from steps.core.data.folds import plan_folds
from steps.core.models.heads import fitted_heads
from steps.core.models.learning_curve import REPEATS, _in_order, predictions, sizes
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
    heads = fitted_heads(FEATURES, STUDY, trains)
    expected = expit(heads.outputs([one[tested] for one in FEATURES])[:, 0])
    np.testing.assert_allclose(table[table["training_subjects"] == most]["probability"], expected)


def test_whoever_is_tested_has_no_part_in_it() -> None:
    fold = FOLDS[0]
    tested = np.isin(STUDY.subjects, fold.test_subjects)
    other = replace(STUDY, labels=np.where(tested, 1 - STUDY.labels, STUDY.labels).astype(np.int8))
    first, second = (predictions(FEATURES, study, fold, (6, 8)) for study in (STUDY, other))
    np.testing.assert_array_equal(first["probability"], second["probability"])


def test_folds_of_unlike_sizes_test_everybody_in_every_repeat() -> None:
    folds = [replace(FOLDS[0], training_subjects=FOLDS[0].training_subjects[:11]), *FOLDS[1:3]]
    wanted = sizes(folds)
    table = pd.concat([predictions(FEATURES, STUDY, fold, wanted) for fold in folds])
    assert set(table.groupby(["training_subjects", "repeat"])["subject"].nunique()) == {3}


def test_whoever_has_trials_of_both_classes_is_among_the_fewest() -> None:
    labels = np.where(np.isin(STUDY.subjects, ("S01", "S02", "S03")), np.arange(len(STUDY.labels)) % 2, 0)
    mostly_negative = replace(STUDY, labels=labels.astype(np.int8))
    for seed in range(20):
        order = _in_order(mostly_negative, np.unique(STUDY.subjects).tolist(), np.random.default_rng(seed))
        assert len(np.unique(mostly_negative.labels[np.isin(STUDY.subjects, order[:6])])) == 2
