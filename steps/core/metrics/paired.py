"""Differences between two sets of predictions of the same trials, with intervals over the subjects they share.

Both are judged on the same subjects, so what makes a subject easy or hard for both cancels in the difference: its
interval is narrower than two separate intervals suggest, and it is the one to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.estimates import Held, held
from steps.core.metrics.intervals import difference_interval
from steps.core.metrics.names import Estimate
from steps.core.metrics.predictions import Scores, levels_of


@dataclass(frozen=True, eq=False)
class Judged:
    """Some scores and all that is known of them, to be set beside others.

    Attributes:
        scores: the trials, or the subjects.
        statistics: from `steps.core.metrics.estimates.held`.
    """

    scores: Scores
    statistics: dict[str, Held]

    @property
    def estimates(self) -> dict[str, Estimate]:
        """As `steps.core.metrics.estimates.estimates`."""
        return {name: one.estimate() for name, one in self.statistics.items()}


def judged(scores: Scores, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE) -> Judged:
    """Scores with their statistics; the arguments are those of `steps.core.metrics.estimates.held`."""
    return Judged(scores, held(scores, thresholds, chunked=chunked))


def judged_levels(
    results: pd.DataFrame, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE
) -> dict[str, Judged]:
    """A method's predictions, by level: ``pooled`` and ``subject``.

    Args:
        results: from `steps.core.metrics.predictions.results_table`.
        thresholds: decision thresholds.
        chunked: where to work, and on how many subjects to leave out at a time.
    """
    return {level: judged(scores, thresholds, chunked=chunked) for level, scores in levels_of(results).items()}


def paired_differences(first: Judged, second: Judged) -> dict[str, Estimate]:
    """Every statistic of ``first`` minus that of ``second``.

    Args:
        first: of trials, or of subjects.
        second: of the same, in the same order.

    Returns:
        An estimate per statistic that both define, named as by `steps.core.metrics.estimates.statistics`, with the
        interval of `steps.core.metrics.intervals.difference_interval` where both have one. The same probabilities do
        not differ: their intervals have no width.

    Raises:
        ValueError: the two are not about the same trials or subjects.
    """
    one, other = first.scores, second.scores
    if not (np.array_equal(one.subjects, other.subjects) and np.array_equal(one.labels, other.labels)):
        raise ValueError("paired differences need the same subjects and labels in the same order")
    is_same = np.array_equal(one.probabilities, other.probabilities)
    return {
        name: _difference(value, second.statistics[name], is_same)
        for name, value in first.statistics.items()
        if name in second.statistics
    }


def _difference(first: Held, second: Held, is_same: bool) -> Estimate:
    value = first.value - second.value
    if first.share is None or second.share is None or first.bounds is None or second.bounds is None:
        return {"value": value}
    if is_same:
        return {"value": value, "low": value, "high": value}
    people = min(first.people, second.people)
    bounds = difference_interval(first.share, second.share, (first.bounds, second.bounds), people)
    low, high = (bound * (first.highest - first.lowest) for bound in bounds)
    return {"value": value, "low": low, "high": high}
