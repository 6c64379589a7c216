"""The default beside other methods: InceptionTime is the published one, and rows say what was predicted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import inception_time
from benchmarks.methods import HEADER, baseline, row
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.folds import plan_folds
from steps.core.readers.simulate import SimulationSize, simulate


def test_inception_time_has_the_published_weights() -> None:
    """Counted by hand from the paper: bottleneck, three convolutions, pooled branch, batch norm; two shortcuts."""
    features, width = 24, 4 * 32

    def module(inputs: int) -> int:
        return 32 * inputs + 32 * 32 * (40 + 20 + 10) + 32 * inputs + 4 * width

    shortcuts = features * width + 4 * width + width * width + 4 * width
    expected = module(features) + 5 * module(width) + shortcuts + width + 1
    assert inception_time.network(101, features).count_params() == expected


@pytest.mark.slow
def test_inception_time_learns_a_plain_difference() -> None:
    random = np.random.default_rng(0)
    trials = random.normal(size=(64, 20, 2)).astype(np.float32)
    labels = (np.arange(64) % 2).astype(np.int8)
    trials[labels == 1, 5:15, 0] += 2
    said = inception_time.fit_predict(trials[:48], labels[:48], trials[48:], steps=60, seed=0)
    assert roc_auc_score(labels[48:], said) > 0.9


def test_a_row_is_about_all_folds() -> None:
    size = SimulationSize(subjects=12, controls=0, trials_min=2, trials_max=3, features=3, effect=5.0)
    study = simulate(size, timesteps=21, seed=0)
    folds = plan_folds(study, cv=CrossValidation(3), validation_fraction=0)
    cells = row("logistic", baseline("logistic"), study, folds)
    assert len(cells) == len(HEADER)
    assert cells[0] == "logistic"
    assert float(str(cells[1])[:5]) > 0.8
    per_fold, seconds = cells[-2:]
    assert seconds == pytest.approx(3 * float(per_fold))
