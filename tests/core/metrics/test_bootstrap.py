from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest, norm
from sklearn import metrics

from steps.core.metrics.bands import precision_band, roc_band
from steps.core.metrics.bootstrap import (
    estimates,
    exact_bound,
    point_values,
    resample_weights,
    resampled_statistics,
    statistics,
)
from steps.core.metrics.chunks import Chunked
from steps.core.metrics.predictions import Scores, trial_scores
from steps.core.metrics.sample import Array
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker
from tests.core.metrics.conftest import scores as make_scores


def scikit_learn(labels: npt.NDArray[np.int8], probabilities: Array) -> dict[str, float]:
    """The same statistics from an independent implementation."""
    expected = {
        "auc": metrics.roc_auc_score(labels, probabilities),
        "average_precision": metrics.average_precision_score(labels, probabilities),
        "loss": metrics.log_loss(labels, probabilities),
        "brier": metrics.brier_score_loss(labels, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
    }
    for threshold in THRESHOLDS:
        predictions = probabilities >= threshold
        named = {
            "accuracy": metrics.accuracy_score(labels, predictions),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predictions),
            "precision": metrics.precision_score(labels, predictions, zero_division=0),
            "recall": metrics.recall_score(labels, predictions),
            "specificity": metrics.recall_score(labels, predictions, pos_label=0),
            "f1": metrics.f1_score(labels, predictions, zero_division=0),
            "mcc": metrics.matthews_corrcoef(labels, predictions),
            "net_benefit": (
                np.mean(predictions & (labels == 1))
                - np.mean(predictions & (labels == 0)) * threshold / (1 - threshold)
            ),
        }
        expected |= {f"threshold_{threshold}/{name}": value for name, value in named.items()}
    return expected


def expected_calibration_error(labels: npt.NDArray[np.int8], probabilities: Array) -> float:
    """Bin by bin, as Guo et al. (2017) write it down."""
    error = 0.0
    for index in range(10):
        upper = probabilities <= 1 if index == 9 else probabilities < (index + 1) / 10
        mine = (probabilities >= index / 10) & upper
        if mine.any():
            error += mine.mean() * abs(labels[mine].mean() - probabilities[mine].mean())
    return error


def rounded(scores: Scores) -> Scores:
    """With many ties, which ranks must share."""
    return Scores(scores.labels, np.clip(scores.probabilities.round(1), 0.05, 0.95), scores.subjects)


@pytest.mark.parametrize("ties", [False, True])
def test_point_values_are_those_of_scikit_learn(study: StudyMaker, ties: bool) -> None:
    scores = trial_scores(study())
    if ties:
        scores = rounded(scores)
    assert point_values(scores, THRESHOLDS) == pytest.approx(scikit_learn(scores.labels, scores.probabilities))


def test_weights_are_repeated_subjects_with_all_their_trials(study: StudyMaker) -> None:
    scores = rounded(trial_scores(study()))
    names = np.unique(scores.subjects)
    weights = resample_weights(len(names), 20, seed=3)
    resampled = statistics(scores, weights, THRESHOLDS)
    for row, draws in enumerate(weights.astype(int)):
        drawn = np.repeat(names, draws)
        rows = np.concatenate([np.flatnonzero(scores.subjects == name) for name in drawn])
        expected = scikit_learn(scores.labels[rows], scores.probabilities[rows])
        assert {name: values[row] for name, values in resampled.items()} == pytest.approx(expected)


def test_resamples_draw_as_many_subjects_as_there_are() -> None:
    weights = resample_weights(7, 100, seed=0)
    assert weights.shape == (100, 7)
    np.testing.assert_array_equal(weights.sum(axis=1), 7)
    np.testing.assert_array_equal(weights, resample_weights(7, 100, seed=0))
    assert (weights != resample_weights(7, 100, seed=1)).any()


def test_without_any_error_the_interval_ends_at_the_exact_bound() -> None:
    """Two subjects of each class are two pairs with nobody in common, and four decisions."""
    scores = Scores(
        np.array([0, 0, 1, 1], dtype=np.int8), np.array([0.1, 0.2, 0.8, 0.9]), np.array(["a", "b", "c", "d"])
    )
    estimated = estimates(scores, resample_weights(4, 200, 0), (0.5,))
    assert estimated["auc"] == {"value": 1.0, "low": pytest.approx(0.025**0.5), "high": 1.0}
    assert estimated["threshold_0.5/balanced_accuracy"]["low"] == pytest.approx(0.025**0.25)
    assert estimated["threshold_0.5/accuracy"]["low"] == pytest.approx(0.025**0.25)
    assert estimated["threshold_0.5/recall"]["low"] == pytest.approx(0.025**0.5)
    reversed_ = estimates(replace(scores, labels=1 - scores.labels), resample_weights(4, 200, 0), (0.5,))
    assert reversed_["auc"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025**0.5)}


def test_a_subject_of_both_classes_is_one_subject() -> None:
    """Four subjects in both classes make two pairs with nobody in common."""
    scores = Scores(
        np.array([0, 1] * 4, dtype=np.int8), np.array([0.1, 0.9] * 4), np.repeat(np.array(["a", "b", "c", "d"]), 2)
    )
    estimated = estimates(scores, resample_weights(4, 200, 0), (0.5,))
    assert estimated["auc"]["low"] == pytest.approx(0.025**0.5)
    assert estimated["threshold_0.5/balanced_accuracy"]["low"] == pytest.approx(0.025**0.25)


@pytest.mark.parametrize("successes", [1, 2, 12, 46])
def test_the_exact_bound_is_clopper_and_pearsons(successes: int) -> None:
    theirs = binomtest(successes, successes).proportion_ci(0.95, "exact").low
    assert exact_bound(successes) == pytest.approx(theirs)


@pytest.mark.parametrize("per_class", [4, 12])
@pytest.mark.parametrize("is_normal", [True, False], ids=["normal", "all or nothing"])
def test_perfect_studies_are_rare_where_the_truth_is_at_the_bound(per_class: int, is_normal: bool) -> None:
    """So an interval that begins there misses the truth in at most 2.5% of studies; the worst case comes close."""
    random, bound, studies = np.random.default_rng(0), exact_bound(per_class), 20_000
    negatives = random.normal(size=(studies, per_class))
    if is_normal:
        positives = random.normal(np.sqrt(2) * norm.ppf(bound), size=(studies, per_class))
    else:  # positives are above all negatives, or below
        positives = np.where(random.random((studies, per_class)) < bound, 10.0, -10.0)
    share = float((positives.min(axis=1) > negatives.max(axis=1)).mean())
    assert share < 0.025 + 3 * np.sqrt(0.025 * 0.975 / studies)


def test_interval_is_the_percentiles_of_the_resamples_by_hand() -> None:
    """Two subjects: a resample is a+b, a+a or b+b, so accuracy is 1/2, 1 or 0."""
    scores = Scores(np.array([1, 1], dtype=np.int8), np.array([0.9, 0.1]), np.array(["a", "b"]))
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    estimated = estimates(scores, weights, (0.5,))
    assert estimated["threshold_0.5/accuracy"] == pytest.approx({"value": 0.5, "low": 0.025, "high": 0.975})


def test_one_class_has_neither_auc_nor_specificity() -> None:
    scores = Scores(np.ones(3, dtype=np.int8), np.array([0.2, 0.6, 0.9]), np.array(["a", "b", "c"]))
    estimated = estimates(scores, resample_weights(3, 50, 0), (0.5,))
    assert estimated["threshold_0.5/recall"]["value"] == pytest.approx(2 / 3)
    for name in ("auc", "average_precision", "threshold_0.5/specificity", "threshold_0.5/balanced_accuracy"):
        assert name not in estimated


def test_resamples_of_one_class_are_left_out_of_auc() -> None:
    scores = Scores(np.array([0, 1], dtype=np.int8), np.array([0.1, 0.9]), np.array(["a", "b"]))
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    assert np.isnan(statistics(scores, weights, ())["auc"]).tolist() == [False, True, True]
    assert estimates(scores, weights, ())["auc"] == {"value": 1.0, "low": pytest.approx(0.025), "high": 1.0}


def test_a_single_subject_has_values_but_no_interval() -> None:
    scores = Scores(np.array([0, 1], dtype=np.int8), np.array([0.1, 0.9]), np.array(["a", "a"]))
    assert estimates(scores, resample_weights(1, 50, 0), ())["auc"] == {"value": 1.0}


def test_interval_covers_the_truth_about_as_often_as_it_says(study: StudyMaker) -> None:
    """Of 60 studies without an effect, at least 85% of the intervals hold AUC 0.5."""
    covered = 0
    for seed in range(60):
        scores = trial_scores(study(subjects=40, effect=0.0, seed=seed))
        estimated = estimates(scores, resample_weights(40, 300, seed), ())["auc"]
        covered += estimated["low"] <= 0.5 <= estimated["high"]
    assert covered >= 51


def test_more_trials_of_the_same_subjects_do_not_narrow_the_interval(study: StudyMaker) -> None:
    once = trial_scores(study())
    tenfold = Scores(np.repeat(once.labels, 10), np.repeat(once.probabilities, 10), np.repeat(once.subjects, 10))
    weights = resample_weights(12, 300, 0)
    assert estimates(tenfold, weights, THRESHOLDS) == {
        name: pytest.approx(estimate) for name, estimate in estimates(once, weights, THRESHOLDS).items()
    }


def test_thresholds_of_the_folds_are_a_rule_of_their_own(study: StudyMaker) -> None:
    plain = trial_scores(study())
    own = Scores(plain.labels, plain.probabilities, plain.subjects, np.full(len(plain.labels), 0.35))
    values = point_values(own, THRESHOLDS)
    for name in ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "mcc"):
        assert values[f"threshold_in_fold/{name}"] == values[f"threshold_0.35/{name}"]
    assert "threshold_in_fold/net_benefit" not in values  # one probability to act from is what net benefit is about
    assert not [name for name in point_values(plain, THRESHOLDS) if "in_fold" in name]


@pytest.mark.parametrize("predicted", [0.1, 0.9])
def test_the_same_answer_to_everything_has_an_mcc_of_zero(predicted: float) -> None:
    values = point_values(make_scores([0, 1, 1], [predicted] * 3), (0.5,))
    assert values["threshold_0.5/mcc"] == 0
    assert "threshold_0.5/mcc" not in point_values(make_scores([1, 1], [predicted] * 2), (0.5,))


def test_calibration_error_lies_in_its_interval_though_resamples_inflate_it(study: StudyMaker) -> None:
    for seed in range(20):
        scores = trial_scores(study(seed=seed))
        weights = resample_weights(12, 300, seed)
        error = estimates(scores, weights, ())["ece"]
        assert 0 <= error["low"] <= error["value"] <= error["high"]
        assert statistics(scores, weights, ())["ece"].mean() > error["value"]


def test_intervals_of_the_other_metrics_cover_too(study: StudyMaker) -> None:
    """The truth is that of 2,000 subjects; at least 85% of 40 intervals of 40 subjects hold it."""
    truth = point_values(trial_scores(study(subjects=2000, seed=1000)), (0.5,))
    covered = dict.fromkeys(["brier", "threshold_0.5/mcc", "threshold_0.5/net_benefit"], 0)
    for seed in range(40):
        estimated = estimates(trial_scores(study(subjects=40, seed=seed)), resample_weights(40, 300, seed), (0.5,))
        for name in covered:
            covered[name] += estimated[name]["low"] <= truth[name] <= estimated[name]["high"]
    assert min(covered.values()) >= 34, covered


def test_precision_band_holds_the_curve(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=30))
    grid = np.linspace(0.05, 1, 20)
    low, high = precision_band(scores, grid, resample_weights(30, 200, 0))
    precision, recall, _ = metrics.precision_recall_curve(scores.labels, scores.probabilities)
    curve = np.array([precision[np.flatnonzero(recall >= point - 1e-12)[-1]] for point in grid])
    assert (low <= curve).all()
    assert (curve <= high).all()
    own = precision_band(scores, grid, np.ones((1, 30)))
    np.testing.assert_allclose(own[0], curve)


def test_blocks_change_nothing(study: StudyMaker) -> None:
    scores = trial_scores(study())
    weights = resample_weights(12, 30, 0)
    whole = resampled_statistics(scores, weights, THRESHOLDS)
    one_by_one = resampled_statistics(scores, weights, THRESHOLDS, Chunked(elements=1))
    assert list(one_by_one) == list(whole)
    for name, values in whole.items():
        np.testing.assert_allclose(one_by_one[name], values, rtol=1e-12, err_msg=name)


def test_roc_band_holds_the_curve(study: StudyMaker) -> None:
    scores = trial_scores(study(subjects=30))
    grid = np.linspace(0, 1, 21)
    low, high = roc_band(scores, grid, resample_weights(30, 200, 0))
    alarms, hits, _ = metrics.roc_curve(scores.labels, scores.probabilities, drop_intermediate=False)
    curve = np.interp(grid, alarms, hits)
    assert (low <= curve).all()
    assert (curve <= high).all()
    assert (np.diff(low) >= 0).all()
    assert high[-1] == low[-1] == 1
