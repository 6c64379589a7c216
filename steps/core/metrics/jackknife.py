"""Leaving out one subject at a time: how much a statistic depends on who was there.

Trials of one subject resemble each other, so a subject is left out with all its trials (the cluster jackknife; Miller
1974, "The jackknife: a review", Biometrika 61:1-15; for the area under a ROC curve its variance is that of Obuchowski
1997, Biometrics 53:567-578, up to terms that vanish with the number of subjects).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steps.core.metrics.sample import Array


def leave_one_out(subjects: int) -> Array:
    """Weights of everybody, then of everybody but one, shape ``(1 + subjects, subjects)``."""
    return np.vstack([np.ones((1, subjects)), 1.0 - np.eye(subjects)])


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """A statistic, and what it is without each subject.

    Attributes:
        value: of everybody.
        left_out: without each subject, shape ``(subjects,)``.
    """

    value: float
    left_out: Array

    @classmethod
    def of(cls, values: Array) -> Jackknifed:
        """From a statistic under the weights of `leave_one_out`, shape ``(1 + subjects,)``."""
        return cls(float(values[0]), values[1:])

    @property
    def subjects(self) -> int:
        """How many there are."""
        return len(self.left_out)

    @property
    def standard_error(self) -> float:
        """The jackknife's; NaN where the statistic is undefined without somebody."""
        spread = ((self.left_out - self.left_out.mean()) ** 2).sum()
        return float(np.sqrt((self.subjects - 1) / self.subjects * spread))
