"""What a "don't know" buys: answers and errors at every declared error rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.style import BLACK, BLUE, GREY, VERMILION, paper, style
from steps.core.metrics.names import LEVELS, UNITS


def abstention_curves(document: Mapping[str, Any]) -> Figure:
    """Share answered, wrong among all and wrong among the answered, against the declared error rate.

    Args:
        document: from `steps.core.metrics.abstention.abstention`.
    """
    figure = paper(5.2 * len(LEVELS), 4.6)
    panels = figure.subplots(1, len(LEVELS), squeeze=False, sharey=True)[0]
    for axes, level in zip(panels, LEVELS, strict=True):
        style(axes)
        curve = pd.DataFrame(document[level])
        rate = curve["error_rate"]
        axes.plot([0, 0.5], [0, 0.5], color=GREY, linestyle=":", linewidth=1.2, label="promised at most")
        axes.step(rate, curve["answered_share"], where="post", color=BLUE, linewidth=2, label="answered")
        axes.fill_between(
            rate, curve["error_low"], curve["error_high"], step="post", color=VERMILION, alpha=0.18, linewidth=0
        )
        axes.step(
            rate, curve["error"], where="post", color=VERMILION, linewidth=2, linestyle="--",
            label="wrong among all, 95% interval counting subjects",
        )  # fmt: skip
        if "error_answered" in curve:
            axes.step(
                rate, curve["error_answered"], where="post", color=BLACK, linewidth=1.2, linestyle="-.",
                label="wrong among the answered",
            )  # fmt: skip
        axes.axvline(document["declared"], color=GREY, linewidth=1)
        axes.set(xlim=(0, 0.5), ylim=(-0.02, 1.02), xlabel="declared error rate", title=UNITS[level])
    panels[0].set_ylabel("share")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle('Answers with a "don\'t know"', fontsize=11)
    return figure
