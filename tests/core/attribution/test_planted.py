from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from steps.core.attribution.importance import FoldMap, feature_importance, fold_map
from steps.core.attribution.planted import (
    planted_cells,
    planted_metrics,
    planted_table,
    top_recall,
)
from steps.core.data.manifest import PlantedTruth

FEATURES = tuple("abcdefgh")
TIME = tuple(float(10 * point) for point in range(10))
TRUTH = PlantedTruth(windows={"b": (2, 4), "f": (0, 9)})


@pytest.mark.parametrize(
    ("planted", "expected"), [(["a", "b"], 1.0), (["c", "d"], 0.0), (["a", "d"], 0.5), (["b"], 2 / 3)]
)
def test_planted_features_on_top_give_one(planted: list[str], expected: float) -> None:
    truth = PlantedTruth(windows=dict.fromkeys(planted, (0, 0)))
    absolute = np.array([[4.0, 3.0, 2.0, 1.0]])
    importance = pd.DataFrame({"feature": list("abcd"), "rank": [1, 2, 3, 4]})
    table = planted_table(absolute, importance, truth, "abcd", (0.0,))
    metrics = planted_metrics(absolute, table, truth, "abcd")
    assert metrics["planted_truth_auc"] == metrics["planted_cells_auc"] == pytest.approx(expected)
    assert "planted_window_auc" not in metrics  # a single time point


def test_cells_are_windows_inclusive() -> None:
    mask = planted_cells(TRUTH, FEATURES, 10)
    assert mask.shape == (10, 8)
    assert mask.sum() == 13
    assert mask[2:5, 1].all()
    assert mask[:, 5].all()


def maps(strength: float) -> list[FoldMap]:
    generator = np.random.default_rng(0)
    mask = planted_cells(TRUTH, FEATURES, 10)
    return [
        fold_map((generator.random((3, 10, 8)) + strength * mask).astype(np.float32), np.full(3, f"S{subject}"))
        for subject in range(6)
    ]


def metrics_of(fold_maps: list[FoldMap], truth: PlantedTruth = TRUTH) -> tuple[dict[str, float], pd.DataFrame]:
    importance = feature_importance(fold_maps, FEATURES)
    absolute = np.mean([one.absolute for one in fold_maps], axis=0)
    table = planted_table(absolute, importance, truth, FEATURES, TIME)
    return planted_metrics(absolute, table, truth, FEATURES), table


def test_a_perfect_attribution_finds_every_cell() -> None:
    metrics, table = metrics_of(maps(5.0))
    for name in ("planted_truth_auc", "planted_cells_auc", "planted_features_recall", "planted_cells_recall"):
        assert metrics[name] == 1.0
    assert metrics["planted_window_auc"] == 1.0
    assert metrics["planted_cells_share"] == 13 / 80
    assert table["feature"].tolist() == ["f", "b"]
    assert table[["first", "last"]].to_numpy().tolist() == [[0, 90], [20, 40]]
    assert np.isnan(table["window_auc"][0])  # the window is everything
    assert table["window_share"].tolist() == [1.0, pytest.approx(table["window_share"][1])]
    assert table["window_share"][1] > table["window_length"][1] == pytest.approx(0.3)


def test_a_blind_attribution_is_at_chance() -> None:
    metrics, _ = metrics_of(maps(0.0))
    assert 0.3 < metrics["planted_cells_auc"] < 0.7
    assert metrics["planted_cells_recall"] < 0.5


def test_aucs_are_those_of_scikit_learn() -> None:
    fold_maps = maps(0.2)
    metrics, table = metrics_of(fold_maps)
    absolute = np.mean([one.absolute for one in fold_maps], axis=0)
    mask = planted_cells(TRUTH, FEATURES, 10)
    assert metrics["planted_cells_auc"] == pytest.approx(roc_auc_score(mask.ravel(), absolute.ravel()))
    window = table.set_index("feature").loc["b", "window_auc"]
    assert window == pytest.approx(roc_auc_score(mask[:, 1], absolute[:, 1]))


def test_everything_changed_leaves_nothing_to_find() -> None:
    everything = PlantedTruth(windows=dict.fromkeys(FEATURES, (0, 9)))
    metrics, _ = metrics_of(maps(1.0), everything)
    assert metrics == {}


def test_recall_counts_the_top_k() -> None:
    mask = np.array([True, True, False, False])
    assert top_recall(np.array([4.0, 3.0, 2.0, 1.0]), mask) == 1.0
    assert top_recall(np.array([4.0, 1.0, 2.0, 3.0]), mask) == 0.5
    assert top_recall(np.array([1.0, 2.0, 3.0, 4.0]), mask) == 0.0
