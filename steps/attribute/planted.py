"""Does the attribution find what a simulated study changed?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from steps.attribute.importance import FoldMap, map_rows
from steps.attribute.resampling import bounds
from steps.dataset import PlantedTruth

Array = npt.NDArray[np.float64]
_RESAMPLES = 500  # of the AUC over cells, which is sorted anew in each


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


def planted_cells(truth: PlantedTruth, features: Sequence[str], timesteps: int) -> npt.NDArray[np.bool_]:
    """The cells that were changed, bool, shape ``(timesteps, features)``."""
    mask = np.zeros((timesteps, len(features)), dtype=bool)
    for name, (first, last) in truth.windows.items():
        mask[first : last + 1, list(features).index(name)] = True
    return mask


def planted_table(
    absolute: Array, importance: pd.DataFrame, truth: PlantedTruth, features: Sequence[str], time: Sequence[float]
) -> pd.DataFrame:
    """What became of every feature that was changed.

    Args:
        absolute: mean absolute attribution, shape ``(timesteps, features)``.
        importance: from `steps.attribute.importance.feature_importance`.
        truth: what was changed.
        features: names in the order of ``absolute``.
        time: the time axis.

    Returns:
        ``feature``; ``first`` and ``last`` time of its window; its ``rank``; ``window_auc``, the probability that
        a time point of this feature inside its window is more important than one outside (NaN where the window is
        everything); ``window_share``, how much of its attribution lies inside, beside ``window_length``, the share
        of the time points that do.
    """
    ranks = importance.set_index("feature")["rank"]
    mask = planted_cells(truth, features, len(time))
    rows = []
    for name, (first, last) in truth.windows.items():
        column = list(features).index(name)
        inside, found = mask[:, column], absolute[:, column]
        total = found.sum()
        rows.append(
            {
                "feature": name,
                "first": time[first],
                "last": time[last],
                "rank": int(ranks[name]),
                "window_auc": float(roc_auc_score(inside, found)) if inside.any() and not inside.all() else np.nan,
                "window_share": float(found[inside].sum() / total) if total > 0 else np.nan,
                "window_length": float(inside.mean()),
            }
        )
    return pd.DataFrame(rows).sort_values("rank", kind="stable", ignore_index=True)


def planted_metrics(
    fold_maps: Sequence[FoldMap],
    importance: pd.DataFrame,
    table: pd.DataFrame,
    truth: PlantedTruth,
    features: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Agreement with the truth, as metrics; what is undefined is absent.

    ``planted_truth_auc`` over features and ``planted_cells_auc`` over features x time points, each with ``_low`` and
    ``_high`` over resampled subjects; ``planted_features_recall`` and ``planted_cells_recall``, the share of what was
    changed that is among the top k, where k is how many were changed (by chance: k of all, logged as
    ``planted_features_share`` and ``planted_cells_share``); ``planted_window_auc``, the mean over changed features.
    """
    cells = planted_cells(truth, features, fold_maps[0].subject_absolute.shape[1])
    of_features = np.array([name in truth.windows for name in features])
    rows = map_rows(fold_maps)
    maps = np.concatenate([one.subject_absolute for one in fold_maps])
    metrics: dict[str, float] = {}
    for name, auc_name, mask, values in (
        ("features", "planted_truth_auc", of_features, maps.mean(axis=1)),
        ("cells", "planted_cells_auc", cells.ravel(), maps.reshape(len(maps), -1)),
    ):
        if mask.all() or not mask.any():
            continue
        point = rows.point() @ values
        metrics[auc_name] = float(roc_auc_score(mask, point[0]))
        resampled = rows.resamples(seed, _RESAMPLES) @ values
        if len(resampled):
            low, high = bounds(_aucs(resampled, mask))
            metrics |= {f"{auc_name}_low": float(low), f"{auc_name}_high": float(high)}
        metrics[f"planted_{name}_recall"] = top_recall(point[0], mask)
        metrics[f"planted_{name}_share"] = float(mask.mean())
    if table["window_auc"].notna().any():
        metrics["planted_window_auc"] = float(table["window_auc"].mean())
    return metrics


def top_recall(values: Array, mask: npt.NDArray[np.bool_]) -> float:
    """Share of the ``k`` marked entries that are among the ``k`` largest values; ties in their order."""
    top = np.argsort(-values, kind="stable")[: mask.sum()]
    return float(mask[top].mean())


def _aucs(values: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """ROC AUC of every row, by the rank sum (Mann & Whitney 1947), ties counting a half."""
    ranks = rankdata(values, axis=1)
    marked, others = mask.sum(), (~mask).sum()
    aucs: Array = (ranks[:, mask].sum(axis=1) - marked * (marked + 1) / 2) / (marked * others)
    return aucs
