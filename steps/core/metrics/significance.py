"""Tests of no difference between two methods that predicted the same subjects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from steps.core.metrics.predictions import trial_scores

Array = npt.NDArray[np.float64]


def subject_errors(results: pd.DataFrame) -> pd.Series:
    """Brier score of each subject: squared errors of the probabilities, averaged over its trials.

    Args:
        results: a row per trial and test number; a trial's probability is its mean over test numbers.

    Returns:
        Subject -> mean squared error, in the order of the names.
    """
    trials = trial_scores(results)
    return pd.Series((trials.probabilities - trials.labels) ** 2).groupby(trials.subjects, sort=True).mean()


def wilcoxon(first: Array, second: Array) -> dict[str, Any]:
    """Wilcoxon's signed-rank test of paired errors, two-sided.

    Recommended for two classifiers by Demšar 2006, J. Mach. Learn. Res. 7:1-30; here the pairs are subjects. Pairs
    without a difference keep their rank, but decide for neither (Pratt 1959, J. Am. Stat. Assoc. 54:655-667).

    Args:
        first: an error per subject, shape ``(subjects,)``.
        second: the other method's errors of the same subjects.

    Returns:
        ``p_value``; ``first_better``, ``second_better`` and ``equal`` (numbers of subjects); ``median_difference``
        (first minus second); ``rank_biserial``, the matched-pairs rank-biserial correlation (Kerby 2014, Compr.
        Psychol. 3:1): the ranks that favour the first less those that favour the second, as a share of both. It is 1
        where the first is better for every subject.
    """
    differences = first - second
    better, worse = int((differences < 0).sum()), int((differences > 0).sum())
    outcome: dict[str, Any] = {
        "first_better": better,
        "second_better": worse,
        "equal": len(differences) - better - worse,
        "median_difference": float(np.median(differences)),
        "rank_biserial": 0.0,
        "p_value": 1.0,
    }
    if better + worse:
        ranks = stats.rankdata(np.abs(differences))
        favour_first, favour_second = ranks[differences < 0].sum(), ranks[differences > 0].sum()
        outcome["rank_biserial"] = float((favour_first - favour_second) / (favour_first + favour_second))
        outcome["p_value"] = float(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    return outcome


def mcnemar(labels: npt.NDArray[np.integer], first: Array, second: Array, threshold: float) -> dict[str, Any]:
    """McNemar's test of paired decisions, exact and two-sided.

    McNemar 1947, Psychometrika 12:153-157, with the binomial distribution in place of its approximation. Only the cases
    count that one decides rightly and the other wrongly; without a difference each kind is as likely.

    Args:
        labels: 0 or 1, shape ``(cases,)``.
        first: probabilities of one method, shape ``(cases,)``.
        second: probabilities of the other.
        threshold: positive where ``probability >= threshold``.

    Returns:
        ``both_right``, ``only_first_right``, ``only_second_right``, ``both_wrong`` (counts), ``p_value``, and where
        there are discordant cases ``first_share``: the share of them that the first decides rightly, with the exact
        95% interval ``first_share_low``, ``first_share_high`` (Clopper & Pearson 1934, Biometrika 26:404-413).
    """
    one, other = ((scores >= threshold) == (labels == 1) for scores in (first, second))
    only_first, only_second = int((one & ~other).sum()), int((~one & other).sum())
    outcome: dict[str, Any] = {
        "both_right": int((one & other).sum()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "both_wrong": int((~one & ~other).sum()),
        "p_value": 1.0,
    }
    if only_first + only_second:
        test = stats.binomtest(only_first, only_first + only_second, 0.5)
        interval = test.proportion_ci(0.95, method="exact")
        outcome |= {
            "p_value": float(test.pvalue),
            "first_share": float(test.statistic),
            "first_share_low": float(interval.low),
            "first_share_high": float(interval.high),
        }
    return outcome
