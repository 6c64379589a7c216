"""95% intervals that hold for a dozen people as well as for a hundred, wherever the value lies.

Percentiles of resampled subjects are too narrow for few people, and say nothing where (nearly) all is right: every
resample is right, too. docs/evaluation-checks.md has how often each interval here holds the truth, and how wide it is.
Which one a metric has is a column of `steps.core.metrics.metrics.METRICS`.
"""

from __future__ import annotations

import math
from typing import Final

from scipy.special import betaincinv, expit, logit, ndtri, stdtrit

from steps.core.metrics.jackknife import Jackknifed
from steps.core.metrics.names import CONFIDENCE
from steps.core.metrics.sample import Array

METHOD: Final = "exact, of as many tries as the cluster jackknife finds"
Bounds = tuple[float, float]
_TAIL: Final = (1 - CONFIDENCE) / 2
_Z: Final = float(ndtri(1 - _TAIL))
_NOTHING: Final = 1e-9  # below any standard error, or distance from 0 or 1, that is not rounding
_AT_RANDOM: Final = 0.5  # Brier score of probabilities of 0 and 1 at random


def clopper_pearson(share: float, tries: float) -> Bounds:
    """The exact interval of a share of independent tries (Clopper & Pearson 1934, Biometrika 26:404-413).

    Args:
        share: of successes.
        tries: how many; neither they nor the successes need to be whole.
    """
    successes, failures = share * tries, (1 - share) * tries
    low = float(betaincinv(successes, failures + 1, _TAIL)) if successes > _NOTHING else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - _TAIL)) if failures > _NOTHING else 1.0
    return low, high


def effective_interval(share: Jackknifed, *, people: int, tries: int, most: int) -> Bounds:
    """The exact interval of as many independent tries as would have the standard error that was found.

    For shares of what is counted: Korn & Graubard 1998, "Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data", Surv. Methodol. 24:193-201. Nothing between 0 and 1 varies
    more than what is 0 or 1 with the same mean, so it does for other values there, too. Few people may all be alike by
    luck: their variance is averaged with that of one more, all right or all wrong.

    Args:
        share: a value between 0 and 1.
        people: how many it rests on, at least 2; one less are the degrees of freedom of the standard error.
        tries: of how many it is taken for a share where leaving out nobody changes it, or all is right or wrong.
        most: how many tries it is worth at most.
    """
    if share.standard_error < _NOTHING or share.value * (1 - share.value) < _NOTHING:
        return clopper_pearson(share.value, tries)
    return with_standard_error(share.value, share.standard_error, people=people, most=most)


def with_standard_error(value: float, error: float, *, people: int, most: int) -> Bounds:
    """`effective_interval` of a value inside 0 and 1 whose standard error is known, and not 0."""
    possible = value * (1 - value)
    variance = ((people - 1) * people * error**2 + possible) / people
    effective = people * possible / variance * (_Z / _t(people - 1)) ** 2
    return clopper_pearson(value, min(effective, most))


def error_interval(error: Jackknifed) -> Bounds:
    """Student's interval of a mean squared error, on the scale of its logit, that reckons with one more subject.

    Few subjects may hold none of the badly wrong ones that others would: mean and standard error are then both too
    small. So the upper end is at least what it would be with one more subject, answered with 0 or 1 at random (as
    Agresti & Coull 1998, Am. Stat. 52:119-126, add successes and failures before they take a proportion).

    Args:
        error: its mean, between 0 and 1, of at least two subjects.
    """
    subjects = error.subjects
    low, high = _on_logit(error.value, error.standard_error, subjects)
    value = (subjects * error.value + _AT_RANDOM) / (subjects + 1)
    spread = math.hypot(subjects * error.standard_error, _AT_RANDOM - value) / (subjects + 1)
    return low, max(high, _on_logit(value, spread, subjects)[1])


def difference_interval(first: Jackknifed, second: Jackknifed, bounds: tuple[Bounds, Bounds], people: int) -> Bounds:
    """The interval of a paired difference, from the intervals of both and how they go together.

    The distances between each value and its bounds are added as standard errors would be (Zou & Donner 2008, Stat. Med.
    27:1693-1702; for correlated areas under ROC curves Zou & Yue 2013, Stat. Med. 32:5077-5090). The correlation is
    that of the values without each subject; as in `effective_interval` it is averaged with one more subject, whose
    answers by the two have nothing in common.

    Args:
        first: of one method.
        second: of the other, on the same subjects.
        bounds: the interval of each.
        people: how many each rests on.
    """
    (low, high), (other_low, other_high) = bounds
    correlation = _correlation(first.left_out, second.left_out) * (people - 1) / people
    difference = first.value - second.value
    return (
        difference - _together(first.value - low, other_high - second.value, correlation),
        difference + _together(high - first.value, second.value - other_low, correlation),
    )


def _together(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one**2 + other**2 - 2 * correlation * one * other))


def _correlation(one: Array, other: Array) -> float:
    """Pearson's; 0 where either does not vary."""
    deviations = one - one.mean(), other - other.mean()
    spread = math.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum())
    return float((deviations[0] * deviations[1]).sum() / spread) if spread > _NOTHING**2 else 0.0


def _on_logit(value: float, error: float, subjects: int) -> Bounds:
    """Student's interval of a value between 0 and 1; its standard error on the logit's scale by the delta method."""
    if not 0 < value < 1:
        return value, value
    half = _t(subjects - 1) * error / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))


def _t(degrees_of_freedom: int) -> float:
    return float(stdtrit(degrees_of_freedom, 1 - _TAIL))
