"""Differences between two sets of predictions of the same trials, with intervals over the subjects they share.

Both are judged on the same subjects, so what makes a subject easy or hard for both cancels in the difference: its
interval is narrower than two separate intervals suggest, and it is the one to read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.estimates import Held, held
from steps.core.metrics.intervals import difference_interval
from steps.core.metrics.names import Estimate
from steps.core.metrics.predictions import Scores


def paired_differences(
    first: Scores, second: Scores, thresholds: Sequence[float], *, chunked: Chunked = AT_ONCE
) -> dict[str, Estimate]:
    """Every statistic of ``first`` minus that of ``second``.

    Args:
        first: probabilities of trials, or of subjects.
        second: other probabilities of the same, in the same order.
        thresholds: decision thresholds.
        chunked: where to work, and on how many subjects to leave out at a time.

    Returns:
        An estimate per statistic that both define, named as by `steps.core.metrics.estimates.statistics`, with the
        interval of `steps.core.metrics.intervals.difference_interval` where both have one. The same probabilities do
        not differ: their intervals have no width.

    Raises:
        ValueError: the two are not about the same trials or subjects.
    """
    if not (np.array_equal(first.subjects, second.subjects) and np.array_equal(first.labels, second.labels)):
        raise ValueError("paired differences need the same subjects and labels in the same order")
    is_same = np.array_equal(first.probabilities, second.probabilities)
    one, other = (held(scores, thresholds, chunked=chunked) for scores in (first, second))
    return {name: _difference(one[name], other[name], is_same) for name in one if name in other}


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
