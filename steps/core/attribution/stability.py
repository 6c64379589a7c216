"""Do folds agree on the order of the features?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from steps.core.attribution.importance import FoldMap

MOST_PAIRS = 2000  # pairs of folds that are compared; of more, a seeded random sample


def rank_stability(fold_maps: Sequence[FoldMap], names: Sequence[tuple[str, int]]) -> pd.DataFrame:
    """Each fold's order of features against that of the mean of all others.

    Args:
        fold_maps: one per fold (and test number).
        names: fold and test number of each.

    Returns:
        ``fold``, ``test_number``, ``tau``: Kendall's tau-b of the two importances (Kendall 1945, Biometrika 33:239-251;
        1 = same order, 0 = unrelated, NaN where it is undefined).
    """
    per_fold = np.stack([one.absolute.mean(axis=0) for one in fold_maps])
    others = len(per_fold) - 1
    taus = [_tau(one, (per_fold.sum(axis=0) - one) / others) if others else np.nan for one in per_fold]
    return pd.DataFrame(
        {"fold": [name for name, _ in names], "test_number": [number for _, number in names], "tau": taus}
    )


def stability_metrics(fold_maps: Sequence[FoldMap], table: pd.DataFrame, *, seed: int = 0) -> dict[str, float]:
    """``rank_tau_pairwise`` (mean over pairs of folds), ``rank_tau_rest`` (mean) and ``rank_tau_rest_min``.

    Folds share most of their training subjects but test different people, so tau is lowered by both. What is
    undefined (one fold, one feature) is absent.
    """
    per_fold = np.stack([one.absolute.mean(axis=0) for one in fold_maps])
    pairs = list(combinations(range(len(per_fold)), 2))
    if len(pairs) > MOST_PAIRS:
        chosen = np.random.default_rng(seed).choice(len(pairs), MOST_PAIRS, replace=False)
        pairs = [pairs[i] for i in chosen]
    pairwise = np.array([_tau(per_fold[one], per_fold[other]) for one, other in pairs])
    rest = table["tau"].to_numpy(np.float64)
    metrics = {
        "rank_tau_pairwise": _mean(pairwise),
        "rank_tau_rest": _mean(rest),
        "rank_tau_rest_min": float(rest[np.isfinite(rest)].min()) if np.isfinite(rest).any() else np.nan,
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _tau(one: np.ndarray, other: np.ndarray) -> float:
    return float(kendalltau(one, other).statistic) if len(one) > 1 else np.nan


def _mean(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else np.nan
