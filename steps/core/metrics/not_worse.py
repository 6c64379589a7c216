"""Is one method worse than another by more than a margin? A lower bound of the paired difference of subjects' AUC.

Non-inferiority (Chen, Petrick & Sahiner 2012, Acad. Radiol. 19:1158-1165): not worse is what can be shown to be worse
by less than a margin that was declared beforehand. No difference to be seen would not do; few people show no difference
of anything. How often the bound is wrong, and how often percentiles of resampled people would be, is in docs/promote.md
(``python -m benchmarks.gates``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from steps.core.metrics.jackknife import Jackknifed, leave_one_out
from steps.core.metrics.metrics import auc
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Sample

LEVEL = 0.05


@dataclass(frozen=True)
class PairedDifference:
    """The AUC of one method minus that of another, on the same subjects.

    Attributes:
        first: AUC of the one.
        second: AUC of the other.
        low: the difference is below this in at most 5% of studies.
        subjects: how many people it rests on.
        smallest_margin: below this, so few people could show nothing, even of two methods that never differ.
    """

    first: float
    second: float
    low: float
    subjects: int
    smallest_margin: float

    @property
    def value(self) -> float:
        """The difference."""
        return self.first - self.second


def paired_difference(first: Scores, second: Scores) -> PairedDifference:
    """The difference of two methods' AUC, and its one-sided 95% bound.

    Student's bound with the standard error of the cluster jackknife. Few people may all be alike by luck, so one more
    is reckoned with, for whom the first method loses every comparison that the second wins (as Agresti & Coull 1998,
    Am. Stat. 52:119-126, add failures before they take a proportion). The same probabilities do not differ: their bound
    is their difference, 0.

    Args:
        first: of subjects (or trials), of both classes.
        second: of the same ones in the same order.

    Raises:
        ValueError: they are not of the same ones, or the AUC is undefined, for everybody or without somebody.
    """
    if not (np.array_equal(first.subjects, second.subjects) and np.array_equal(first.labels, second.labels)):
        raise ValueError("a paired difference needs the same subjects and labels in the same order")
    people = len(np.unique(first.subjects))
    weights = leave_one_out(people)
    values = [auc(Sample(one, weights)) for one in (first, second)]
    difference = Jackknifed.of(values[0] - values[1])
    if not np.isfinite(values).all():
        raise ValueError("AUC is undefined without one of the subjects: expected at least two of each class")
    quantile = float(stdtrit(people - 1, 1 - LEVEL))
    one_more = _influence(first)
    low = difference.value
    if not np.array_equal(first.probabilities, second.probabilities):
        low -= quantile * math.hypot(difference.standard_error, one_more)
    return PairedDifference(float(values[0][0]), float(values[1][0]), low, people, quantile * one_more)


def _influence(scores: Scores) -> float:
    """How much of the AUC one person decides: all pairs of theirs among all pairs."""
    negative, positive = (set(scores.subjects[scores.labels == label].tolist()) for label in (0, 1))
    shares = 1 / len(negative), 1 / len(positive)
    return sum(shares) if negative & positive else max(shares)
