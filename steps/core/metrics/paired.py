"""Differences between two sets of predictions of the same trials, with intervals from the same resampled subjects.

Both are judged on the same subjects, so what makes a subject easy or hard for both cancels in the difference: its
interval is narrower than two separate intervals suggest, and it is the one to read (the paired cluster bootstrap;
Efron & Tibshirani 1993, *An Introduction to the Bootstrap*, chapters 8 and 13; Field & Welsh 2007, J. R. Stat. Soc. B
69:369-390).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from steps.core.metrics.bootstrap import point_values, resampled_statistics, with_interval
from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.names import Estimate
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array


def paired_differences(
    first: Scores,
    second: Scores,
    weights: Array,
    thresholds: Sequence[float],
    *,
    chunked: Chunked = AT_ONCE,
) -> dict[str, Estimate]:
    """Every statistic of ``first`` minus that of ``second``, with percentile intervals.

    Args:
        first: probabilities of trials, or of subjects.
        second: other probabilities of the same, in the same order.
        weights: from `steps.core.metrics.bootstrap.resample_weights`, shape ``(resamples, subjects)``; each row is
            applied to both.
        thresholds: decision thresholds.
        chunked: where to work, and on how many resamples at a time.

    Returns:
        An estimate per statistic that both define, named as by `steps.core.metrics.bootstrap.statistics`. Resamples in
        which one is undefined are left out; with a single subject there are no intervals.

    Raises:
        ValueError: the two are not about the same trials or subjects.
    """
    if not (np.array_equal(first.subjects, second.subjects) and np.array_equal(first.labels, second.labels)):
        raise ValueError("paired differences need the same subjects and labels in the same order")
    one, other = point_values(first, thresholds), point_values(second, thresholds)
    drawn = [resampled_statistics(scores, weights, thresholds, chunked) for scores in (first, second)]
    return {
        name: with_interval(one[name] - other[name], drawn[0][name] - drawn[1][name], weights)
        for name in one
        if name in other
    }
