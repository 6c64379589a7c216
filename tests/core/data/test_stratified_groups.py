"""Validation subjects of all folds at once: those that scikit-learn finds fold by fold."""

from __future__ import annotations

import hashlib
import json
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from steps.core.data.cross_validation import LOSO
from steps.core.data.folds import plan_folds
from steps.core.data.stratified_groups import stratified_parts
from steps.core.readers.simulate import SimulationSize, simulate
from tests.core.data.test_folds import study


def by_scikit_learn(counts: np.ndarray, parts: int, seed: int) -> list[list[int]]:
    """The subjects of each part, from labels and groups of single trials."""
    labels = np.concatenate([np.repeat([0, 1], own.astype(int)) for own in counts])
    groups = np.repeat(np.arange(len(counts)), counts.sum(axis=1).astype(int))
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return [np.unique(groups[test]).tolist() for _, test in splitter.split(labels, labels, groups)]


@given(
    seed=st.integers(0, 2**31 - 1),
    parts=st.integers(2, 7),
    people=st.lists(st.integers(7, 40), min_size=1, max_size=5),
    mixed=st.sampled_from([0.0, 0.3, 1.0]),
    most=st.integers(1, 12),
)
@settings(max_examples=100, deadline=None)
def test_parts_are_those_of_scikit_learn(seed: int, parts: int, people: list[int], mixed: float, most: int) -> None:
    """Folds of unlike sizes, people of one class and of both, as many trials or not."""
    random = np.random.default_rng(seed)
    counts, seeds = [], random.integers(0, 2**31, len(people)).tolist()
    for number in people:
        trials = random.integers(1, most + 1, number)
        positive = np.where(
            random.random(number) < mixed, random.integers(0, trials + 1), trials * (np.arange(number) % 2)
        )
        counts.append(np.column_stack([trials - positive, positive]).astype(np.float64))
        counts[-1][:parts, :] += np.eye(2)[np.arange(parts) % 2]  # scikit-learn wants both classes
    counts = [one for one in counts if one.sum(axis=0).max() >= parts]
    found = stratified_parts(counts, parts, seeds[: len(counts)])
    for own, fold_seed, one in zip(counts, seeds, found, strict=False):
        expected = by_scikit_learn(own, parts, fold_seed)
        assert [np.flatnonzero(one == part).tolist() for part in range(parts)] == expected


@pytest.mark.parametrize(("seed", "digest"), [(0, "0bcac695685f7c06"), (7, "80503c2f8368e92d")])
def test_folds_of_recorded_studies_stay_what_they_are(seed: int, digest: str) -> None:
    """Digests of the folds that the version before planned, one fold at a time."""
    folds = plan_folds(simulate(SimulationSize(), timesteps=5, seed=seed), repeats=2, seed=seed)
    splits = json.dumps([[fold.name, fold.seed, fold.label, fold.split] for fold in folds])
    assert hashlib.sha256(splits.encode()).hexdigest()[:16] == digest


def test_a_thousand_people_are_planned_in_a_moment() -> None:
    """97 s before; on processor time, as other work may go on. Bar: 2 s, with room for a slow machine."""
    many = study([0, 1] * 500)
    before = time.process_time()
    folds = plan_folds(many, cv=LOSO)
    assert time.process_time() - before < 6
    assert len(folds) == 1000
    for fold in folds[::100]:
        validates, trains = set(fold.validation_subjects), set(fold.training_subjects)
        assert not validates & trains
        assert set(many.of_subjects(fold.validation_subjects).labels) == {0, 1}
        assert len(validates) == pytest.approx(200, abs=2)
