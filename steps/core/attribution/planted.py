"""Does the attribution find what a simulated study changed?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from steps.core.data.manifest import PlantedTruth

Array = npt.NDArray[np.float64]


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
        importance: from `steps.core.attribution.importance.feature_importance`.
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
        inside, sizes = mask[:, column], absolute[:, column]
        total = sizes.sum()
        rows.append(
            {
                "feature": name,
                "first": time[first],
                "last": time[last],
                "rank": int(ranks[name]),
                "window_auc": float(roc_auc_score(inside, sizes)) if inside.any() and not inside.all() else np.nan,
                "window_share": float(sizes[inside].sum() / total) if total > 0 else np.nan,
                "window_length": float(inside.mean()),
            }
        )
    return pd.DataFrame(rows).sort_values("rank", kind="stable", ignore_index=True)


def planted_metrics(
    absolute: Array, table: pd.DataFrame, truth: PlantedTruth, features: Sequence[str]
) -> dict[str, float]:
    """Agreement with the truth, as metrics; what is undefined is absent.

    ``planted_truth_auc`` over features and ``planted_cells_auc`` over features x time points;
    ``planted_features_recall`` and ``planted_cells_recall``, the share of what was changed that is among the top k,
    where k is how many were changed (by chance k of all, given as ``planted_features_share`` and
    ``planted_cells_share``); ``planted_window_auc``, the mean over changed features. Without intervals: resampled
    means are noisier than the mean itself, so that their AUC is lower and a percentile interval need not hold it.

    Args:
        absolute: mean absolute attribution, shape ``(timesteps, features)``.
        table: from `planted_table`.
        truth: what was changed.
        features: names in the order of ``absolute``.
    """
    cells = planted_cells(truth, features, len(absolute))
    of_features = np.array([name in truth.windows for name in features])
    metrics: dict[str, float] = {}
    for name, auc_name, mask, values in (
        ("features", "planted_truth_auc", of_features, absolute.mean(axis=0)),
        ("cells", "planted_cells_auc", cells.ravel(), absolute.ravel()),
    ):
        if mask.all() or not mask.any():
            continue
        metrics[auc_name] = float(roc_auc_score(mask, values))
        metrics[f"planted_{name}_recall"] = top_recall(values, mask)
        metrics[f"planted_{name}_share"] = float(mask.mean())
    if table["window_auc"].notna().any():
        metrics["planted_window_auc"] = float(table["window_auc"].mean())
    return metrics


def top_recall(values: Array, mask: npt.NDArray[np.bool_]) -> float:
    """Share of the ``k`` marked entries that are among the ``k`` largest values; ties in their order."""
    top = np.argsort(-values, kind="stable")[: mask.sum()]
    return float(mask[top].mean())
