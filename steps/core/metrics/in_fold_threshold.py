"""A threshold chosen inside each training fold; the held-out subjects play no part.

Where the network leaves out training subjects, it is chosen on them, each predicted by heads fitted without them.
Otherwise it is chosen on the fold's validation subjects, with the fold's own model. These have a part in the training
as well: they stopped it and lowered its learning rate. So their probabilities are a little better than those of new
people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Ints, Strings

Source = Literal["left_out", "validation", "one_class", "no_validation", "no_better_than_chance"]
CHOSEN: tuple[Source, Source] = ("left_out", "validation")
DECIDING = {"left_out": "left-out training subjects", "validation": "validation subjects"}


@dataclass(frozen=True)
class FoldThreshold:
    """The threshold of one fold and test number.

    Attributes:
        threshold: a trial is predicted positive where ``probability >= threshold``.
        youden_j: sensitivity + specificity − 1 of the deciding subjects there; None where none was chosen.
        source: who decided: ``left_out`` training subjects, or ``validation`` subjects; or why the fallback had to do:
            ``no_validation`` subjects, ``one_class`` among them, or ``no_better_than_chance``: no threshold separates
            them.
        deciding_subjects: how many subjects decided.
        deciding_trials: how many trials they have.
    """

    threshold: float
    youden_j: float | None
    source: Source
    deciding_subjects: int
    deciding_trials: int


def choose_threshold(
    labels: Ints,
    subjects: Strings,
    probabilities: npt.NDArray[np.floating],
    fallback: float,
    source: Literal["left_out", "validation"] = "validation",
) -> FoldThreshold:
    """The threshold with the largest Youden's J on a fold's deciding subjects (Youden 1950, Cancer 3:32-35).

    Every subject counts the same within a class, however many trials it has. Candidates lie midway between adjacent
    probabilities; of several as good, the one nearest to 0.5 is taken.

    Args:
        labels: of the trials of the deciding subjects, none or more; shape ``(trials,)``.
        subjects: whose they are, shape ``(trials,)``.
        probabilities: of the positive class, shape ``(trials,)``.
        fallback: the threshold to use where these subjects cannot choose one.
        source: who they are.
    """
    people, trials = len(np.unique(subjects)), len(labels)

    def without(reason: Source) -> FoldThreshold:
        return FoldThreshold(fallback, None, reason, people, trials)

    if not trials:
        return without("no_validation")
    if len(np.unique(labels)) < 2:
        return without("one_class")
    from sklearn.metrics import roc_curve  # takes a second to import

    false_positives, true_positives, descending = roc_curve(
        labels, probabilities, sample_weight=_equal_subjects(labels, subjects), drop_intermediate=False
    )
    # roc_curve begins with a threshold above all and ends with the lowest probability: there everyone is positive.
    candidates = (descending[1:-1] + descending[2:]) / 2
    gains = (true_positives - false_positives)[1:-1]
    if not len(gains) or gains.max() <= 1e-9:
        return without("no_better_than_chance")
    best = candidates[gains >= gains.max() - 1e-9]
    threshold = float(best[np.argmin(np.abs(best - 0.5))])
    return FoldThreshold(threshold, float(gains.max()), source, people, trials)


def _equal_subjects(labels: Ints, subjects: Strings) -> npt.NDArray[np.float64]:
    """A weight per trial; those of a subject's trials of one class sum to 1."""
    keys = np.char.add(labels.astype(str), np.char.add("/", subjects.astype(str)))
    _, rows, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[rows])


def in_fold_table(folds: Iterable[tuple[str, int, Sequence[str], FoldThreshold]]) -> pd.DataFrame:
    """The chosen thresholds as a table: a row per test subject and test number.

    Args:
        folds: name, test number, test subjects and threshold of each.

    Returns:
        ``subject``, ``test_number``, ``fold``, ``threshold``, ``youden_j`` (missing where none was chosen),
        ``source``, ``deciding_subjects``, ``deciding_trials``.
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
        ``rule``, ``decided_by`` (``left_out`` or ``validation``), ``folds``, ``fallback_folds`` and their ``fallback``
        threshold (None without any), and over the folds that chose: ``mean``, ``sd`` (sample standard deviation, None
        for one), ``min``, ``median``, ``max``, and ``youden_j_mean``.
    """
    folds = table.drop_duplicates(["fold", "test_number"])
    chosen = folds[folds["source"].isin(CHOSEN)]
    if chosen.empty:
        return None
    others = folds[~folds["source"].isin(CHOSEN)]
    values, decided_by = chosen["threshold"], str(chosen["source"].iloc[0])
    return {
        "rule": f"largest Youden's J on the {DECIDING[decided_by]} of the fold",
        "decided_by": decided_by,
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
