"""A threshold chosen inside each training fold, on its validation subjects, with the fold's own model.

The held-out subjects play no part. The validation subjects do a second time: they also stopped the training and
lowered its learning rate, so their probabilities are a little better than those of new people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Dataset

Source = Literal["validation", "one_class", "no_validation", "no_better_than_chance"]
CHOSEN: Source = "validation"


@dataclass(frozen=True)
class FoldThreshold:
    """The threshold of one fold and test number.

    Attributes:
        threshold: a trial is predicted positive where ``probability >= threshold``.
        youden_j: sensitivity + specificity − 1 of the validation subjects there; None where none was chosen.
        source: ``validation``, or why the fallback had to do: ``no_validation`` subjects, ``one_class`` among them,
            or ``no_better_than_chance``: no threshold separates them.
        validation_subjects: how many subjects decided.
        validation_trials: how many trials they have.
    """

    threshold: float
    youden_j: float | None
    source: Source
    validation_subjects: int
    validation_trials: int


def choose_threshold(validation: Dataset, probabilities: npt.NDArray[np.floating], fallback: float) -> FoldThreshold:
    """The threshold with the largest Youden's J on a fold's validation subjects (Youden 1950, Cancer 3:32-35).

    Every subject counts the same within a class, however many trials it has. Candidates lie midway between adjacent
    probabilities; of several as good, the one nearest to 0.5 is taken.

    Args:
        validation: the trials of the fold's validation subjects, none or more.
        probabilities: of the fold's own model, shape ``(trials,)``.
        fallback: the threshold to use where these subjects cannot choose one.
    """
    people, trials = len(np.unique(validation.subjects)), len(validation.labels)

    def without(source: Source) -> FoldThreshold:
        return FoldThreshold(fallback, None, source, people, trials)

    if not trials:
        return without("no_validation")
    if len(np.unique(validation.labels)) < 2:
        return without("one_class")
    from sklearn.metrics import roc_curve  # a second to import; whoever reads the results does without

    false_positives, true_positives, descending = roc_curve(
        validation.labels, probabilities, sample_weight=_equal_subjects(validation), drop_intermediate=False
    )
    # roc_curve begins with a threshold above all and ends with the lowest probability: there everyone is positive.
    candidates = (descending[1:-1] + descending[2:]) / 2
    gains = (true_positives - false_positives)[1:-1]
    if not len(gains) or gains.max() <= 1e-9:
        return without("no_better_than_chance")
    best = candidates[gains >= gains.max() - 1e-9]
    threshold = float(best[np.argmin(np.abs(best - 0.5))])
    return FoldThreshold(threshold, float(gains.max()), CHOSEN, people, trials)


def _equal_subjects(validation: Dataset) -> npt.NDArray[np.float64]:
    """A weight per trial; those of a subject's trials of one class sum to 1."""
    keys = np.char.add(validation.labels.astype(str), np.char.add("/", validation.subjects))
    _, rows, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[rows])


def in_fold_table(folds: Iterable[tuple[str, int, Sequence[str], FoldThreshold]]) -> pd.DataFrame:
    """The chosen thresholds as a table: a row per test subject and test number.

    Args:
        folds: name, test number, test subjects and threshold of each.

    Returns:
        ``subject``, ``test_number``, ``fold``, ``threshold``, ``youden_j`` (missing where none was chosen),
        ``source``, ``validation_subjects``, ``validation_trials``.
    """
    rows = [
        {"subject": subject, "test_number": number, "fold": name, **vars(chosen)}
        for name, number, subjects, chosen in folds
        for subject in subjects
    ]
    table = pd.DataFrame(rows).astype({"youden_j": np.float64})
    return table.sort_values(["test_number", "subject"], ignore_index=True)


def in_fold_summary(table: pd.DataFrame) -> dict[str, Any] | None:
    """How the chosen thresholds spread over folds and test numbers; None where no fold could choose one.

    Returns:
        ``rule``, ``folds``, ``fallback_folds`` and their ``fallback`` threshold (None without any), and over the
        folds that chose: ``mean``, ``sd`` (sample standard deviation, None for one), ``min``, ``median``, ``max``,
        and ``youden_j_mean``.
    """
    folds = table.drop_duplicates(["fold", "test_number"])
    chosen = folds[folds["source"] == CHOSEN]
    if chosen.empty:
        return None
    others = folds[folds["source"] != CHOSEN]
    values = chosen["threshold"]
    return {
        "rule": "largest Youden's J on the validation subjects of the fold",
        "folds": len(folds),
        "fallback_folds": len(others),
        "fallback": float(others["threshold"].iloc[0]) if len(others) else None,
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "min": float(values.min()),
        "median": float(values.median()),
        "max": float(values.max()),
        "youden_j_mean": float(chosen["youden_j"].mean()),
    }
