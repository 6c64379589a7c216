from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from steps.core.metrics.chunks import Chunked
from steps.core.metrics.permutation import arrangements, permutation_test, permuted_labels
from steps.core.metrics.predictions import Scores, trial_scores
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, scores


def test_the_exact_test_of_mann_and_whitney() -> None:
    """With one trial per subject a permutation test of AUC is theirs; 20,000 draws come close to all of them."""
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], [6, 7])
    for shift in (0.0, 0.8):
        probabilities = 1 / (1 + np.exp(-generator.normal(shift * labels, 1.0)))
        positive, negative = probabilities[labels == 1], probabilities[labels == 0]
        expected = mannwhitneyu(positive, negative, alternative="greater", method="exact")
        entries = scores(labels.tolist(), probabilities.tolist())
        tested = permutation_test(entries, (0.5,), permutations=20_000, seed=0)
        for level in ("pooled", "subject"):
            assert tested[level]["auc"]["p_value"] == pytest.approx(expected.pvalue, abs=0.012)


def test_perfect_separation_of_three_and_three_is_one_in_twenty() -> None:
    names = np.repeat(["a", "b", "c", "d", "e", "f"], 4)
    entries = scores(np.repeat([0, 1], 12).tolist(), np.linspace(0.1, 0.9, 24).tolist(), names.tolist())
    tested = permutation_test(entries, (0.5,), permutations=4000, seed=1)
    assert arrangements(entries) == 20
    for level, name in (("pooled", "auc"), ("subject", "auc"), ("subject_vote", "threshold_0.5/balanced_accuracy")):
        assert tested[level][name]["p_value"] == pytest.approx(1 / 20, abs=0.012)


def test_no_permutation_as_good_gives_one_in_m_plus_one() -> None:
    entries = scores([0] * 20 + [1] * 20, np.linspace(0.01, 0.99, 40).tolist())
    assert permutation_test(entries, (), permutations=99, seed=0)["subject"]["auc"]["p_value"] == 1 / 100


def every_arrangement(entries: Scores) -> list[np.ndarray]:
    """All ways of placing labels among trials of the same subject."""
    ways = []
    for name in np.unique(entries.subjects):
        mine = np.flatnonzero(entries.subjects == name)
        positives = int(entries.labels[mine].sum())
        ways.append(list(itertools.combinations(mine, positives)))
    labels = []
    for chosen in itertools.product(*ways):
        row = np.zeros(len(entries.labels), dtype=int)
        row[list(itertools.chain(*chosen))] = 1
        labels.append(row)
    return labels


def test_subjects_of_both_classes_permute_within_themselves() -> None:
    """Against all 6 x 3 x 6 arrangements, counted with scikit-learn."""
    names = ["a"] * 4 + ["b"] * 3 + ["c"] * 4
    labels = [0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0]
    entries = scores(labels, [0.2, 0.4, 0.5, 0.9, 0.3, 0.6, 0.65, 0.35, 0.1, 0.7, 0.45], names)
    every = every_arrangement(entries)
    assert arrangements(entries) == len(every) == 108

    def by_subject(truth: np.ndarray) -> float:
        rows = [
            (label, entries.probabilities[(entries.subjects == name) & (truth == label)].mean())
            for name in "abc"
            for label in (0, 1)
        ]
        return float(roc_auc_score(*zip(*rows, strict=True)))

    decided = entries.probabilities >= 0.5
    statistics: dict[tuple[str, str], Callable[[np.ndarray], float]] = {
        ("pooled", "auc"): lambda truth: roc_auc_score(truth, entries.probabilities),
        ("subject", "auc"): by_subject,
        ("pooled", "threshold_0.5/balanced_accuracy"): lambda truth: balanced_accuracy_score(truth, decided),
    }
    tested = permutation_test(entries, (0.5,), permutations=20_000, seed=0)
    for (level, name), statistic in statistics.items():
        truth = statistic(entries.labels)
        expected = np.mean([statistic(row) >= truth - 1e-9 for row in every])
        assert tested[level][name]["p_value"] == pytest.approx(expected, abs=0.012), (level, name)


def test_what_is_exchanged_and_what_is_not(study: StudyMaker) -> None:
    entries = trial_scores(study(mixed=4))
    labels = permuted_labels(entries, 50, seed=0)
    np.testing.assert_array_equal(labels[0], entries.labels == 1)
    assert len(np.unique(labels, axis=0)) > 40
    pure_positives = set()
    for row in labels:
        positive_subjects = 0
        for name in np.unique(entries.subjects):
            mine = entries.subjects == name
            truth = entries.labels[mine]
            if 0 < truth.sum() < len(truth):
                assert row[mine].sum() == truth.sum()
            else:
                assert len(set(row[mine])) == 1
                positive_subjects += row[mine][0]
        pure_positives.add(positive_subjects)
    assert len(pure_positives) == 1


@pytest.mark.parametrize("mixed", [0, 5])
def test_the_truth_among_the_permutations_is_that_of_the_summary(study: StudyMaker, mixed: int) -> None:
    """A permutation p value is 1 for what cannot be beaten and small for what is far above; here the same numbers."""
    from steps.core.metrics.permutation import _statistics

    entries = trial_scores(study(mixed=mixed))
    document = summary(study(mixed=mixed), THRESHOLDS, permutations=10)
    statistics_now = _statistics(entries, (entries.labels == 1)[None], document["thresholds"])
    for level, values in statistics_now.items():
        for name, value in values.items():
            assert value[0] == pytest.approx(document[level][name]["value"]), (level, name)


@pytest.mark.parametrize("mixed", [0, 14])
def test_p_values_are_uniform_without_an_effect(study: StudyMaker, mixed: int) -> None:
    """Of 120 studies without an effect at most a share of alpha has p <= alpha, give or take four standard errors.

    Trials of one subject are alike here, so permuting trials as if they were independent would fail this by far.
    """
    tested = [
        permutation_test(trial_scores(study(subjects=14, effect=0.0, seed=seed, mixed=mixed)), (0.5,),
                         permutations=99, seed=seed)
        for seed in range(120)
    ]  # fmt: skip
    for level, name in (("pooled", "auc"), ("subject", "auc"), ("subject", "threshold_0.5/balanced_accuracy")):
        p_values = np.array([one[level][name]["p_value"] for one in tested])
        for alpha in (0.05, 0.2, 0.5):
            assert (p_values <= alpha).mean() <= alpha + 4 * np.sqrt(alpha * (1 - alpha) / 120), (level, name, alpha)
        if name == "auc":  # fine enough to be uniform from below as well
            assert (p_values <= 0.5).mean() >= 0.5 - 4 * np.sqrt(0.25 / 120)


def test_blocks_change_nothing(study: StudyMaker) -> None:
    entries = trial_scores(study(mixed=3))
    whole = permutation_test(entries, (0.5,), permutations=30, seed=0)
    one_by_one = permutation_test(entries, (0.5,), permutations=30, seed=0, chunked=Chunked(elements=1))
    assert one_by_one == whole


def test_the_null_quantile_is_what_most_permutations_reach() -> None:
    """Two and four: AUC is 1 in one of 15 arrangements, 6.7%, and at most 7/8 in the others."""
    entries = scores([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    tested = permutation_test(entries, (), permutations=4000, seed=0)
    assert tested["subject"]["auc"]["null_quantile"] == pytest.approx(1.0)
    assert tested["subject"]["auc"]["p_value"] == pytest.approx(1 / 15, abs=0.015)
