"""How AUC grows with the subjects that train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.style import BLUE, GREY, VERMILION, sheet


def learning_curve_figure(document: Mapping[str, Any]) -> Figure:
    """AUC of subjects against training subjects, measured and continued, with 95% intervals.

    Args:
        document: from `steps.core.metrics.learning_curve.learning_curve`.
    """
    figure, axes = sheet(6.4, 4.2)
    measured, further = (pd.DataFrame(document[name]) for name in ("points", "further"))
    ahead = pd.concat([measured.tail(1), further])
    for table, colour, line, label in (
        (measured, BLUE, "-", "measured"),
        (ahead, VERMILION, "--", "continued (inverse power law)"),
    ):
        sizes = table["training_subjects"]
        axes.fill_between(sizes, table["low"], table["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(sizes, table["auc"], color=colour, linestyle=line, marker="o", markersize=4, label=label)
    axes.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
    axes.set(ylim=(min(0.45, measured["low"].min()), 1.01), xlabel="subjects that train", ylabel="AUC of subjects")
    axes.set_xscale("log")
    ticks = [*measured["training_subjects"], *further["training_subjects"]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    axes.set_title("Learning curve, 95% intervals over tested subjects", fontsize=11)
    return figure
