"""Every figure of an attribution, drawn from its tables: by the step, and again by the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from steps.core.data.manifest import PlantedTruth
from steps.core.figures.attribution_curves import deletion_insertion, timeline
from steps.core.figures.bars import bars, outcome_bars
from steps.core.figures.heatmap import heatmap


def all_figures(
    tables: Mapping[str, pd.DataFrame],
    time: Sequence[float],
    *,
    time_unit: str = "sample",
    label_names: Sequence[str] = ("0", "1"),
    truth: PlantedTruth | None = None,
    metrics: Mapping[str, float] | None = None,
) -> dict[str, Figure]:
    """The figures by name, in reading order; those whose table is not there are left out.

    Args:
        tables: by the name of their file: ``feature_importance`` and ``attribution_map``, and where there are any
            ``class_trajectories``, ``time_importance``, ``importance_by_outcome``, ``deletion_insertion``.
        time: the time axis.
        time_unit: its unit.
        label_names: names of class 0 and class 1.
        truth: what a simulated study changed.
        metrics: of the attribution.
    """
    importance, absolute = tables["feature_importance"], tables["attribution_map"]
    figures = {
        "feature_importance": bars(importance, truth=truth),
        "attribution_map": heatmap(
            absolute.drop(columns="feature").to_numpy(np.float64),
            [str(name) for name in absolute["feature"]],
            time,
            time_unit=time_unit,
            truth=truth,
            trajectories=tables.get("class_trajectories"),
            label_names=label_names,
        ),
    }
    if "time_importance" in tables:
        figures["time_importance"] = timeline(tables["time_importance"], time_unit=time_unit, truth=truth)
    if "importance_by_outcome" in tables:
        figures["importance_by_outcome"] = outcome_bars(tables["importance_by_outcome"], importance)
    if "deletion_insertion" in tables:
        figures["deletion_insertion"] = deletion_insertion(tables["deletion_insertion"], metrics)
    return figures
