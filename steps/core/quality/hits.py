"""What detectors give back, and what is usual in a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Hit:
    """A fault in one trial.

    Attributes:
        kind: a row of `steps.core.quality.finding.KINDS`.
        trial: number of the trial.
        features: numbers of the features; swapped ones are a pair.
        severity: a number, as the kind has it.
        share: of the trial's samples, how many are affected.
        sentence: what was found, in plain words.
        at: first and last time point concerned; None for all.
    """

    kind: str
    trial: int
    features: tuple[int, ...]
    severity: float
    share: float
    sentence: str
    at: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class People:
    """Whose the trials are.

    Attributes:
        codes: number of the subject of each trial, shape ``(trials,)``, ascending.
        first: the first trial of each subject, shape ``(subjects,)``.
        counts: trials of each subject, shape ``(subjects,)``.
    """

    codes: Rows
    first: Rows
    counts: Rows

    @classmethod
    def of(cls, subjects: npt.NDArray[np.str_]) -> People:
        """From the subject of each trial, in canonical order."""
        _, first, codes, counts = np.unique(subjects, return_index=True, return_inverse=True, return_counts=True)
        return cls(codes.astype(np.intp), first.astype(np.intp), counts.astype(np.intp))

    def usual(self, values: Doubles) -> Doubles:
        """What nine in ten trials of an ordinary subject do not exceed.

        The median over subjects, the lower one of two, of each subject's 90% quantile: a single subject does not
        move it, however many faulty trials it has.

        Args:
            values: a number per trial and column, shape ``(trials, columns)``.

        Returns:
            Shape ``(columns,)``.
        """
        ninth = self.first + np.floor(0.9 * (self.counts - 1)).astype(np.intp)
        of_subjects: Doubles = np.quantile(self._ranked(values)[ninth], 0.5, axis=0, method="lower")
        return of_subjects

    def middle(self, values: Doubles) -> Doubles:
        """The median of each subject's trials.

        Args:
            values: shape ``(trials, columns)``.

        Returns:
            Shape ``(subjects, columns)``.
        """
        ranked = self._ranked(values)
        low, high = self.first + (self.counts - 1) // 2, self.first + self.counts // 2
        medians: Doubles = (ranked[low] + ranked[high]) / 2
        return medians

    def means(self, values: Doubles) -> Doubles:
        """The mean of each subject's trials; ``values (trials, ...)`` become ``(subjects, ...)``."""
        sums = np.add.reduceat(values, self.first, axis=0)
        means: Doubles = sums / self.counts.reshape(-1, *([1] * (values.ndim - 1)))
        return means

    def _ranked(self, values: Doubles) -> Doubles:
        """``values (trials, columns)`` with each column sorted within each subject."""
        by_value = np.argsort(values, axis=0, kind="stable")
        by_subject = np.argsort(self.codes[by_value], axis=0, kind="stable")
        ranked: Doubles = np.take_along_axis(values, np.take_along_axis(by_value, by_subject, axis=0), axis=0)
        return ranked


def longest_run(mask: Bools) -> tuple[Rows, Rows]:
    """The longest run of true entries in each row of ``mask (rows, n)``: its length and its last index."""
    places = np.arange(mask.shape[1])
    runs = places - np.maximum.accumulate(np.where(mask, -1, places), axis=1)
    last = runs.argmax(axis=1)
    return np.take_along_axis(runs, last[:, np.newaxis], axis=1)[:, 0], last
