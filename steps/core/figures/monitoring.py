"""How batches of new people have gone, one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steps.core.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION, paper, style

_TICKS = 30  # more names find no room
_NAME = 8


def trend(batches: pd.DataFrame, level: float) -> Figure:
    """Three panels over batches: p values of drift, what the model said, how good it was or may be.

    Args:
        batches: of `steps.core.drift.monitoring.Monitored`, the training in the first row.
        level: of an alarm.
    """
    training, later = batches.iloc[0], batches.iloc[1:]
    places = np.arange(1, len(later) + 1)
    figure = paper(max(6.4, min(0.28 * len(later), 14.0)), 7.2)
    drift, said, quality = figure.subplots(3, 1, sharex=True)
    for axes in (drift, said, quality):
        style(axes, grid="y")
    _lines(drift, places, later, {"p_training": ("against the training", BLUE, "o-"),
                                  "p_earlier": ("against the batches before", GREEN, "s--")})  # fmt: skip
    drift.axhline(level, color=VERMILION, linewidth=1, linestyle=":", label=f"alarm at {level:g}")
    drift.set_yscale("log")
    drift.set(ylabel="p value of drift", ylim=(3e-4, 1.3))
    alarmed = later["alarm"].to_numpy() == 1
    if alarmed.any():
        drift.plot(places[alarmed], np.full(alarmed.sum(), 4.5e-4), "v", color=VERMILION, label="alarm", markersize=8)
    _lines(said, places, later, {"probability": ("mean probability", BLUE, "o-"),
                                 "dont_know": ("share of don't know", BLACK, "s--"),
                                 "unusual": ("share of unusual trials", VERMILION, "^:")})  # fmt: skip
    said.set(ylabel="what the model says", ylim=(-0.03, 1.03))
    _lines(quality, places, later, {"expected_auc": ("expected AUC of trials", GREY, "o:"),
                                    "auc": ("AUC of subjects, labels known", BLUE, "s-")})  # fmt: skip
    if "auc_low" in later and later["auc_low"].notna().any():
        known = later["auc_low"].notna().to_numpy()
        low, high = (later.loc[known, name].astype(float) for name in ("auc_low", "auc_high"))
        quality.vlines(places[known], low, high, color=BLUE, linewidth=1)
    for axes, name, title in ((said, "probability", "mean probability"), (quality, "auc", "AUC of subjects")):
        value = training.get(name)
        if value is not None and not pd.isna(value):
            axes.axhline(value, color=GREY, linewidth=1, linestyle="--", label=f"training, left out: {title}")
    quality.set(ylabel="how good it is", ylim=(-0.03, 1.03), xlabel="batch, oldest first")
    if len(later) <= _TICKS:
        quality.set_xticks(places, [str(name)[:_NAME] for name in later["batch"]], rotation=60, ha="right", fontsize=7)
    for axes in (drift, said, quality):
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _lines(
    axes: Axes, places: np.ndarray[tuple[int], np.dtype[np.int64]], later: pd.DataFrame,
    drawn: dict[str, tuple[str, str, str]],
) -> None:  # fmt: skip
    for name, (label, colour, kind) in drawn.items():
        if name in later and later[name].notna().any():
            values = later[name].astype(float).to_numpy()
            axes.plot(places, values, kind, color=colour, label=label, markersize=4, linewidth=1.2)
