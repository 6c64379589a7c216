"""Features that no label shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from steps.core.models import label_free
from steps.core.models.label_free import label_free_features
from steps.core.models.table import MODELS
from steps.core.readers.simulate import SimulationSize, simulate

STUDY = simulate(SimulationSize(subjects=4, controls=0, trials_min=2, trials_max=2, features=3), seed=0, timesteps=20)


@pytest.mark.parametrize("model", [name for name, row in MODELS.items() if row.features])
def test_no_label_shapes_them(model: str) -> None:
    heads = label_free_features(STUDY, model, 0)
    others = label_free_features(replace(STUDY, labels=1 - STUDY.labels), model, 0)
    assert heads
    assert others
    assert all(len(head) == len(STUDY.labels) for head in heads)
    for head, other in zip(heads, others, strict=True):
        np.testing.assert_array_equal(head, other)


def test_where_labels_shape_them_there_are_none() -> None:
    assert label_free_features(STUDY, "cnn", 0) is None


def test_a_study_may_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_free, "MOST_TRIALS", len(STUDY.labels) - 1)
    assert label_free_features(STUDY, "soft_multirocket", 0) is None
