"""How good predictions would be if their probabilities were right: an estimate that needs no labels.

Kivimäki et al. (2023, *arXiv:2302.13319*) and others call it confidence-based. It sees what makes people harder to tell
apart; where probabilities are wrong, as for people unlike those of the training, it is wrong with them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]


def expected_accuracy(predictions: pd.DataFrame) -> float:
    """The share of trials that would be decided rightly, every subject counting the same.

    Args:
        predictions: a row per trial: ``subject``, ``probability``, ``decision``.
    """
    right = np.where(predictions["decision"] == 1, predictions["probability"], 1 - predictions["probability"])
    return float(pd.Series(right).groupby(predictions["subject"].to_numpy()).mean().mean())


def expected_auc(predictions: pd.DataFrame) -> float | None:
    """The AUC over trials that would result, every subject counting the same; None where nothing can be told apart.

    The probability that of two trials, of which one is of each class, that one has the larger probability; how likely
    each pair is of which classes, their probabilities say.

    Args:
        predictions: as `expected_accuracy` takes them.
    """
    sizes = predictions.groupby("subject")["probability"].transform("size").to_numpy()
    weights, p = 1.0 / sizes, predictions["probability"].to_numpy(np.float64)
    order = np.argsort(p, kind="stable")
    p, positive, negative = p[order], (weights * predictions["probability"].to_numpy())[order], weights[order]
    negative = negative - positive
    total = positive.sum() * negative.sum() - (positive * negative).sum()
    if total <= 0:
        return None
    _, starts, at = np.unique(p, return_index=True, return_inverse=True)
    below = np.concatenate([[0.0], np.cumsum(negative)])[starts][at]
    equal = np.add.reduceat(negative, starts)[at] - negative  # a trial is not compared with itself
    return float((positive * (below + equal / 2)).sum() / total)
