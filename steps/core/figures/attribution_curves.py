"""Lines: importance over time, and the output under deletion and insertion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steps.core.attribution.faithfulness import KINDS, Unit, area_name
from steps.core.data.manifest import PlantedTruth
from steps.core.figures.style import BLACK, BLUE, GREY, VERMILION, edges, paper, plain, sheet, style
from steps.writing.estimates import estimate_in, estimate_text

_UNITS: Mapping[Unit, str] = {"cells": "one feature at one time point at a time", "features": "whole features"}


def timeline(table: pd.DataFrame, *, time_unit: str = "sample", truth: PlantedTruth | None = None) -> Figure:
    """Importance of each time point with its 95% band.

    Args:
        table: from `steps.core.attribution.importance.time_importance`.
        time_unit: unit of its time axis.
        truth: windows that a simulated study changed, as bars below the line.
    """
    windows = sorted(truth.windows.values()) if truth else []
    figure, axes = sheet(7.0, 3.6)
    time = table["time"].to_numpy(np.float64)
    values = table["importance"].to_numpy(np.float64)
    if table["low"].notna().any():
        axes.fill_between(
            time, table["low"], table["high"], color=BLUE, alpha=0.22, linewidth=0, label="95% interval over subjects"
        )
    axes.plot(time, values, color=BLUE, linewidth=2, marker="o" if len(time) == 1 else "", label="importance")
    axes.set_ylim(bottom=0)
    border = edges(time.tolist())
    low, high = axes.get_ylim()
    step = min(0.035, 0.28 / max(1, len(windows)))
    for place, (first, last) in enumerate(windows):
        axes.plot(
            border[[first, last + 1]], np.full(2, low + (0.03 + step * place) * (high - low)),
            color=BLACK, linewidth=2, solid_capstyle="butt",
            label=None if place else "changed in the simulation",
        )  # fmt: skip
    axes.set_ylim(low, high)
    axes.set_xlabel(f"time ({time_unit})")
    axes.set_ylabel("mean |attribution|\n(probability per feature)")
    axes.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9, loc="best")
    axes.set_title("Importance of time points in held-out trials", fontsize=11)
    plain(axes)
    return figure


def deletion_insertion(table: pd.DataFrame, metrics: Mapping[str, float] | None = None) -> Figure:
    """What happens to the output when values are replaced by the baseline, or put back, the most important first.

    Args:
        table: from `steps.core.attribution.faithfulness.curve_table`.
        metrics: from `steps.core.attribution.faithfulness.area_metrics`, written into the panels.
    """
    figure = paper(9.0, 6.6)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, unit in enumerate(_UNITS):
        for column, kind in enumerate(KINDS):
            axes = panels[row, column]
            _curves(axes, table[table["unit"] == unit], kind)
            _area(axes, area_name(kind, unit), metrics or {})
            axes.set_title(f"{kind.capitalize()}: {_UNITS[unit]}", fontsize=10)
            if row == 1:
                axes.set_xlabel(f"share {'replaced by the baseline' if kind == 'deletion' else 'put back'} (%)")
            if column == 0:
                axes.set_ylabel("output moved from the\nbaseline's (probability)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle("Does the output follow the attribution? Bands: 95% over subjects", fontsize=11)
    return figure


def _curves(axes: Axes, table: pd.DataFrame, kind: str) -> None:
    style(axes)
    axes.axhline(0, color=GREY, linewidth=0.8)
    share = 100 * table["fraction"].to_numpy(np.float64)
    for name, colour, line, label in (
        (kind, VERMILION, "-", "most important first"),
        (f"{kind}_random", BLUE, "--", "random order"),
    ):
        if table[f"{name}_low"].notna().any():
            axes.fill_between(share, table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.18, linewidth=0)
        axes.plot(share, table[name], color=colour, linestyle=line, linewidth=2, label=label)
    axes.set_xlim(0, 100)


def _area(axes: Axes, name: str, metrics: Mapping[str, float]) -> None:
    estimate = estimate_in(metrics, name)
    if estimate is None:
        return
    text = f"area between: {estimate_text(estimate, 2)}"
    top, side = (0.96, 0.97) if "deletion" in name else (0.10, 0.97)
    axes.text(
        side, top, text, transform=axes.transAxes, ha="right", va="top", fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
    )  # fmt: skip
