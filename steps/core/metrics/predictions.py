"""Results as tables: a row per trial and test number, a row per subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.names import POOLED, SUBJECT, prediction_column

if TYPE_CHECKING:  # the statistics need no dataset; `plugins` takes them without
    from steps.core.data.dataset import Dataset, Ints, Strings

_TRIAL_KEY = ["subject", "label", "trial"]


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What one fold's model predicted for its held-out trials.

    Attributes:
        test: the held-out trials.
        test_number: which repeat of the fold, 1 or more.
        probabilities: probability of class 1, shape ``(trials,)``, in the order of ``test``.
    """

    test: Dataset
    test_number: int
    probabilities: npt.NDArray[np.floating]

    def __post_init__(self) -> None:
        """Check that there is a probability for every trial."""
        if self.probabilities.shape != self.test.labels.shape:
            raise ValueError(f"probabilities have shape {self.probabilities.shape}, expected {self.test.labels.shape}")


@dataclass(frozen=True, eq=False)
class Scores:
    """Trials or subjects, each with one probability.

    Attributes:
        labels: 0 or 1, shape ``(n,)``.
        probabilities: probability of class 1, shape ``(n,)``.
        subjects: the subject each belongs to, shape ``(n,)``; a subject's entries are not independent.
        in_fold: the threshold that each one's fold chose, shape ``(n,)``; with several
            test numbers their mean, as of the probability. None where no fold chose one.
    """

    labels: Ints
    probabilities: npt.NDArray[np.float64]
    subjects: Strings
    in_fold: npt.NDArray[np.float64] | None = None

    @property
    def has_both_classes(self) -> bool:
        """Whether there are positives and negatives, as AUC and average precision need."""
        return len(np.unique(self.labels)) == 2


def results_table(folds: Iterable[FoldPrediction], thresholds: Sequence[float]) -> pd.DataFrame:
    """The predictions of all folds, sorted by test number, subject, trial and label.

    Returns:
        A row per trial and test number: ``subject``, ``trial``, ``label``, ``test_number``, ``probability``,
        and ``prediction_0.5`` and so on, one per threshold: 1 where ``probability >= threshold``, else 0.

    Raises:
        ValueError: there is no fold, or a trial is tested twice under one test number.
    """
    frames = [
        pd.DataFrame(
            {
                "subject": fold.test.subjects.astype(object),
                "trial": fold.test.trials.astype(object),
                "label": fold.test.labels,
                "test_number": fold.test_number,
                "probability": fold.probabilities.astype(np.float64),
            }
        )
        for fold in folds
    ]
    if not frames:
        raise ValueError("there are no folds to tabulate")
    table = pd.concat(frames).sort_values(["test_number", "subject", "trial", "label"], ignore_index=True)
    twice = table.duplicated([*_TRIAL_KEY, "test_number"])
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(
            f"trial {row['trial']!r} of subject {row['subject']!r} is tested twice "
            f"under test number {row['test_number']}"
        )
    return _with_predictions(table, thresholds)


def subjects_table(results: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """A row per subject, or per subject and label where a subject has trials of both classes.

    Args:
        results: from `results_table`.
        thresholds: decision thresholds.

    Returns:
        ``subject``, ``label``, ``trials`` (how many), ``probability`` (mean over trials of the mean over test
        numbers), and ``prediction_0.5`` and so on, one per threshold, of that mean probability.
        `steps.core.metrics.decisions.with_votes` adds the majority of the trials.
    """
    return _with_predictions(_by_subject(results), thresholds)


def trial_scores(results: pd.DataFrame, in_fold: pd.DataFrame | None = None) -> Scores:
    """One probability per trial: the mean over its test numbers.

    Args:
        results: a row per trial and test number: ``subject``, ``trial``, ``label``, ``test_number``, ``probability``.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`, where folds chose thresholds.
    """
    return _scores(_by_trial(results), results, in_fold)


def subject_scores(results: pd.DataFrame, in_fold: pd.DataFrame | None = None) -> Scores:
    """One probability per row of `subjects_table`; the arguments are those of `trial_scores`."""
    return _scores(_by_subject(results), results, in_fold)


def levels_of(results: pd.DataFrame, in_fold: pd.DataFrame | None = None) -> dict[str, Scores]:
    """The probabilities of trials (``pooled``) and of subjects (``subject``); the arguments of `trial_scores`."""
    return {POOLED: trial_scores(results, in_fold), SUBJECT: subject_scores(results, in_fold)}


def _by_trial(results: pd.DataFrame) -> pd.DataFrame:
    return results.groupby(_TRIAL_KEY, sort=True)["probability"].mean().reset_index()


def _by_subject(results: pd.DataFrame) -> pd.DataFrame:
    by_subject = _by_trial(results).groupby(["subject", "label"], sort=True)["probability"]
    return by_subject.agg(trials="size", probability="mean").reset_index()


def _with_predictions(table: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    predictions = {
        prediction_column(threshold): (table["probability"] >= threshold).astype(np.int8) for threshold in thresholds
    }
    return table.assign(**predictions)


def _scores(table: pd.DataFrame, results: pd.DataFrame, in_fold: pd.DataFrame | None) -> Scores:
    return Scores(
        labels=table["label"].to_numpy(np.int8),
        probabilities=table["probability"].to_numpy(np.float64),
        subjects=np.asarray(table["subject"].tolist(), dtype=np.str_),
        in_fold=None if in_fold is None else _own_thresholds(table["subject"], results, in_fold),
    )


def _own_thresholds(names: pd.Series, results: pd.DataFrame, in_fold: pd.DataFrame) -> npt.NDArray[np.float64]:
    """A subject's threshold is that of its fold; there is one per test number, and the mean counts."""
    tested = in_fold[in_fold["test_number"].isin(results["test_number"].unique())]
    by_subject = tested.groupby("subject")["threshold"].mean()
    own = names.map(by_subject).to_numpy(np.float64)
    if np.isnan(own).any():
        raise ValueError(f"subject {names[np.isnan(own)].iloc[0]!r} has no threshold of its fold")
    return own
