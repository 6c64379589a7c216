from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.chunks import Chunked
from steps.core.metrics.decisions import votes
from steps.core.metrics.estimates import estimates, point_values, statistics, vote_estimates
from steps.core.metrics.metrics import METRICS
from steps.core.metrics.names import LEVELS
from steps.core.metrics.predictions import Scores, levels_of, trial_scores
from steps.core.metrics.sample import Array
from steps.core.metrics.statistic import statistics_of
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


@pytest.mark.parametrize("found", range(13))
def test_where_a_subject_is_one_yes_or_no_intervals_are_exact(found: int) -> None:
    """Of twelve positives so many are found, of eight negatives two are not left alone."""
    probabilities = [0.9] * found + [0.1] * (12 - found) + [0.9] * 2 + [0.1] * 6
    estimated = estimates(make_scores([1] * 12 + [0] * 8, probabilities), (0.5,))
    expected = {
        "recall": (found, 12),
        "specificity": (6, 8),
        "accuracy": (found + 6, 20),
        "precision": (found, found + 2),
    }
    for name, (right, tries) in expected.items():
        theirs = binomtest(right, tries).proportion_ci(0.95, "exact")
        ours = estimated[f"threshold_0.5/{name}"]
        assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("is_right", [True, False])
def test_without_any_error_the_interval_ends_at_the_exact_bound(is_right: bool) -> None:
    """Two subjects of each class are two pairs with nobody in common, and four decisions."""
    labels = np.array([0, 0, 1, 1] if is_right else [1, 1, 0, 0], dtype=np.int8)
    scores = Scores(labels, np.array([0.1, 0.2, 0.8, 0.9]), np.array(["a", "b", "c", "d"]))
    estimated = estimates(scores, (0.5,))
    bounds = {"auc": 0.025**0.5, "threshold_0.5/balanced_accuracy": 0.025**0.25, "threshold_0.5/recall": 0.025**0.5}
    for name, bound in bounds.items():
        expected = {"value": 1.0, "low": bound, "high": 1.0} if is_right else {"value": 0, "low": 0, "high": 1 - bound}
        assert estimated[name] == pytest.approx(expected)


def test_a_subject_of_both_classes_is_one_subject() -> None:
    """Four subjects in both classes make two pairs with nobody in common."""
    scores = Scores(
        np.array([0, 1] * 4, dtype=np.int8), np.array([0.1, 0.9] * 4), np.repeat(np.array(["a", "b", "c", "d"]), 2)
    )
    estimated = estimates(scores, (0.5,))
    assert estimated["auc"]["low"] == pytest.approx(0.025**0.5)
    assert estimated["threshold_0.5/balanced_accuracy"]["low"] == pytest.approx(0.025**0.25)


def test_intervals_hold_their_values_and_stay_in_the_span(study: StudyMaker) -> None:
    for seed in range(10):
        results = study(effect=0.5 * seed, seed=seed, mixed=seed)
        levels = levels_of(results)
        voted = votes(levels["pooled"], levels["subject"], THRESHOLDS)
        for estimated in (
            *(estimates(levels[level], THRESHOLDS) for level in LEVELS), vote_estimates(levels["subject"], voted)
        ):  # fmt: skip
            for one in statistics_of(THRESHOLDS):
                if "low" in estimated.get(one.name, {}):
                    found, (lowest, highest) = estimated[one.name], one.row.span
                    assert lowest - 1e-9 <= found["low"] <= found["value"] + 1e-9
                    assert found["value"] - 1e-9 <= found["high"] <= highest + 1e-9
                    assert found["low"] < found["high"]


def test_metrics_without_an_interval_say_why(study: StudyMaker) -> None:
    estimated = estimates(trial_scores(study()), THRESHOLDS)
    for one in statistics_of(THRESHOLDS):
        if one.name in estimated:
            assert ("low" in estimated[one.name]) == (one.row.interval is not None) == (not one.row.without_interval)
    assert {name for name, metric in METRICS.items() if metric.interval is None} == {"loss", "ece"}


def test_one_class_has_neither_auc_nor_specificity() -> None:
    scores = Scores(np.ones(3, dtype=np.int8), np.array([0.2, 0.6, 0.9]), np.array(["a", "b", "c"]))
    estimated = estimates(scores, (0.5,))
    assert estimated["threshold_0.5/recall"]["value"] == pytest.approx(2 / 3)
    for name in ("auc", "average_precision", "threshold_0.5/specificity", "threshold_0.5/balanced_accuracy"):
        assert name not in estimated


@pytest.mark.parametrize("subjects", [["a", "a", "a"], ["a", "b", "b"]])
def test_without_two_subjects_of_either_class_auc_has_no_interval(subjects: Sequence[str]) -> None:
    scores = Scores(np.array([0, 1, 1], np.int8), np.array([0.4, 0.9, 0.2]), np.array(subjects))
    estimated = estimates(scores, (0.5,))
    assert estimated["auc"] == {"value": 0.5}
    assert "low" not in estimated["threshold_0.5/recall"]


def test_one_subject_of_each_class_may_be_right_by_chance() -> None:
    estimated = estimates(make_scores([0, 1], [0.1, 0.9]), ())
    assert estimated["auc"] == {"value": 1.0, "low": pytest.approx(0.025), "high": 1.0}


def test_more_trials_of_the_same_subjects_do_not_narrow_the_interval(study: StudyMaker) -> None:
    once = trial_scores(study())
    tenfold = Scores(np.repeat(once.labels, 10), np.repeat(once.probabilities, 10), np.repeat(once.subjects, 10))
    for name, estimate in estimates(once, THRESHOLDS).items():
        assert estimates(tenfold, THRESHOLDS)[name] == pytest.approx(estimate)


def test_blocks_change_nothing(study: StudyMaker) -> None:
    scores = trial_scores(study())
    whole = estimates(scores, THRESHOLDS)
    one_by_one = estimates(scores, THRESHOLDS, chunked=Chunked(elements=1))
    for name, estimate in whole.items():
        assert one_by_one[name] == pytest.approx(estimate, rel=1e-12)


def test_the_same_probability_for_everybody_has_an_auc_of_a_half_whoever_is_there() -> None:
    estimated = estimates(make_scores([0, 0, 1, 1], [0.5] * 4), (0.5,))
    assert estimated["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert estimated["threshold_0.5/balanced_accuracy"]["low"] < 0.1
