"""The class that most training subjects have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset


def majority(training: Dataset, trials: int, *, tested_subjects: int) -> npt.NDArray[np.float64]:
    """1 where most training subjects are positive, 0 where most are negative, else 0.5; shape ``(trials,)``.

    A lead no larger than the number of subjects left out counts as none. Without that rule the baseline of a balanced
    study would be wrong every time: leaving out a positive subject makes the negatives the majority (Parker, Günter &
    Bedo 2007, BMC Bioinformatics 8:326).

    Args:
        training: trials of the fold's training subjects; one with trials of both classes counts in each.
        trials: number of test trials.
        tested_subjects: number of subjects the fold leaves out.
    """
    positive = len(np.unique(training.subjects[training.labels == 1]))
    lead = positive - len(np.unique(training.subjects[training.labels == 0]))
    vote = 0.5 if abs(lead) <= tested_subjects else float(lead > 0)
    return np.full(trials, vote)
