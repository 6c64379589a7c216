"""Means over folds with intervals from resampled subjects.

Every fold counts the same in a mean, whatever its number of trials. Subjects are what is drawn, with replacement and
with all their trials and test numbers (the cluster bootstrap; Field & Welsh 2007, J. R. Stat. Soc. B 69:369-390); the
intervals are percentiles (Efron & Tibshirani 1993, chapter 13). The models are taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RESAMPLES = 2000
CONFIDENCE = 0.95
ELEMENTS = 2_000_000  # per temporary array, 16 MB


@dataclass(frozen=True, eq=False)
class Rows:
    """What a mean is taken of: one row per fold and subject in it.

    Attributes:
        subjects: name of each row's subject, shape ``(rows,)``.
        folds: number of each row's fold, shape ``(rows,)``.
        trials: trials behind each row, at least 1, shape ``(rows,)``.
    """

    subjects: npt.NDArray[np.str_]
    folds: npt.NDArray[np.intp]
    trials: npt.NDArray[np.int64]

    def point(self) -> Array:
        """The weight of each row in the mean itself, shape ``(1, rows)``."""
        return self._weights(np.ones((1, len(np.unique(self.subjects)))))

    def resamples(self, seed: int, count: int = RESAMPLES) -> Array:
        """The weights of each row in the means of resamples, shape ``(resamples, rows)``; none with one subject."""
        subjects = len(np.unique(self.subjects))
        if subjects < 2:
            return np.zeros((0, len(self.subjects)))
        generator = np.random.default_rng(seed)
        return self._weights(generator.multinomial(subjects, np.full(subjects, 1 / subjects), size=count))

    def _weights(self, drawn: npt.NDArray[np.floating | np.integer]) -> Array:
        """Row weights that sum to one, from how often each subject is drawn, shape ``(resamples, subjects)``.

        Within a fold subjects weigh by their trials; a fold weighs by the share of its subjects that were drawn.
        """
        _, subject = np.unique(self.subjects, return_inverse=True)
        _, fold = np.unique(self.folds, return_inverse=True)
        member = np.zeros((len(subject), int(fold.max()) + 1))
        member[np.arange(len(fold)), fold] = 1.0
        times = drawn[:, subject].astype(np.float64)
        trials = times * self.trials
        inside = trials @ member
        share = np.divide(trials, inside[:, fold], out=np.zeros_like(trials), where=inside[:, fold] > 0)
        of_fold = (times @ member) / member.sum(axis=0)
        weights: Array = share * of_fold[:, fold]
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Means with their intervals, each of shape ``(quantities,)``; bounds are NaN where there is a single subject."""

    value: Array
    low: Array
    high: Array

    def only(self) -> dict[str, float]:
        """The only quantity as ``{value, low, high}``, without bounds where there are none."""
        parts = {"value": self.value, "low": self.low, "high": self.high}
        return {part: float(number) for part, (number,) in parts.items() if np.isfinite(number)}


def estimate(
    rows: Rows, values: Array, seed: int, resamples: int = RESAMPLES, *, elements: int = ELEMENTS
) -> Estimates:
    """Means over folds of quantities, with 95% intervals.

    Args:
        rows: what the means are taken of.
        values: shape ``(rows, quantities)``.
        seed: of the bootstrap.
        resamples: of the subjects.
        elements: how many numbers a temporary array may hold.
    """
    value = (rows.point() @ values)[0]
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    weights = rows.resamples(seed, resamples)
    if len(weights):
        for part, means in _blocks(weights, values, elements):
            low[part], high[part] = bounds(means)
    return Estimates(value, low, high)


def bounds(resampled: Array) -> tuple[Array, Array]:
    """Percentile interval over the first axis."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return low, high


def _blocks(weights: Array, values: Array, elements: int) -> Iterator[tuple[slice, Array]]:
    """Resampled means, some columns at a time to bound the memory."""
    size = max(1, elements // len(weights))
    for start in range(0, values.shape[1], size):
        part = slice(start, start + size)
        yield part, weights @ values[:, part]


def subject_rows(folds: Sequence[npt.NDArray[np.str_]]) -> Rows:
    """The rows of folds whose trials have these subjects; within a fold in the order of their names."""
    subjects, fold, trials = [], [], []
    for number, names in enumerate(folds):
        distinct, counts = np.unique(names, return_counts=True)
        subjects.append(distinct)
        fold.append(np.full(len(distinct), number))
        trials.append(counts)
    return Rows(np.concatenate(subjects), np.concatenate(fold), np.concatenate(trials))


def subject_means(subjects: npt.NDArray[np.str_], values: npt.NDArray[np.floating]) -> Array:
    """Means of each subject's trials, float64, a row per subject in the order of their names."""
    return np.stack(
        [values[subjects == name].mean(axis=0, dtype=np.float64) for name in np.unique(subjects)]
    )  # fmt: skip
