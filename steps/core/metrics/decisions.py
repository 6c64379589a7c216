"""Yes-or-no decisions: at the declared thresholds, at the one chosen in the fold, and by majority vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.names import IN_FOLD, Rule, vote_column
from steps.core.metrics.predictions import Scores, subject_scores, trial_scores

Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def thresholds_of(scores: Scores, thresholds: Sequence[float]) -> dict[Rule, Array]:
    """The threshold that each entry of ``scores`` is decided by, shape ``(n,)``, under every rule.

    The rules are the declared thresholds, and `IN_FOLD` where the scores have a threshold of their fold.
    """
    count = len(scores.labels)
    rules: dict[Rule, Array] = {threshold: np.full(count, float(threshold)) for threshold in thresholds}
    if scores.in_fold is not None:
        rules[IN_FOLD] = scores.in_fold
    return rules


def decisions(scores: Scores, thresholds: Sequence[float]) -> dict[Rule, Bools]:
    """Positive where ``probability >= threshold``, shape ``(n,)``, under every rule of `thresholds_of`."""
    return {rule: scores.probabilities >= applied for rule, applied in thresholds_of(scores, thresholds).items()}


def votes(trials: Scores, subjects: Scores, thresholds: Sequence[float]) -> dict[Rule, Bools]:
    """What the majority of a subject's trials is decided to be, shape ``(subjects,)``, under every rule.

    Where the trials are split evenly the subject's mean probability decides, at the same threshold.

    Args:
        trials: one probability per trial.
        subjects: the same trials by subject (and label), in the order of the result.
        thresholds: the declared ones.
    """
    rows = rows_of(trials, subjects)
    sizes = np.bincount(rows, minlength=len(subjects.labels))
    by_mean = decisions(subjects, thresholds)
    return {
        rule: majority(np.bincount(rows, weights=decided, minlength=len(sizes)), sizes, by_mean[rule])
        for rule, decided in decisions(trials, thresholds).items()
    }


def majority(
    positive: npt.NDArray[np.floating | np.integer], count: npt.NDArray[np.integer], otherwise: Bools
) -> Bools:
    """Whether more than half of ``count`` is ``positive``; ``otherwise`` where exactly half is."""
    return np.where(2 * positive == count, otherwise, 2 * positive > count)


def rows_of(trials: Scores, subjects: Scores) -> npt.NDArray[np.intp]:
    """The index into ``subjects`` of each trial, shape ``(trials,)``."""
    position: Mapping[tuple[str, int], int] = {
        (str(name), int(label)): row
        for row, (name, label) in enumerate(zip(subjects.subjects, subjects.labels, strict=True))
    }
    keys = zip(trials.subjects, trials.labels, strict=True)
    return np.array([position[str(name), int(label)] for name, label in keys], dtype=np.intp)


def with_votes(subjects: pd.DataFrame, results: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """A subjects table with a column ``vote_0.5`` and so on, 1 or 0, per declared threshold.

    Args:
        subjects: from `steps.core.metrics.predictions.subjects_table`.
        results: the table it was made from.
        thresholds: the declared ones.
    """
    voted = votes(trial_scores(results), subject_scores(results), thresholds)
    columns = {vote_column(threshold): voted[threshold].astype(np.int8) for threshold in thresholds}
    return subjects.assign(**columns)
