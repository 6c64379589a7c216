"""Who trains, validates and is tested."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import derive_seed, plan_folds
from steps.errors import UserError


def study(labels: list[int], trials: int = 3, controls: int = 0) -> Dataset:
    """A study without signals: one label per subject, ``trials`` trials each."""
    subjects = [f"S{i:03d}" for i in range(len(labels))] + [f"C{i:03d}" for i in range(controls)]
    all_labels = labels + [0] * controls
    n = len(subjects) * trials
    return Dataset(
        values=np.zeros((n, 2, 1), np.float32),
        labels=np.repeat(np.array(all_labels, np.int8), trials),
        subjects=np.repeat(np.array(subjects), trials),
        trials=np.array([f"t{i % trials}" for i in range(n)]),
        is_control=np.repeat(np.array([s.startswith("C") for s in subjects]), trials),
        features=("x",),
        time=(0.0, 1.0),
    )


studies = st.builds(
    lambda negatives, positives, trials, controls: study([0] * negatives + [1] * positives, trials, controls),
    st.integers(2, 12),
    st.integers(2, 12),
    st.integers(1, 4),
    st.integers(0, 3),
)


def assert_sound(fold: Fold, dataset: Dataset) -> None:
    parts = [set(fold.test_subjects), set(fold.validation_subjects), set(fold.training_subjects)]
    assert all(parts)
    assert sum(len(part) for part in parts) == len(set.union(*parts))
    controls = set(dataset.subjects[dataset.is_control])
    assert not controls & (parts[0] | parts[1])
    assert set(dataset.of_subjects(fold.training_subjects).labels) == {0, 1}


@given(dataset=studies, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_loso_tests_every_subject_once_and_keeps_the_parts_disjoint(dataset: Dataset, seed: int) -> None:
    folds = plan_folds(dataset, seed=seed)
    patients = set(dataset.subjects[~dataset.is_control])
    assert [fold.name for fold in folds] == sorted(patients)
    for fold in folds:
        assert fold.test_subjects == (fold.name,)
        assert_sound(fold, dataset)
        parts = (fold.test_subjects, fold.validation_subjects, fold.training_subjects, fold.set_aside_subjects)
        assert sorted(chain(*parts)) == sorted(patients)


@given(dataset=studies, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_all_folds_of_loso_train_on_as_many_of_each_class(dataset: Dataset, seed: int) -> None:
    """Of whoever is left out his class has one less; so has the other, unless it is too small to spare one."""
    study = dataset.select(~dataset.is_control)
    sizes = {label: len(np.unique(study.subjects[study.labels == label])) for label in (0, 1)}
    if min(sizes.values()) < 3:
        return
    for fold in plan_folds(dataset, seed=seed):
        fitted = {*fold.training_subjects, *fold.validation_subjects}
        for label, size in sizes.items():
            assert len(fitted & set(study.subjects[study.labels == label].tolist())) == size - 1
    plain = plan_folds(dataset, cv=CrossValidation.of("loso-plain"), seed=seed)
    assert all(fold.set_aside_subjects == () for fold in plain)


def test_who_has_trials_of_both_classes_leaves_nobody_aside() -> None:
    dataset = study([0, 1] * 5)
    labels = np.tile(np.array([0, 1, 1], np.int8), 10)
    assert all(fold.set_aside_subjects == () for fold in plan_folds(replace(dataset, labels=labels)))


@given(per_class=st.integers(6, 15), count=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_group_kfold_tests_every_subject_once(per_class: int, count: int, seed: int) -> None:
    dataset = study([0, 1] * per_class)
    folds = plan_folds(dataset, cv=CrossValidation(count), seed=seed)
    assert len(folds) == count
    tested = [subject for fold in folds for subject in fold.test_subjects]
    assert sorted(tested) == sorted(set(dataset.subjects))
    for fold in folds:
        assert_sound(fold, dataset)


def test_validation_is_stratified_and_has_the_asked_size() -> None:
    dataset = study([0, 1] * 10)
    for fold in plan_folds(dataset, validation_fraction=0.2):
        labels = dataset.of_subjects(fold.validation_subjects).labels
        assert set(labels) == {0, 1}
        assert len(fold.validation_subjects) == pytest.approx(0.2 * 19, abs=1)


def test_controls_join_training_as_negatives_only_when_asked() -> None:
    dataset = study([0, 1] * 4, controls=2)
    assert all("C000" not in fold.training_subjects for fold in plan_folds(dataset))
    joined = plan_folds(dataset, controls="negatives")
    assert all({"C000", "C001"} <= set(fold.training_subjects) for fold in joined)
    assert [fold.test_subjects for fold in joined] == [fold.test_subjects for fold in plan_folds(dataset)]
    with pytest.raises(UserError, match="no control group"):
        plan_folds(study([0, 1] * 4), controls="negatives")


def test_repeats_have_their_own_seeds_and_the_same_test_subjects() -> None:
    folds = plan_folds(study([0, 1] * 4), repeats=3)
    assert [fold.test_number for fold in folds[:3]] == [1, 2, 3]
    assert len({fold.seed for fold in folds}) == len(folds)
    assert len({fold.test_subjects for fold in folds[:3]}) == 1


def test_choosing_subjects_changes_which_folds_run_but_not_the_folds() -> None:
    dataset = study([0, 1] * 5)
    chosen = plan_folds(dataset, subjects=("S001", "S004"), seed=3)
    everything = {fold.name: fold for fold in plan_folds(dataset, seed=3)}
    assert chosen == [everything["S001"], everything["S004"]]


def test_label_of_a_fold_is_its_subjects_class_or_mixed() -> None:
    dataset = study([0, 1, 0, 1, 0, 1])
    labels = dataset.labels.copy()
    labels[dataset.subjects == "S000"] = [0, 1, 0]
    folds = {fold.name: fold.label for fold in plan_folds(replace(dataset, labels=labels))}
    assert folds["S000"] == "mixed"
    assert folds["S001"] == "fear"
    assert folds["S002"] == "no_fear"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": CrossValidation(99)}, "only 6 subjects"),
        ({"subjects": ("S001", "Nobody")}, "'Nobody'.*S000"),
        ({"subjects": ()}, "nothing"),
        ({"subjects": ("C000",)}, "'C000'"),
    ],
)
def test_bad_choices_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_folds(study([0, 1] * 3, controls=1), **options)


def test_too_few_subjects_for_early_stopping_is_said() -> None:
    with pytest.raises(UserError, match="too few to set some aside for early stopping"):
        plan_folds(study([0, 1, 0, 1]), cv=CrossValidation(2))


def test_seeds_are_stable() -> None:
    assert derive_seed(0, "S01", 1) == derive_seed(0, "S01", 1) == 364754903
    assert len({derive_seed(s, n, t) for s in range(5) for n in ("a", "b") for t in (1, 2)}) == 20


def test_group_kfold_with_fewer_trials_than_folds_still_tests_everybody_once() -> None:
    dataset = study([0, 1] * 4, trials=1)
    folds = plan_folds(dataset, cv=CrossValidation(6))
    tested = [subject for fold in folds for subject in fold.test_subjects]
    assert len(folds) == 6
    assert sorted(tested) == sorted(set(dataset.subjects))


def test_a_fold_comes_back_from_its_split_as_it_was_but_for_the_seed(small_study: Dataset) -> None:
    for fold in plan_folds(small_study, cv=CrossValidation(3), repeats=2):
        split = json.loads(json.dumps(fold.split))
        assert Fold.of_split(split, *fold.key, fold.label) == dataclasses.replace(fold, seed=0)
