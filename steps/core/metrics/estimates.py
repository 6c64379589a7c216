"""Every statistic of some scores, with its interval over subjects.

Trials of one subject resemble each other, so the subject is what is drawn or left out, with all its trials. Either is
nothing but a weight per subject, and every metric takes weights, for many at once (`steps.core.metrics.sample`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.decisions import Bools, decisions
from steps.core.metrics.intervals import Bounds, clopper_pearson, effective_interval, error_interval
from steps.core.metrics.jackknife import Jackknifed, leave_one_out
from steps.core.metrics.metrics import METRICS, Counts, DecisionMetric, Metric, ProbabilityMetric
from steps.core.metrics.names import IN_FOLD, VOTE, Estimate, Rule, statistic_name
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array, Sample


class _Values(NamedTuple):
    """A statistic under every row of weights; ``lowest`` and ``highest`` are what it could be there."""

    name: str
    metric: Metric
    rule: Rule | None
    values: Array
    lowest: Array | float
    highest: Array | float

    @property
    def share(self) -> Array:
        """The way from the lowest value to the highest, 0 to 1."""
        return np.asarray((self.values - self.lowest) / (self.highest - self.lowest))


@dataclass(frozen=True, eq=False)
class Held:
    """A statistic with what its interval is made of.

    Attributes:
        value: of everybody.
        lowest: what it could be.
        highest: what it could be.
        people: how many subjects it rests on.
        share: the way from lowest to highest; None where the metric has no interval.
        bounds: the interval of the share; None where there is none.
    """

    value: float
    lowest: float
    highest: float
    people: int = 0
    share: Jackknifed | None = None
    bounds: Bounds | None = None

    def estimate(self) -> Estimate:
        """The value, and its interval where there is one."""
        if self.bounds is None:
            return {"value": self.value}
        low, high = (self.lowest + bound * (self.highest - self.lowest) for bound in self.bounds)
        return {"value": self.value, "low": low, "high": high}


def as_they_are(scores: Scores) -> Array:
    """Weights that count every subject once, shape ``(1, subjects)``."""
    return np.ones((1, len(np.unique(scores.subjects))))


def statistics(scores: Scores, weights: Array, thresholds: Sequence[float]) -> dict[str, Array]:
    """Every metric under every row of weights.

    Args:
        scores: the trials, or the subjects.
        weights: shape ``(rows, subjects)``; columns in the order of ``np.unique(scores.subjects)``. A
            row of ones gives the statistics of ``scores`` as they are.
        thresholds: decision thresholds.

    Returns:
        Arrays of shape ``(rows,)``, NaN where undefined, by `steps.core.metrics.names.statistic_name`: all of
        `METRICS`, those of decisions at each threshold, and at those of the folds where the scores have them.
    """
    return {one.name: one.values for one in _values(scores, weights, decisions(scores, thresholds))}


def vote_statistics(subjects: Scores, weights: Array, votes: Mapping[Rule, Bools]) -> dict[str, Array]:
    """The metrics of subjects decided by majority vote, named and shaped as by `statistics`.

    Args:
        subjects: their probabilities are not read.
        weights: as for `statistics`.
        votes: from `steps.core.metrics.decisions.votes`.
    """
    return {one.name: one.values for one in _values(subjects, weights, votes, VOTE)}


def _values(
    scores: Scores, weights: Array, decided: Mapping[Rule, Bools], level: str | None = None
) -> Iterator[_Values]:
    """All statistics; of votes those of decisions only."""
    sample = Sample(scores, weights)
    for name, metric in METRICS.items():
        if isinstance(metric, ProbabilityMetric) and level is None:
            yield _Values(name, metric, None, metric.function(sample), *metric.span)
    for rule, which in decided.items():
        made = sample.confusion(which, None if level or rule == IN_FOLD else rule)
        for name, metric in METRICS.items():
            if isinstance(metric, DecisionMetric) and (level is None or level in metric.levels):
                ends = metric.reach(made) if metric.reach else metric.span
                yield _Values(statistic_name(name, rule), metric, rule, metric.function(made), *ends)


def point_values(scores: Scores, thresholds: Sequence[float]) -> dict[str, float]:
    """The statistics of ``scores`` as they are; undefined ones are absent."""
    return _defined(statistics(scores, as_they_are(scores), thresholds))


def vote_values(subjects: Scores, votes: Mapping[Rule, Bools]) -> dict[str, float]:
    """The statistics of votes as they are; undefined ones are absent."""
    return _defined(vote_statistics(subjects, as_they_are(subjects), votes))


def _defined(values: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(value[0]) for name, value in values.items() if np.isfinite(value[0])}


def estimates(scores: Scores, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE) -> dict[str, Estimate]:
    """The statistics of ``scores`` with their intervals.

    Args:
        scores: the trials, or the subjects.
        thresholds: decision thresholds.
        chunked: where to work, and on how many subjects to leave out at a time.

    Returns:
        An estimate per statistic that is defined. It has no interval where the metric has none, and where it rests on
        too few subjects to know how much they differ: on one subject of a class, unless all is right. Where all
        probabilities are the same, AUC and average precision are what they are whoever is there: no width.
    """
    return {name: one.estimate() for name, one in held(scores, thresholds, chunked=chunked).items()}


def vote_estimates(subjects: Scores, votes: Mapping[Rule, Bools], *, chunked: Chunked = AT_ONCE) -> dict[str, Estimate]:
    """`vote_statistics` with their intervals; the arguments are explained there and in `estimates`."""
    return {name: one.estimate() for name, one in _held(subjects, votes, VOTE, chunked).items()}


def held(scores: Scores, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE) -> dict[str, Held]:
    """What `estimates` are made of; the arguments are those."""
    return _held(scores, decisions(scores, thresholds), None, chunked)


def _held(scores: Scores, decided: Mapping[Rule, Bools], level: str | None, chunked: Chunked) -> dict[str, Held]:
    subjects, parts = len(np.unique(scores.subjects)), []
    if subjects > 1:
        shares = partial(_shares, scores, decided=decided, level=level)
        parts = chunked(shares, leave_one_out(subjects), len(scores.labels))
    counts = {rule: (_people(scores, which), _entries(scores, which)) for rule, which in decided.items()}
    everything = np.ones(len(scores.labels), dtype=bool)
    undecided = _people(scores, everything), _entries(scores, everything)
    result = {}
    for one in _values(scores, as_they_are(scores), decided, level):
        value = float(one.values[0])
        if not np.isfinite(value):
            continue
        lowest, highest = (float(np.ravel(end)[0]) for end in (one.lowest, one.highest))
        if one.metric.interval is None or not parts:
            result[one.name] = Held(value, lowest, highest)
            continue
        share = Jackknifed.of(np.concatenate([part[one.name] for part in parts]))
        people, entries = undecided if one.rule is None else counts[one.rule]
        rests_on = one.metric.interval.people(people)
        ranks_nothing = one.rule is None and one.metric.interval.tries and np.ptp(scores.probabilities) == 0
        bounds = (share.value, share.value) if ranks_nothing else _bounds(one.metric, share, people, entries)
        result[one.name] = Held(value, lowest, highest, rests_on, share, bounds)
    return result


def _shares(scores: Scores, weights: Array, *, decided: Mapping[Rule, Bools], level: str | None) -> dict[str, Array]:
    return {one.name: one.share for one in _values(scores, weights, decided, level) if one.metric.interval}


def _bounds(metric: Metric, share: Jackknifed, people: Counts, entries: Counts) -> Bounds | None:
    interval = metric.interval
    if interval is None:
        return None
    if interval.kind == "error":
        return error_interval(share)
    rests_on, tries = interval.people(people), (interval.tries or interval.people)(people)
    counted = interval.people(entries) if interval.kind == "share" else entries.everybody
    if tries and (share.value in (0, 1) or (interval.kind == "share" and counted == rests_on)):
        return clopper_pearson(share.value, tries)  # nothing is wrong, or right, or there is one answer of each subject
    if rests_on < 2 or not np.isfinite(share.left_out).all():
        return None
    return effective_interval(share, people=rests_on, tries=tries, most=counted)


def _people(scores: Scores, called: Bools) -> Counts:
    def subjects(which: Bools) -> int:
        return len(np.unique(scores.subjects[which]))

    positive = scores.labels == 1
    return Counts(subjects(~positive), subjects(positive), subjects(positive | ~positive), subjects(called))


def _entries(scores: Scores, called: Bools) -> Counts:
    positives = int((scores.labels == 1).sum())
    return Counts(len(called) - positives, positives, len(called), int(called.sum()))
