from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.attribution.importance import (
    FoldMap,
    attribution_map,
    cell_importance,
    feature_importance,
    fold_map,
    time_importance,
)

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


def test_attributions_that_are_no_numbers_are_a_bug() -> None:
    with pytest.raises(ValueError, match="not finite"):
        fold_map(np.full((1, 2, 3), np.nan, dtype=np.float32))


def many_folds(subjects: int = 12) -> list[FoldMap]:
    """One fold per subject; knee is used by all alike, hip by some, ankle hardly; hip lowers the probability."""
    generator = np.random.default_rng(0)
    maps = []
    for subject in range(subjects):
        size = np.array([2.0, 3.0 * (subject % 3), 0.1]) * generator.uniform(0.9, 1.1, size=(4, 5, 3))
        signed = size * [1.0, -1.0, 1.0]
        maps.append(fold_map(signed.astype(np.float32), np.full(4, f"S{subject}")))
    return maps


def test_intervals_hold_the_estimate_and_follow_the_spread_between_subjects() -> None:
    table: Any = feature_importance(many_folds(), FEATURES).set_index("feature")
    assert ((table["low"] < table["importance"]) & (table["importance"] < table["high"])).all()
    width = (table["high"] - table["low"]) / table["importance"]
    assert width["hip"] > 5 * width["knee"]
    assert table.loc["ankle", ["rank", "rank_low", "rank_high"]].tolist() == [3, 3, 3]
    assert (table.loc["hip", "rank_low"], table.loc["hip", "rank_high"]) == (1, 2)


def test_signed_importance_tells_directions_apart() -> None:
    table: Any = feature_importance(many_folds(), FEATURES).set_index("feature")
    np.testing.assert_allclose(table["signed"].abs(), table["importance"])
    assert table.loc["knee", "signed_low"] > 0
    assert table.loc["hip", "signed_high"] < 0


def test_the_contract_of_the_columns() -> None:
    table = feature_importance(many_folds(), FEATURES)
    assert list(table.columns[:4]) == ["feature", "importance", "sd", "rank"]


def test_time_points_are_means_over_features() -> None:
    """Per fold the two time points are 1 and 1, then 2/3 and 4/3."""
    table = time_importance(folds(), (0.0, 12.5))
    assert table["time"].tolist() == [0.0, 12.5]
    np.testing.assert_allclose(table["importance"], [(1 + 2 / 3) / 2, (1 + 4 / 3) / 2])
    assert table["low"].isna().all()  # one and the same subject


def test_features_time_points_and_cells_have_the_same_mean() -> None:
    maps, time = many_folds(), (0.0, 1.0, 2.0, 3.0, 4.0)
    cells = cell_importance(maps, FEATURES, time)
    assert len(cells) == 15
    by_feature = cells.groupby("feature", sort=False)["importance"].mean()
    importance = feature_importance(maps, FEATURES).set_index("feature")["importance"]
    np.testing.assert_allclose(by_feature, importance[by_feature.index])
    np.testing.assert_allclose(cells.groupby("time")["importance"].mean(), time_importance(maps, time)["importance"])
    wide = attribution_map(maps, FEATURES, time).set_index("feature")
    np.testing.assert_allclose(cells["importance"], wide.to_numpy().ravel())
    signed = attribution_map(maps, FEATURES, time, signed=True).set_index("feature")
    np.testing.assert_allclose(cells["signed"], signed.to_numpy().ravel())
    assert (cells["low"] <= cells["importance"]).all()


def test_the_same_seed_gives_the_same_intervals() -> None:
    one, other = (feature_importance(many_folds(), FEATURES, seed=3) for _ in range(2))
    assert one.equals(other)
    assert not one.equals(feature_importance(many_folds(), FEATURES, seed=4))


def test_subjects_of_a_fold_are_told_apart() -> None:
    attributions = np.arange(8, dtype=np.float32).reshape(4, 1, 2)
    one = fold_map(attributions, np.array(["b", "a", "b", "b"]))
    assert one.subjects.tolist() == ["a", "b"]
    np.testing.assert_allclose(one.subject_absolute[0, 0], [2, 3])
    np.testing.assert_allclose(one.absolute, fold_map(attributions).absolute)
