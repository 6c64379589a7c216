"""Statistics with intervals from resampled subjects.

Trials of one subject resemble each other, so the subject is what is drawn: with replacement, with all its
trials (the cluster bootstrap; Field & Welsh 2007, "Bootstrapping clustered data", J. R. Stat. Soc. B
69:369-390). A resample is then nothing but a weight per subject, and every metric takes weights, for all
resamples at once (`steps.core.metrics.sample`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.decisions import Bools, decisions
from steps.core.metrics.metrics import METRICS, DecisionMetric, People, ProbabilityMetric
from steps.core.metrics.names import CONFIDENCE, IN_FOLD, VOTE, Estimate, Rule, statistic_name
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array, Confusion, Sample
from steps.core.metrics.statistic import statistics_of


def resample_weights(subjects: int, resamples: int, seed: int) -> Array:
    """How often each subject is drawn, shape ``(resamples, subjects)``; each row sums to ``subjects``."""
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(subjects, np.full(subjects, 1.0 / subjects), size=resamples)
    return draws.astype(np.float64)


def as_they_are(scores: Scores) -> Array:
    """Weights that count every subject once, for the statistics without resampling, shape ``(1, subjects)``."""
    return np.ones((1, len(np.unique(scores.subjects))))


def statistics(scores: Scores, weights: Array, thresholds: Sequence[float]) -> dict[str, Array]:
    """Every metric in every resample.

    Args:
        scores: the trials, or the subjects.
        weights: shape ``(resamples, subjects)``; columns in the order of ``np.unique(scores.subjects)``. A
            row of ones gives the statistics of ``scores`` as they are.
        thresholds: decision thresholds.

    Returns:
        Arrays of shape ``(resamples,)``, NaN where undefined, by `steps.core.metrics.names.statistic_name`: all of
        `METRICS`, those of decisions at each threshold, and at those of the folds where the scores have them.
    """
    sample = Sample(scores, weights)
    result = {
        name: metric.function(sample) for name, metric in METRICS.items() if isinstance(metric, ProbabilityMetric)
    }
    for rule, decided in decisions(scores, thresholds).items():
        result |= _of_decisions(rule, sample.confusion(decided, None if rule == IN_FOLD else rule))
    return result


def vote_statistics(subjects: Scores, weights: Array, votes: Mapping[Rule, Bools]) -> dict[str, Array]:
    """The metrics of subjects decided by majority vote, named and shaped as by `statistics`.

    Args:
        subjects: their probabilities are not read.
        weights: as for `statistics`.
        votes: from `steps.core.metrics.decisions.votes`.
    """
    sample = Sample(subjects, weights)
    result: dict[str, Array] = {}
    for rule, decided in votes.items():
        result |= _of_decisions(rule, sample.confusion(decided), VOTE)
    return result


def _of_decisions(rule: Rule, made: Confusion, level: str | None = None) -> dict[str, Array]:
    return {
        statistic_name(name, rule): metric.function(made)
        for name, metric in METRICS.items()
        if isinstance(metric, DecisionMetric) and (level is None or level in metric.levels)
    }


def point_values(scores: Scores, thresholds: Sequence[float]) -> dict[str, float]:
    """The statistics of ``scores`` as they are; undefined ones are absent."""
    return _defined(statistics(scores, as_they_are(scores), thresholds))


def vote_values(subjects: Scores, votes: Mapping[Rule, Bools]) -> dict[str, float]:
    """The statistics of votes as they are; undefined ones are absent."""
    return _defined(vote_statistics(subjects, as_they_are(subjects), votes))


def _defined(values: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(value[0]) for name, value in values.items() if np.isfinite(value[0])}


def resampled_statistics(
    scores: Scores, weights: Array, thresholds: Sequence[float], chunked: Chunked = AT_ONCE
) -> dict[str, Array]:
    """`statistics`, some resamples at a time.

    Args:
        scores: the trials, or the subjects.
        weights: from `resample_weights`.
        thresholds: decision thresholds.
        chunked: where to work, and on how many resamples at a time.
    """
    return _resampled(partial(statistics, scores, thresholds=tuple(thresholds)), scores, weights, chunked)


def _resampled(
    function: Callable[[Any], dict[str, Array]], scores: Scores, weights: Array, chunked: Chunked
) -> dict[str, Array]:
    parts = chunked(function, weights, len(scores.labels))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def estimates(
    scores: Scores, weights: Array, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE
) -> dict[str, Estimate]:
    """The statistics of ``scores`` with percentile intervals (Efron & Tibshirani 1993, chapter 13).

    Where nothing was wrong, every resample says so, too: then `exact_bound` takes the place of the interval's end.

    Args:
        scores: the trials, or the subjects.
        weights: from `resample_weights`; with a single subject there are no intervals.
        thresholds: decision thresholds.
        chunked: where to work, and on how many resamples at a time.

    Returns:
        An estimate per statistic that is defined; resamples in which one is undefined are left out of its
        interval.
    """
    resampled = resampled_statistics(scores, weights, thresholds, chunked)
    return _with_intervals(point_values(scores, thresholds), resampled, weights, scores, thresholds)


def vote_estimates(
    subjects: Scores, weights: Array, votes: Mapping[Rule, Bools], *, chunked: Chunked = AT_ONCE
) -> dict[str, Estimate]:
    """`vote_statistics` with percentile intervals; the arguments are explained there and in `estimates`."""
    resampled = _resampled(partial(vote_statistics, subjects, votes=votes), subjects, weights, chunked)
    thresholds = [rule for rule in votes if rule != IN_FOLD]
    return _with_intervals(vote_values(subjects, votes), resampled, weights, subjects, thresholds)


def _with_intervals(
    values: Mapping[str, float],
    resampled: Mapping[str, Array],
    weights: Array,
    scores: Scores,
    thresholds: Sequence[Rule],
) -> dict[str, Estimate]:
    people, metrics = _people(scores), {one.name: one.row for one in statistics_of(thresholds)}
    result: dict[str, Estimate] = {}
    for name, value in values.items():
        drawn = resampled[name]
        metric = metrics[name]
        if isinstance(metric, ProbabilityMetric) and metric.recentred:
            # A resample holds fewer distinct subjects, which inflates the metric: take that off again.
            drawn = np.maximum(metric.span[0], drawn - (np.nanmean(drawn) - value))
        result[name] = estimate = with_interval(value, drawn, weights)
        if metric.successes and "low" in estimate:
            bound = exact_bound(metric.successes(people))
            if value == 1:
                estimate["low"] = min(estimate["low"], bound)
            elif value == 0:
                estimate["high"] = max(estimate["high"], 1 - bound)
    return result


def exact_bound(successes: int) -> float:
    """The lower end of the exact interval of a share of which nothing was missed (Clopper & Pearson 1934, Biometrika).

    Of ``n`` independent tries, each a success with probability ``v``, all succeed with probability ``v ** n``. Where
    that is less than half of what an interval may miss, ``v`` is ruled out. For AUC the tries are pairs of subjects.

    Args:
        successes: how many there were.
    """
    return float(((1 - CONFIDENCE) / 2) ** (1 / successes)) if successes else 0.0


def _people(scores: Scores) -> People:
    negatives, positives = (len(np.unique(scores.subjects[scores.labels == label])) for label in (0, 1))
    return People(negatives, positives, len(np.unique(scores.subjects)))


def with_interval(value: float, resampled: Array, weights: Array) -> Estimate:
    """An estimate with its percentile interval, which a single subject does not have.

    Args:
        value: the statistic as it is.
        resampled: the statistic in every resample, shape ``(resamples,)``; NaN where it is undefined.
        weights: of the resamples, shape ``(resamples, subjects)``.
    """
    defined = resampled[np.isfinite(resampled)]
    if weights.shape[1] < 2 or not len(defined):
        return {"value": value}
    low, high = percentile_interval(defined)
    return {"value": value, "low": float(low), "high": float(high)}


def percentile_interval(resampled: Array) -> tuple[Array, Array]:
    """Percentile interval over the first axis; what is not a number is left out."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail], axis=0)
    return low, high
