"""Differences between two sets of predictions of the same trials, with intervals from the same resampled subjects.

Both are judged on the same subjects, so what makes a subject easy or hard for both cancels in the difference: its
interval is narrower than two separate intervals suggest, and it is the one to read (the paired cluster bootstrap;
Efron & Tibshirani 1993, *An Introduction to the Bootstrap*, chapters 8 and 13; Field & Welsh 2007, J. R. Stat. Soc. B
69:369-390).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.bootstrap import Estimate, estimates, point_values, resample_weights, resampled_statistics
from steps.core.metrics.chunks import Mapper, serial
from steps.core.metrics.predictions import Scores, subject_scores, trial_scores

__all__ = [
    "LEVELS",
    "Estimate",
    "Scores",
    "estimates",
    "levels_of",
    "paired_differences",
    "resample_weights",
    "subject_scores",
    "trial_scores",
]

LEVELS = ("pooled", "subject")
Weights = npt.NDArray[np.float64]


def levels_of(results: pd.DataFrame) -> dict[str, Scores]:
    """The probabilities of trials (``pooled``) and of subjects (``subject``), means over test numbers.

    Args:
        results: a row per trial and test number with ``subject``, ``trial``, ``label``, ``probability``.
    """
    return {"pooled": trial_scores(results), "subject": subject_scores(results)}


def paired_differences(
    first: Scores,
    second: Scores,
    weights: Weights,
    thresholds: Sequence[float],
    *,
    confidence: float = 0.95,
    mapper: Mapper = serial,
) -> dict[str, Estimate]:
    """Every statistic of ``first`` minus that of ``second``, with percentile intervals.

    Args:
        first: probabilities of trials, or of subjects.
        second: other probabilities of the same, in the same order.
        weights: from `resample_weights`, shape ``(resamples, subjects)``; each row is applied to both.
        thresholds: decision thresholds.
        confidence: of the intervals.
        mapper: where to work.

    Returns:
        An estimate per statistic that both define, named as by `steps.core.metrics.bootstrap.statistics`. Resamples in
        which one is undefined are left out; with a single subject there are no intervals.

    Raises:
        ValueError: the two are not about the same trials or subjects.
    """
    if not (np.array_equal(first.subjects, second.subjects) and np.array_equal(first.labels, second.labels)):
        raise ValueError("paired differences need the same subjects and labels in the same order")
    values = point_values(first, thresholds), point_values(second, thresholds)
    resampled = [resampled_statistics(scores, weights, thresholds, mapper) for scores in (first, second)]
    tail = 100 * (1 - confidence) / 2
    result: dict[str, Estimate] = {}
    for name in values[0]:
        if name not in values[1]:
            continue
        result[name] = {"value": values[0][name] - values[1][name]}
        differences = resampled[0][name] - resampled[1][name]
        defined = differences[np.isfinite(differences)]
        if weights.shape[1] > 1 and len(defined):
            low, high = np.percentile(defined, [tail, 100 - tail])
            result[name] |= {"low": float(low), "high": float(high)}
    return result
