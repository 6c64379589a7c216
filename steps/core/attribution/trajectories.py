"""Mean trajectories of the two classes, to be looked at beside an attribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from steps.core.attribution.resampling import subject_means
from steps.core.data.dataset import Dataset

MOST_FEATURES = 24


def class_trajectories(tested: Dataset, features: Sequence[str]) -> pd.DataFrame:
    """Mean trajectory of each class, every subject counting the same.

    Args:
        tested: the held-out trials, each once.
        features: which, in this order; the first 24 are taken.

    Returns:
        A row per feature, class and time point: ``feature``, ``unit`` (empty where unknown), ``label``, ``time``,
        ``subjects`` (of that class), ``mean`` over subjects of their mean trajectory, and its ``sd`` between subjects
        (sample standard deviation, NaN with one), both in the unit of the feature.
    """
    columns = [tested.features.index(name) for name in features[:MOST_FEATURES]]
    tables = []
    for label in (0, 1):
        own = tested.labels == label
        if not own.any():
            continue
        means = subject_means(tested.subjects[own], tested.values[own][:, :, columns])
        spread = means.std(axis=0, ddof=1) if len(means) > 1 else np.full(means.shape[1:], np.nan)
        for place, column in enumerate(columns):
            name = tested.features[column]
            tables.append(
                pd.DataFrame(
                    {
                        "feature": name,
                        "unit": tested.units.get(name, ""),
                        "label": label,
                        "time": tested.time,
                        "subjects": len(means),
                        "mean": means.mean(axis=0)[:, place],
                        "sd": spread[:, place],
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)
