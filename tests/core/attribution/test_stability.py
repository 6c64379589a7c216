from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau

from steps.core.attribution.importance import FoldMap, fold_map
from steps.core.attribution.stability import rank_stability, stability_metrics


def folds(*importances: list[float]) -> list[FoldMap]:
    return [fold_map(np.array(one, dtype=np.float32).reshape(1, 1, -1)) for one in importances]


def names(count: int) -> list[tuple[str, int]]:
    return [(f"S{number}", 1) for number in range(count)]


def test_the_same_order_everywhere_is_one() -> None:
    maps = folds([1, 2, 3], [2, 4, 9], [0, 5, 6])
    table = rank_stability(maps, names(3))
    assert table["tau"].tolist() == [1, 1, 1]
    assert stability_metrics(maps, table) == {"rank_tau_pairwise": 1, "rank_tau_rest": 1, "rank_tau_rest_min": 1}


def test_a_fold_that_disagrees_is_found() -> None:
    maps = folds([1, 2, 3], [1, 2, 3], [3, 2, 0])
    table = rank_stability(maps, names(3))
    assert table.set_index("fold")["tau"]["S2"] == -1
    metrics = stability_metrics(maps, table)
    assert metrics["rank_tau_pairwise"] == pytest.approx((1 - 1 - 1) / 3)
    assert metrics["rank_tau_rest_min"] == -1


def test_taus_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    maps = folds(*values.tolist())
    table = rank_stability(maps, names(5))
    expected = [kendalltau(values[i], np.delete(values, i, axis=0).mean(axis=0)).statistic for i in range(5)]
    np.testing.assert_allclose(table["tau"], expected)
    pairs = [kendalltau(values[i], values[j]).statistic for i, j in combinations(range(5), 2)]
    assert stability_metrics(maps, table)["rank_tau_pairwise"] == pytest.approx(np.mean(pairs))


def test_many_pairs_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = folds(*np.random.default_rng(0).random((30, 6)).tolist())
    table = rank_stability(maps, names(30))
    every = stability_metrics(maps, table)["rank_tau_pairwise"]
    monkeypatch.setattr("steps.core.attribution.stability.MOST_PAIRS", 200)
    assert stability_metrics(maps, table)["rank_tau_pairwise"] == pytest.approx(every, abs=0.1)


@pytest.mark.parametrize("importances", [[[1.0, 2.0]], [[1.0], [2.0]]])
def test_one_fold_or_one_feature_has_no_order_to_compare(importances: list[list[float]]) -> None:
    maps = folds(*importances)
    table = rank_stability(maps, names(len(maps)))
    assert table["tau"].isna().all()
    assert stability_metrics(maps, table) == {}
