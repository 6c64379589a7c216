"""From attributions of trials to the importance of features, over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from steps.dataset import Floats, PlantedTruth


@dataclass(frozen=True, eq=False)
class FoldMap:
    """Attributions of one fold, averaged over its trials.

    Attributes:
        absolute: mean absolute attribution, float64, shape ``(timesteps, features)``.
        signed: mean attribution, float64, shape ``(timesteps, features)``; positive raises the target's
            probability.
    """

    absolute: npt.NDArray[np.float64]
    signed: npt.NDArray[np.float64]


def fold_map(attributions: Floats) -> FoldMap:
    """The maps of a fold from attributions of shape ``(trials, timesteps, features)``.

    Raises:
        ValueError: there are no trials.
    """
    if not len(attributions):
        raise ValueError("the fold has no attributed trials")
    if not np.isfinite(attributions).all():
        raise ValueError("attributions are not finite; the model's output is not a number")
    return FoldMap(
        absolute=np.abs(attributions).mean(axis=0, dtype=np.float64),
        signed=attributions.mean(axis=0, dtype=np.float64),
    )


def feature_importance(fold_maps: Sequence[FoldMap], features: Sequence[str]) -> pd.DataFrame:
    """Mean absolute attribution of each feature, every fold counting the same.

    Args:
        fold_maps: one per fold (and test number), at least one.
        features: names, in the order of the maps.

    Returns:
        A row per feature, sorted by rank: ``feature``; ``importance``, mean over folds of the mean over
        trials and time points, in probability per time point; ``sd`` over folds (sample standard deviation,
        NaN with one fold); ``rank``, 1 = most important, ties in the order of ``features``.
    """
    per_fold = np.stack([one.absolute.mean(axis=0) for one in fold_maps])
    spread = per_fold.std(axis=0, ddof=1) if len(per_fold) > 1 else np.full(len(features), np.nan)
    table = pd.DataFrame({"feature": list(features), "importance": per_fold.mean(axis=0), "sd": spread})
    table = table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    return table.assign(rank=np.arange(1, len(table) + 1))


def attribution_map(
    fold_maps: Sequence[FoldMap], features: Sequence[str], time: Sequence[float], *, signed: bool = False
) -> pd.DataFrame:
    """Mean attribution of each feature at each time point, every fold counting the same.

    Args:
        fold_maps: one per fold (and test number), at least one.
        features: names, in the order of the maps.
        time: the time axis; its values name the columns, ``12.5`` or ``3``.
        signed: the mean attribution instead of its mean magnitude.

    Returns:
        A row per feature, in the order of ``features``: ``feature``, then a column per time point, in
        probability.
    """
    mean = np.mean([one.signed if signed else one.absolute for one in fold_maps], axis=0)
    table = pd.DataFrame(mean.T, columns=[str(float(point)).removesuffix(".0") for point in time])
    table.insert(0, "feature", list(features))
    return table


def planted_truth_auc(importance: pd.DataFrame, truth: PlantedTruth) -> float | None:
    """How well importance finds the features a simulated study changed: ROC AUC, 1 = all of them on top.

    None where it is undefined, because all or none of the features were changed.

    Args:
        importance: columns ``feature`` and ``importance``.
        truth: what was changed.
    """
    planted = importance["feature"].isin(list(truth.windows))
    if planted.nunique() != 2:
        return None
    return float(roc_auc_score(planted, importance["importance"]))
