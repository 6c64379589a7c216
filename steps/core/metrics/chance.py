"""What guessing would reach with so few cases (Combrisson & Jerbi 2015, J. Neurosci. Methods 250:126-136)."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from scipy.stats import binom

ALPHA = 0.05


class ChanceLevel(TypedDict):
    """What must be *exceeded* to be better than guessing, if the cases were independent.

    Attributes:
        cases: how many there are.
        accuracy: against always naming the more frequent class; with equally many of both that is a coin.
        balanced_accuracy: against tossing a coin.
    """

    cases: int
    accuracy: float
    balanced_accuracy: float


def chance_level(positives: int, negatives: int, alpha: float = ALPHA) -> ChanceLevel:
    """The accuracy and balanced accuracy that guesses stay at or below with probability ``1 − alpha``.

    Cases are taken to be independent and the guesses too: for trials of the same subjects that is too lenient.

    Args:
        positives: how many cases of class 1, at least one.
        negatives: of class 0, at least one.
        alpha: share of the guesses that may do better.
    """
    cases = positives + negatives
    rate = max(positives, negatives) / cases
    return {
        "cases": cases,
        "accuracy": float(binom.ppf(1 - alpha, cases, rate) / cases),
        "balanced_accuracy": _balanced(positives, negatives, alpha),
    }


def _balanced(positives: int, negatives: int, alpha: float) -> float:
    """Quantile of the mean of two shares of fair coins, from their exact joint distribution."""
    hits, rejections = _likely(positives), _likely(negatives)
    reached = np.add.outer(hits / positives, rejections / negatives).ravel() / 2
    weight = np.multiply.outer(binom.pmf(hits, positives, 0.5), binom.pmf(rejections, negatives, 0.5)).ravel()
    order = np.argsort(reached, kind="stable")
    # Values that rounding alone tells apart are one value.
    start = np.unique(reached[order].round(12), return_index=True)[1]
    below = np.cumsum(np.add.reduceat(weight[order], start))
    return float(reached[order][start[np.searchsorted(below, 1 - alpha - 1e-12)]])


def _likely(tosses: int) -> np.ndarray:
    """The numbers of heads that are worth counting; the others have a probability below 1e-12 together."""
    return np.arange(binom.ppf(5e-13, tosses, 0.5), binom.isf(5e-13, tosses, 0.5) + 1)
