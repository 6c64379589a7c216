"""Intervals against independent references, in closed form, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binomtest, norm, t

from benchmarks.coverage import GRID, Setting, coverage
from steps.core.metrics.estimates import estimates, statistics
from steps.core.metrics.intervals import clopper_pearson, difference_interval, effective_interval, error_interval
from steps.core.metrics.jackknife import Jackknifed, leave_one_out
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array
from tests.core.metrics.conftest import scores as make_scores

NOMINAL = 0.93


def least(studies: int) -> float:
    """Coverage that two standard errors of chance leave of `NOMINAL`."""
    return float(NOMINAL - 2 * np.sqrt(NOMINAL * (1 - NOMINAL) / studies))


def clustered(subjects: int, within: bool, seed: int = 0) -> Scores:
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(subjects), 4)
    labels = (np.arange(4 * subjects) % 2 if within else (names % 2)).astype(np.int8)
    logits = 1.5 * labels + random.normal(size=subjects)[names] + random.normal(size=4 * subjects)
    return Scores(labels, 1 / (1 + np.exp(-logits)), names)


def jackknifed_auc(scores: Scores) -> Jackknifed:
    return Jackknifed.of(statistics(scores, leave_one_out(len(np.unique(scores.subjects))), ())["auc"])


def placements(scores: Scores) -> tuple[Array, Array, float]:
    """How much of the other class each positive is above, and each negative below (DeLong et al. 1988, Biometrics)."""
    positive, negative = (scores.probabilities[scores.labels == label] for label in (1, 0))
    pairs = (positive[:, None] > negative).astype(float) + (positive[:, None] == negative) / 2
    return pairs.mean(axis=1), pairs.mean(axis=0), float(pairs.mean())


@pytest.mark.parametrize(("successes", "tries"), [(0, 7), (3, 7), (7, 7), (45, 46), (1, 1)])
def test_clopper_pearson_is_that_of_scipy(successes: int, tries: int) -> None:
    theirs = binomtest(successes, tries).proportion_ci(0.95, "exact")
    assert clopper_pearson(successes / tries, tries) == pytest.approx((theirs.low, theirs.high))


def test_standard_error_of_auc_is_delongs_where_subjects_have_one_trial() -> None:
    """Up to divisors: one less per class, and one of the whole."""
    random = np.random.default_rng(1)
    scores = make_scores([1] * 15 + [0] * 11, list(random.uniform(size=26) ** np.repeat([0.5, 1.0], [15, 11])))
    above, below, _ = placements(scores)
    expected = 25 / 26 * (above.var(ddof=1) / 14 + below.var(ddof=1) / 10)
    assert jackknifed_auc(scores).standard_error ** 2 == pytest.approx(expected)


@pytest.mark.parametrize("within", [False, True])
def test_standard_error_of_auc_is_obuchowskis_with_clusters(within: bool) -> None:
    """Obuchowski 1997, Biometrics 53:567-578, written down; with 200 clusters the terms that differ are gone."""
    scores = clustered(200, within)
    above, below, auc = placements(scores)
    positive = scores.labels == 1
    sums = np.bincount(scores.subjects[positive], above - auc, minlength=200)
    other = np.bincount(scores.subjects[~positive], below - auc, minlength=200)
    in_positive, in_negative = (len(np.unique(scores.subjects[which])) for which in (positive, ~positive))
    m, n = positive.sum(), (~positive).sum()
    variance = in_positive / (in_positive - 1) * (sums**2).sum() / m**2
    variance += in_negative / (in_negative - 1) * (other**2).sum() / n**2
    variance += 2 * 200 / 199 * (sums * other).sum() / (m * n)
    assert jackknifed_auc(scores).standard_error ** 2 == pytest.approx(variance, rel=0.03)


def test_share_of_clusters_by_hand() -> None:
    """Five subjects with four trials each; Korn & Graubard 1998 with one more subject, right or wrong altogether."""
    right = np.array([4, 4, 3, 2, 4])
    probabilities = np.concatenate([[0.9] * count + [0.1] * (4 - count) for count in right])
    scores = Scores(np.ones(20, np.int8), probabilities, np.repeat(np.arange(5), 4))
    share, spread = right.sum() / 20, (right / 4).var(ddof=1)
    variance = (4 * spread + share * (1 - share)) / 5
    tries = 5 * share * (1 - share) / variance * (norm.ppf(0.975) / t.ppf(0.975, 4)) ** 2
    found = estimates(scores, (0.5,))["threshold_0.5/recall"]
    assert found["low"] == pytest.approx(beta.ppf(0.025, share * tries, (1 - share) * tries + 1))
    assert found["high"] == pytest.approx(beta.ppf(0.975, share * tries + 1, (1 - share) * tries))


def test_where_nobody_changes_anything_the_share_is_one_of_independent_tries() -> None:
    alike = Jackknifed(0.5, np.full(12, 0.5))
    assert effective_interval(alike, people=12, tries=6, most=100) == clopper_pearson(0.5, 6)


def test_no_share_is_worth_more_tries_than_there_are_entries() -> None:
    nearly = Jackknifed(0.5, 0.5 + np.linspace(-1e-4, 1e-4, 1000))
    assert effective_interval(nearly, people=1000, tries=1000, most=40) == clopper_pearson(0.5, 40)


def test_errors_reckon_with_one_more_subject_answered_at_random() -> None:
    perfect = Jackknifed(0.0, np.zeros(9))
    low, high = error_interval(perfect)
    assert low == 0
    assert 0.05 < high < 0.5  # the one more is a tenth of a half
    worse = Jackknifed.of(np.append(0.3, 0.3 + np.linspace(-0.02, 0.02, 9)))
    assert error_interval(worse)[1] > 0.3 > error_interval(worse)[0]


def test_difference_of_what_does_not_vary_adds_like_independent_errors() -> None:
    """Zou & Donner 2008; without a correlation Newcombe's tenth method (1998, Stat. Med. 17:873-890)."""
    one, other = Jackknifed(0.9, np.full(10, 0.9)), Jackknifed(0.6, np.full(10, 0.6))
    low, high = difference_interval(one, other, ((0.7, 0.97), (0.4, 0.8)), 10)
    assert low == pytest.approx(0.3 - np.hypot(0.2, 0.2))
    assert high == pytest.approx(0.3 + np.hypot(0.07, 0.2))


@pytest.mark.parametrize("per_class", [4, 12])
@pytest.mark.parametrize("is_normal", [True, False], ids=["normal", "all or nothing"])
def test_perfect_studies_are_rare_where_the_truth_is_at_the_bound(per_class: int, is_normal: bool) -> None:
    """So an interval that begins there misses the truth in at most 2.5% of studies; the worst case comes close."""
    random, bound, studies = np.random.default_rng(0), clopper_pearson(1.0, per_class)[0], 20_000
    negatives = random.normal(size=(studies, per_class))
    if is_normal:
        positives = random.normal(np.sqrt(2) * norm.ppf(bound), size=(studies, per_class))
    else:  # positives are above all negatives, or below
        positives = np.where(random.random((studies, per_class)) < bound, 10.0, -10.0)
    share = float((positives.min(axis=1) > negatives.max(axis=1)).mean())
    assert share < 0.025 + 3 * np.sqrt(0.025 * 0.975 / studies)


def test_intervals_hold_where_percentiles_miss() -> None:
    """24 people, AUC 0.95 of one trial each: percentiles of resampled subjects hold it in four studies of five."""
    cells = coverage([Setting(24, 0.95)], 150, percentile=True)
    held = cells[cells["what"] != "percentile"]
    assert set(held["metric"].str.split("/").str[-1]) > {"auc", "brier", "mcc", "net_benefit"}
    assert held["coverage"].min() >= least(150)
    percentiles = cells.set_index(["what", "metric", "level"])["coverage"]["percentile"]
    assert percentiles["auc", "subjects"] < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [12, 24, 46])
def test_intervals_hold_in_every_setting(subjects: int) -> None:
    """A smaller grid than that of ``python -m benchmarks.coverage``, and one of other seeds."""
    studies = 300
    settings = [one for one in GRID if one.subjects == subjects and one.auc in (0.5, 0.95) and one.trials != 3]
    cells = coverage(settings, studies, seed=1)
    assert cells["coverage"].min() >= least(studies), cells.nsmallest(5, "coverage")
    assert cells["coverage"].mean() >= 0.95
