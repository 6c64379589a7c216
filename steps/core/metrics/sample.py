"""What metrics are functions of: scores whose subjects are weighted, for all resamples at once.

A resample of subjects is a weight per subject: how often it is drawn. Sums over trials are linear in the weights, so
one product of matrices gives them for every resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from steps.core.metrics.decisions import Bools
from steps.core.metrics.predictions import Scores

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores under every resample of their subjects.

    Attributes:
        scores: the trials, or the subjects.
        weights: shape ``(resamples, subjects)``; columns in the order of ``np.unique(scores.subjects)``.
    """

    scores: Scores
    weights: Array

    @cached_property
    def codes(self) -> npt.NDArray[np.intp]:
        """The column of ``weights`` that each entry of the scores belongs to."""
        return np.unique(self.scores.subjects, return_inverse=True)[1]

    @cached_property
    def positive(self) -> Bools:
        """Whether each entry is of class 1."""
        return np.asarray(self.scores.labels == 1)

    def per_subject(self, amounts: npt.NDArray[np.floating | np.bool_]) -> Array:
        """Sums of ``amounts``, shape ``(n,)``, over the entries of each subject, shape ``(subjects,)``."""
        return np.bincount(self.codes, weights=amounts).astype(np.float64)

    def sums(self, amounts: npt.NDArray[np.floating | np.bool_]) -> Array:
        """Weighted sums of ``amounts``, shape ``(n,)``, in every resample, shape ``(resamples,)``."""
        return np.asarray(self.weights @ self.per_subject(amounts))

    @cached_property
    def total(self) -> Array:
        """Weighted number of entries, shape ``(resamples,)``."""
        return self.sums(np.ones(len(self.positive)))

    @cached_property
    def positives(self) -> Array:
        """Weighted number of entries of class 1, shape ``(resamples,)``."""
        return self.sums(self.positive)

    @cached_property
    def negatives(self) -> Array:
        """Weighted number of entries of class 0, shape ``(resamples,)``."""
        return self.total - self.positives

    def confusion(self, decided: Bools, threshold: float | None = None) -> Confusion:
        """What decisions of shape ``(n,)`` come to in every resample."""
        tp, fp = self.sums(decided & self.positive), self.sums(decided & ~self.positive)
        return Confusion(tp, fp, self.negatives - fp, self.positives - tp, threshold)

    def cumulative(self, rows: slice = slice(None)) -> tuple[Array, Array]:
        """True and false positives at every distinct probability, from the highest down.

        Args:
            rows: the resamples that are wanted.

        Returns:
            Two arrays of shape ``(resamples, distinct probabilities)``.
        """
        order = np.argsort(-self.scores.probabilities, kind="stable")
        descending = self.scores.probabilities[order]
        last_of_ties = np.append(np.flatnonzero(np.diff(descending)), len(order) - 1)
        entries = self.weights[rows][:, self.codes[order]]
        tp = np.cumsum(entries * self.positive[order], axis=1)[:, last_of_ties]
        return tp, np.cumsum(entries, axis=1)[:, last_of_ties] - tp


@dataclass(frozen=True, eq=False)
class Confusion:
    """Weighted counts of decisions in every resample, each of shape ``(resamples,)``.

    Attributes:
        tp: true positives.
        fp: false positives.
        tn: true negatives.
        fn: false negatives.
        threshold: the one that all were decided by; None where there is no single one: each fold chose its own, or
            trials voted.
    """

    tp: Array
    fp: Array
    tn: Array
    fn: Array
    threshold: float | None = None

    @property
    def positives(self) -> Array:
        """Entries of class 1."""
        return self.tp + self.fn

    @property
    def negatives(self) -> Array:
        """Entries of class 0."""
        return self.tn + self.fp

    @property
    def total(self) -> Array:
        """All entries."""
        return self.positives + self.negatives


def ratio(numerator: Array, denominator: Array, otherwise: float = np.nan) -> Array:
    """The quotient where the denominator is above 0."""
    result = np.full(denominator.shape, otherwise)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
