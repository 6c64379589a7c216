"""What can be reached on the simulated study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.ceiling import by_many, shown
from steps.core.readers.simulate import SimulationSize, simulate

SIZE = SimulationSize(subjects=10, controls=2, features=5)


def test_fear_is_what_was_added_and_learning_does_no_better() -> None:
    subjects, fear = shown(SIZE, seed=4)
    twice, of_twice = shown(replace(SIZE, effect=2.0), seed=4)
    np.testing.assert_allclose(of_twice, fear, atol=0.02 * np.abs(fear).max())  # each in its own standard deviations
    assert len(fear) == len(subjects.labels) == len(twice.labels) < len(simulate(SIZE, seed=4).labels)
    said = by_many(subjects, SIZE, seed=4, people=40)
    assert 0.5 < roc_auc_score(subjects.labels, said) <= roc_auc_score(subjects.labels, fear) + 0.02
