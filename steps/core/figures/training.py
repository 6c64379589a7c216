"""How training went: curves of all folds, and what other seeds would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from steps.core.figures.style import BLACK, BLUE, VERMILION, paper, style
from steps.core.metrics.names import LEVELS, POOLED, UNITS, at_level
from steps.core.metrics.statistic import statistics_of


def training_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Loss and accuracy per epoch of all folds as thin lines, and their median while half of the folds still train.

    Args:
        histories: one per fold, at least one, a row per epoch; columns ``loss``, ``val_loss``, ``accuracy``,
            ``val_accuracy``.
    """
    figure = paper(10, 4.2)
    panels = figure.subplots(1, 2)
    longest = max(len(history) for history in histories)
    for axes, metric, label in zip(
        panels, ("loss", "accuracy"), ("loss (nats, with penalties)", "accuracy"), strict=True
    ):
        style(axes)
        for name, column, colour, line in (
            ("training", metric, BLUE, "-"),
            ("validation", f"val_{metric}", VERMILION, "--"),
        ):
            curves = np.full((len(histories), longest), np.nan)
            for curve, history in zip(curves, histories, strict=True):
                curve[: len(history)] = history[column]
            epochs = np.arange(1, longest + 1)
            axes.plot(epochs, curves.T, color=colour, linestyle=line, linewidth=0.6, alpha=0.25)
            training = np.isfinite(curves).sum(axis=0) >= max(1, len(histories) / 2)
            median = np.nanmedian(curves[:, training], axis=0)
            # The white line underneath lifts the median off the bundle.
            axes.plot(epochs[training], median, color="white", linewidth=4.5)
            axes.plot(
                epochs[training],
                median,
                color=colour,
                linestyle=line,
                linewidth=2.2,
                marker="o" if training.sum() == 1 else "",
                label=f"{name}, median",
            )
        axes.set(xlabel="epoch", ylabel=label, xlim=(1, max(2, longest)))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(top=1.02)
    folds = f"{len(histories)} folds" if len(histories) > 1 else "one fold"
    figure.suptitle(f"Training of {folds}: thin lines are folds, which end when they stop early", fontsize=11)
    return figure


def repeat_spread(document: Mapping[str, Any]) -> Figure:
    """Every test number's value of the main statistics, their mean and sd, and the average of the models.

    Args:
        document: a summary with ``per_test_number``.
    """
    spread = document["per_test_number"]
    shown = [
        one
        for one in statistics_of(document["thresholds"])
        if one.row.spread and one.row.span == (0.0, 1.0) and at_level(POOLED, one.name) in spread["mean"]
    ]
    numbers = list(spread["values"])
    figure = paper(10.5, 1.6 + 0.62 * len(shown))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, level in zip(panels, LEVELS, strict=True):
        style(axes)
        for row, one in enumerate(shown):
            key = at_level(level, one.name)
            if key not in spread["mean"]:
                continue
            heights = row - 0.12 + np.linspace(-0.14, 0.14, len(numbers)) * (len(numbers) > 1)
            values = [spread["values"][number][key] for number in numbers]
            axes.plot(values, heights, "o", color=BLUE, markerfacecolor="none", markersize=5, zorder=3)
            mean, sd = spread["mean"][key], spread["sd"][key]
            axes.plot([mean, mean], [row - 0.34, row + 0.1], color=BLUE, linewidth=2, zorder=4)
            axes.plot([mean - sd, mean + sd], [row - 0.34] * 2, color=BLUE, linewidth=4, alpha=0.45, zorder=2)
            together = document[level][one.name]
            axes.plot(together["value"], row + 0.3, "D", color=VERMILION, markersize=6, zorder=3)
            if "low" in together:
                axes.plot([together["low"], together["high"]], [row + 0.3] * 2, color=VERMILION, linewidth=1.5)
        axes.set(xlim=(-0.01, 1.01), ylim=(len(shown) - 0.4, -0.6), xlabel="value (no unit)", title=UNITS[level])
        axes.axvline(0.5, color=BLACK, linestyle=":", linewidth=0.8)
    panels[0].set_yticks(range(len(shown)), [one.title for one in shown])
    handles = [
        Line2D([], [], color=BLUE, marker="o", markerfacecolor="none", linestyle="none", label="a test number alone"),
        Line2D([], [], color=BLUE, linewidth=4, alpha=0.45, label="mean ± sd over test numbers"),
        Line2D([], [], color=VERMILION, marker="D", linewidth=1.5, label="their average, 95% interval over subjects"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(f"{len(numbers)} test numbers: the same folds trained with other seeds", fontsize=11)
    return figure
