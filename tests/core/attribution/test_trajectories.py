from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from steps.core.attribution.trajectories import MOST_FEATURES, class_trajectories
from tests.core.attribution.conftest import make_dataset


def test_every_subject_counts_the_same() -> None:
    values = np.array([0.0, 2.0, 8.0, 100.0], dtype=np.float32).reshape(4, 1, 1)
    dataset = replace(
        make_dataset(values),
        subjects=np.array(["a", "a", "b", "c"]),
        labels=np.array([1, 1, 1, 0], np.int8),
        units={"angle 0": "deg"},
    )
    table: Any = class_trajectories(dataset, ["angle 0"]).set_index("label")
    assert table.loc[1, ["mean", "subjects", "unit"]].tolist() == [4.5, 2, "deg"]
    assert table.loc[1, "sd"] == np.std([1, 8], ddof=1)
    assert table.loc[0, "mean"] == 100
    assert np.isnan(table.loc[0, "sd"])


def test_one_class_has_one_trajectory() -> None:
    dataset = make_dataset(np.zeros((2, 3, 30), dtype=np.float32))
    table = class_trajectories(dataset, list(dataset.features))
    assert table["label"].unique().tolist() == [0]
    assert len(table) == 3 * MOST_FEATURES
