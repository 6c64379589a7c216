"""Calibration: do the probabilities agree with observed shares? Bins of equal width, their error and uncertainty."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from steps.core.metrics.names import CONFIDENCE
from steps.core.metrics.predictions import Scores

BINS = 10
Array = npt.NDArray[np.float64]


class ReliabilityBin(TypedDict):
    """One bin of a reliability diagram; `low` and `high` are the Wilson interval of `observed`."""

    start: float
    stop: float
    count: int
    subjects: int
    mean_probability: float
    observed: float
    low: float
    high: float


def bin_of(probabilities: npt.NDArray[np.floating], bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin of each probability: ``[0, 0.1)``, ... ``[0.9, 1]`` with ten."""
    return np.asarray(np.minimum(np.floor(probabilities * bins), bins - 1), dtype=np.intp)


def bin_gaps(scores: Scores, codes: npt.NDArray[np.intp], bins: int = BINS) -> Array:
    """Per subject and bin the sum of label − probability, shape ``(subjects, bins)``.

    The expected calibration error is the sum over bins of the absolute column sums, divided by the number of
    entries (Naeini, Cooper & Hauskrecht 2015, AAAI 29:2901-2907; Guo et al. 2017, ICML 70:1321-1330), and therefore
    linear in subjects up to the absolute value.

    Args:
        scores: the trials, or the subjects.
        codes: index of each entry's subject, shape ``(n,)``.
        bins: how many, of equal width.
    """
    cell = codes * bins + bin_of(scores.probabilities, bins)
    size = (int(codes.max()) + 1) * bins
    gaps: Array = np.bincount(cell, weights=(scores.labels == 1) - scores.probabilities, minlength=size).astype(
        np.float64
    )
    return gaps.reshape(-1, bins)


def wilson_interval(share: Array, count: Array) -> tuple[Array, Array]:
    """Interval of a share among ``count`` independent cases (Wilson 1927, J. Am. Stat. Assoc. 22:209-212).

    Unlike a bootstrap it has a width where all cases agree. ``share`` times ``count`` need not be whole.
    """
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def reliability(scores: Scores, *, bins: int = BINS) -> list[ReliabilityBin]:
    """The bins of a reliability diagram that hold anything, from the lowest probability up.

    Intervals count the *subjects* of a bin as its independent cases, not the trials: trials of one subject are alike.
    """
    filled: list[ReliabilityBin] = []
    which = bin_of(scores.probabilities, bins)
    for index in np.unique(which):
        mine = which == index
        people = len(np.unique(scores.subjects[mine]))
        observed = float((scores.labels[mine] == 1).mean())
        low, high = wilson_interval(np.array(observed), np.array(people))
        filled.append(
            {
                "start": float(index / bins),
                "stop": float((index + 1) / bins),
                "count": int(mine.sum()),
                "subjects": people,
                "mean_probability": float(scores.probabilities[mine].mean()),
                "observed": observed,
                "low": float(low),
                "high": float(high),
            }
        )
    return filled
