from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from steps.attribute.importance import (
    FoldMap,
    attribution_map,
    feature_importance,
    fold_map,
    planted_truth_auc,
)
from steps.dataset import PlantedTruth

FEATURES = ("knee", "hip", "ankle")


def folds() -> list[FoldMap]:
    """Two time points; the first fold has one trial, the second two."""
    first = np.array([[[1, -2, 0], [1, 2, 0]]], dtype=np.float32)
    second = np.array([[[3, 0, 0], [1, -2, 0]], [[-1, 0, 0], [-3, -2, 0]]], dtype=np.float32)
    return [fold_map(first), fold_map(second)]


def test_a_fold_averages_magnitudes_and_values_over_its_trials() -> None:
    one = folds()[1]
    np.testing.assert_array_equal(one.absolute, [[2, 0, 0], [2, 2, 0]])
    np.testing.assert_array_equal(one.signed, [[1, 0, 0], [-1, -2, 0]])


def test_a_fold_without_trials_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no attributed trials"):
        fold_map(np.zeros((0, 2, 3), dtype=np.float32))


def test_folds_count_the_same_whatever_their_trials() -> None:
    """Per fold knee is 1 and 2, hip 2 and 1, ankle 0 and 0: a tie, in the order of the features."""
    table = feature_importance(folds(), FEATURES)
    assert table["feature"].tolist() == ["knee", "hip", "ankle"]
    assert table["importance"].tolist() == [1.5, 1.5, 0.0]
    np.testing.assert_allclose(table["sd"], [np.sqrt(0.5), np.sqrt(0.5), 0])
    assert table["rank"].tolist() == [1, 2, 3]


def test_the_most_important_feature_is_first() -> None:
    table = feature_importance(folds()[:1], FEATURES)
    assert table["feature"].tolist() == ["hip", "knee", "ankle"]
    assert table["sd"].isna().all()


def test_map_has_a_row_per_feature_and_a_column_per_time_point() -> None:
    table = attribution_map(folds(), FEATURES, (0.0, 12.5))
    assert list(table.columns) == ["feature", "0", "12.5"]
    assert table["feature"].tolist() == list(FEATURES)
    np.testing.assert_array_equal(table[["0", "12.5"]], [[1.5, 1.5], [1, 2], [0, 0]])


def test_signed_map_keeps_the_direction() -> None:
    table = attribution_map(folds(), FEATURES, (0.0, 1.0), signed=True)
    np.testing.assert_array_equal(table[["0", "1"]], [[1, 0], [-1, 0], [0, 0]])


def importance_of(values: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame({"feature": list(values), "importance": list(values.values())})


@pytest.mark.parametrize(
    ("planted", "expected"), [(["a", "b"], 1.0), (["c", "d"], 0.0), (["a", "d"], 0.5), (["b"], 2 / 3)]
)
def test_planted_features_on_top_give_one(planted: list[str], expected: float) -> None:
    importance = importance_of({"a": 4, "b": 3, "c": 2, "d": 1})
    truth = PlantedTruth(windows=dict.fromkeys(planted, (0, 1)))
    assert planted_truth_auc(importance, truth) == pytest.approx(expected)


@pytest.mark.parametrize("planted", [[], ["a", "b"]])
def test_nothing_or_everything_planted_has_no_auc(planted: list[str]) -> None:
    truth = PlantedTruth(windows=dict.fromkeys(planted, (0, 1)))
    assert planted_truth_auc(importance_of({"a": 2, "b": 1}), truth) is None
