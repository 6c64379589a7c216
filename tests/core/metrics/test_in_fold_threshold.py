from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_curve

from steps.core.data.dataset import Floats
from steps.core.metrics.fold import evaluate_fold
from steps.core.metrics.in_fold_threshold import FoldThreshold, choose_threshold, in_fold_summary, in_fold_table
from steps.core.metrics.predictions import FoldPrediction, results_table, subject_scores, trial_scores
from tests.core.metrics.conftest import make_dataset


def people(labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and subjects of one trial each."""
    return np.array(labels, np.int8), np.array([f"v{i:03d}" for i in range(len(labels))])


def test_perfect_separation_is_cut_in_the_middle() -> None:
    chosen = choose_threshold(*people([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), 0.43)
    assert chosen == FoldThreshold(0.5, 1.0, "validation", 4, 4)


def test_it_is_the_largest_j_there_is() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        labels = np.r_[0, 1, generator.integers(0, 2, 18)]
        validation = people(labels.tolist())
        probabilities = (generator.uniform(size=20) + 0.4 * labels).round(1) / 2
        chosen = choose_threshold(*validation, probabilities, 0.5)
        if chosen.youden_j is None:
            continue
        false, true, _ = roc_curve(labels, probabilities)
        decided = probabilities >= chosen.threshold
        reached = decided[labels == 1].mean() - decided[labels == 0].mean()
        assert chosen.youden_j == pytest.approx((true - false).max())
        assert reached == pytest.approx(chosen.youden_j)


def test_of_several_as_good_the_one_nearest_to_a_half() -> None:
    chosen = choose_threshold(*people([0, 1, 0, 1]), np.array([0.1, 0.3, 0.5, 0.9]), 0.5)
    assert chosen.threshold == pytest.approx(0.7)  # 0.2 reaches the same J of a half
    assert chosen.youden_j == pytest.approx(0.5)


def test_every_subject_counts_the_same() -> None:
    """One loud subject with ten trials would move the threshold if trials counted."""
    validation = (np.array([0] * 10 + [0, 0, 1, 1]), np.array(["a"] * 10 + ["b", "c", "d", "e"]))
    probabilities = np.array([0.7] * 10 + [0.2, 0.3, 0.6, 0.65])
    chosen = choose_threshold(*validation, probabilities, 0.5)
    assert chosen.threshold == pytest.approx(0.45)
    assert chosen.youden_j == pytest.approx(1 - 1 / 3)


@pytest.mark.parametrize(
    ("labels", "probabilities", "source"),
    [
        ([], [], "no_validation"),
        ([1, 1], [0.2, 0.9], "one_class"),
        ([0, 1], [0.9, 0.2], "no_better_than_chance"),
        ([0, 1], [0.4, 0.4], "no_better_than_chance"),
    ],
)
def test_what_cannot_choose_falls_back_and_says_why(labels: list[int], probabilities: list[float], source: str) -> None:
    chosen = choose_threshold(*people(labels), np.array(probabilities), 0.43)
    assert (chosen.threshold, chosen.youden_j, chosen.source) == (0.43, None, source)
    assert chosen.deciding_trials == len(labels)


def test_only_the_deciding_subjects_are_looked_at() -> None:
    seen: list[Floats] = []

    def model(inputs: Floats, *, training: bool) -> Any:
        seen.append(inputs)
        return inputs[:, 0, :1]

    dataset = make_dataset(["a", "b", "c", "d"], ["1"] * 4, [0, 1, 0, 1])
    dataset.values[:] = np.array([0.1, 0.9, 0.2, 0.6])[:, None, None]
    evaluated = evaluate_fold(model, dataset.of_subjects(["a"]), dataset.of_subjects(["c", "d"]), (0.5,))
    np.testing.assert_allclose(np.unique(np.concatenate(seen[:-1])), [0.1])
    np.testing.assert_allclose(seen[-1][:, 0, 0], [0.2, 0.6])
    assert evaluated.own.threshold == pytest.approx(0.4)


def table() -> pd.DataFrame:
    def chosen(threshold: float) -> FoldThreshold:
        return FoldThreshold(threshold, 0.8, "validation", 4, 20)

    return in_fold_table(
        [
            ("fold-1", 1, ["b", "a"], chosen(0.4)),
            ("fold-1", 2, ["b", "a"], chosen(0.6)),
            ("fold-2", 1, ["c"], chosen(0.2)),
            ("fold-2", 2, ["c"], FoldThreshold(0.5, None, "one_class", 1, 3)),
        ]
    )


def test_a_row_per_subject_and_spread_over_folds() -> None:
    assert table()["subject"].tolist() == ["a", "b", "c"] * 2
    spread = in_fold_summary(table())
    assert spread is not None
    assert (spread["folds"], spread["fallback_folds"], spread["fallback"]) == (4, 1, 0.5)
    assert spread["mean"] == pytest.approx(0.4)
    assert spread["sd"] == pytest.approx(0.2)
    assert (spread["min"], spread["median"], spread["max"]) == (0.2, 0.4, 0.6)


def test_no_summary_where_no_fold_could_choose() -> None:
    nobody = in_fold_table([("a", 1, ["a"], FoldThreshold(0.5, None, "one_class", 1, 3))])
    assert in_fold_summary(nobody) is None
    assert nobody["youden_j"].isna().all()


def test_scores_have_the_mean_threshold_of_their_models() -> None:
    folds = [
        FoldPrediction(make_dataset([name] * 2, ["1", "2"], [label] * 2), number, np.array([0.4, 0.6]))
        for name, label in (("a", 0), ("b", 1), ("c", 1))
        for number in (1, 2)
    ]
    results = results_table(folds, (0.5,))
    own = trial_scores(results, table()).in_fold
    assert own is not None
    np.testing.assert_allclose(own, [0.5, 0.5, 0.5, 0.5, 0.35, 0.35])
    first = subject_scores(results[results["test_number"] == 1], table()).in_fold
    assert first is not None
    np.testing.assert_allclose(first, [0.4, 0.4, 0.2])


def test_a_subject_without_a_fold_is_a_bug() -> None:
    results = results_table([FoldPrediction(make_dataset(["v000"], ["1"], [1]), 1, np.array([0.4]))], (0.5,))
    with pytest.raises(ValueError, match="'v000' has no threshold"):
        trial_scores(results, table())
