from __future__ import annotations

import numpy as np

from steps.core.metrics.predictions import FoldPrediction, results_table
from steps.core.metrics.summary import summary
from steps.core.metrics.text import level_text
from tests.core.metrics.conftest import make_dataset


def test_a_level_is_said_with_its_intervals() -> None:
    names, labels = ["a", "a", "b", "b"], [0, 0, 1, 1]
    fold = FoldPrediction(make_dataset(names, ["1", "2", "1", "2"], labels), 1, np.array([0.1, 0.2, 0.8, 0.9]))
    document = summary(results_table([fold], (0.5,)), (0.5,), permutations=10)
    assert level_text(document, "pooled") == (
        "4 trials: AUC 1.000 [0.025, 1.000], at 0.5 balanced accuracy 1.000 [0.158, 1.000], "
        "accuracy 1.000 [0.158, 1.000]"  # two people say little
    )


def test_one_class_is_said_to_be_one() -> None:
    fold = FoldPrediction(make_dataset(["a", "a"], ["1", "2"], [1, 1]), 1, np.array([0.1, 0.9]))
    document = summary(results_table([fold], (0.5,)), (0.5,))
    assert level_text(document, "subject") == "1 subject: one class only, nothing to tell apart, at 0.5 accuracy 1.000"
