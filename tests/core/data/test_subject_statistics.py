"""Four numbers of each subject and feature: closed forms, and what must not move them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from steps.core.data.dataset import Dataset
from steps.core.data.subject_statistics import STATISTICS, SubjectStatistics, subject_statistics

TIME = np.linspace(0, 1, 101)
COURSE = np.column_stack([np.sin(2 * np.pi * TIME), TIME])


def of(*trials: np.ndarray) -> np.ndarray:
    values = np.array(trials, dtype=np.float32)
    return np.asarray(subject_statistics(values, np.full(len(values), "A"), COURSE)[1][0])


def test_closed_forms() -> None:
    level, spread, roughness, course = of(np.column_stack([5 + 3 * COURSE[:, 0], np.full(101, 2.0)])).T
    assert level == pytest.approx([5, 2], abs=1e-5)
    exact = (3 * COURSE[:, 0]).std()
    assert spread == pytest.approx([exact, 0], abs=1e-5)
    assert roughness == pytest.approx([np.sqrt((np.diff(3 * COURSE[:, 0]) ** 2).mean()) / exact, 0], rel=1e-4)
    assert course == pytest.approx([1, 0], abs=1e-5), "of a constant there is none"


def test_what_a_number_sees_and_what_it_does_not() -> None:
    plain = of(COURSE)
    for changed, same in (
        (of(COURSE + 10), {"spread", "roughness", "course"}),
        (of(COURSE * 57.3), {"roughness", "course"}),
        (of(-COURSE), {"spread", "roughness"}),
        (of(COURSE + np.random.default_rng(0).normal(size=COURSE.shape) * 0.3), set()),
    ):
        kept = {name for i, name in enumerate(STATISTICS) if np.allclose(changed[:, i], plain[:, i], atol=1e-3)}
        assert same <= kept < set(STATISTICS)


def test_the_number_of_trials_moves_nothing() -> None:
    trials = np.random.default_rng(1).normal(size=(3, 101, 2)) + COURSE
    assert of(*trials) == pytest.approx(of(*trials, *trials), rel=1e-5)


def test_a_training_subject_is_compared_with_the_others(small_study: Dataset) -> None:
    values, subjects = small_study.values, small_study.subjects
    kept = SubjectStatistics.of(values, values, subjects)
    for i, name in enumerate(kept.subjects[:3]):
        others = values[subjects != name].astype(np.float64).mean(axis=0)
        (own,) = subject_statistics(values[subjects == name], subjects[subjects == name], others)[1]
        assert np.array(kept.values[i]) == pytest.approx(own, rel=1e-5)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValidationError, match="4 statistics of each feature and subject"):
        SubjectStatistics(subjects=["A"], values=[[[1.0, 2.0]]])
