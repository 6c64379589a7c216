"""The reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from steps.core.figures.style import BLUE, GREY, paper, plain, short, style
from steps.core.metrics.calibration import ReliabilityBin
from steps.core.metrics.names import LEVELS, UNITS
from steps.writing.estimates import estimate_text


def reliability_diagram(document: Mapping[str, Any], label_names: Sequence[str]) -> Figure:
    """Observed share against predicted probability, and how many there are in each bin.

    Args:
        document: a summary.
        label_names: names of class 0 and class 1.
    """
    figure = paper(10, 5.6)
    panels = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
    positive = short(label_names[1])
    for column, level in enumerate(LEVELS):
        unit = UNITS[level]
        bins: Sequence[ReliabilityBin] = document["calibration"][level]
        error: Mapping[str, float] = document[level]["ece"]
        above, below = panels[0, column], panels[1, column]
        for axes in (above, below):
            style(axes)
        above.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="perfectly calibrated")
        x = np.array([entry["mean_probability"] for entry in bins])
        y = np.array([entry["observed"] for entry in bins])
        reach = np.array([[y_ - entry["low"], entry["high"] - y_] for y_, entry in zip(y, bins, strict=True)]).T
        above.errorbar(
            x, y, yerr=np.maximum(reach, 0), color=BLUE, marker="o", linewidth=1.4, elinewidth=1, capsize=3,
            label="bins, 95% interval counting subjects",
        )  # fmt: skip
        above.set(xlim=(0, 1), ylim=(-0.02, 1.02), title=f"{unit}: calibration error {estimate_text(error, 2)}")
        centres = [(entry["start"] + entry["stop"]) / 2 for entry in bins]
        counts = [entry["count"] for entry in bins]
        below.bar(centres, counts, width=0.09, color="#BFD7E6", edgecolor=BLUE)
        for centre, entry in zip(centres, bins, strict=True):
            below.annotate(
                str(entry["count"]), (centre, entry["count"]), ha="center", va="bottom", fontsize=8,
                xytext=(0, 1), textcoords="offset points",
            )  # fmt: skip
        below.set(ylim=(0, 1.3 * max(counts)), xlabel=f"predicted probability of {positive}", ylabel=f"{unit} in bin")
        plain(below)
    panels[0, 0].set_ylabel(f"observed share of {positive}")
    plain(panels[0, 0])
    panels[0, 0].legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    figure.suptitle("Reliability of the probabilities", fontsize=11)
    return figure
