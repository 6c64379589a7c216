"""What decisions come to: confusion matrices, the sweep over thresholds, the decision curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from steps.core.data.dataset import Ints
from steps.core.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    THRESHOLD_LINES,
    VERMILION,
    paper,
    plain,
    rule_title,
    short,
    style,
)
from steps.core.metrics.decision_curve import GRID, benefit_curves, threshold_sweep
from steps.core.metrics.decisions import Bools
from steps.core.metrics.in_fold_threshold import CHOSEN
from steps.core.metrics.names import Rule
from steps.core.metrics.predictions import Scores

Decided = tuple[Ints, Mapping[Rule, Bools]]


def confusion(levels: Mapping[str, Decided], label_names: Sequence[str]) -> Figure:
    """Confusion matrices: a panel per threshold, a row of panels per level; counts and shares of the true class.

    Args:
        levels: what is counted -> its labels, and its decisions under every rule.
        label_names: names of class 0 and class 1.
    """
    rules = list(next(iter(levels.values()))[1])
    figure = paper(1.1 + 2.5 * len(rules), 0.7 + 2.6 * len(levels))
    panels = figure.subplots(len(levels), len(rules), squeeze=False)
    names = [short(name) for name in label_names]
    for row, (unit, (labels, decided)) in zip(panels, levels.items(), strict=True):
        for column, (axes, rule) in enumerate(zip(row, rules, strict=True)):
            counts = confusion_matrix(labels, decided[rule], labels=[0, 1])
            totals = counts.sum(axis=1, keepdims=True)
            shares = np.divide(counts, totals, out=np.zeros((2, 2)), where=totals > 0)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for true, predicted in np.ndindex(2, 2):
                share = f"{shares[true, predicted]:.1%}" if totals[true, 0] else "none"
                axes.text(
                    predicted,
                    true,
                    f"{counts[true, predicted]}\n{share}",
                    ha="center",
                    va="center",
                    fontsize=12,
                    color="white" if shares[true, predicted] > 0.55 else "black",
                )
            axes.set_xticks([0, 1], names)
            axes.set_yticks([0, 1], names if column == 0 else ["", ""], rotation=90, va="center")
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(f"{unit}\n{rule_title(rule)}", fontsize=10)
            axes.set_xlabel("predicted")
            if column == 0:
                axes.set_ylabel("true")
            plain(axes)
    figure.suptitle("Confusion matrices: counts and shares of the true class", fontsize=11)
    return figure


def sweep(
    levels: Mapping[str, Scores], thresholds: Sequence[float], *, in_fold: pd.DataFrame | None = None, seed: int = 0
) -> Figure:
    """Sensitivity, specificity and balanced accuracy at every threshold, with the declared ones marked.

    Args:
        levels: what is counted -> its probabilities, of both classes.
        thresholds: the declared ones, as vertical lines.
        in_fold: from `in_fold_table`; the chosen thresholds are ticks at the bottom.
        seed: of the bootstrap.
    """
    figure = paper(5.2 * len(levels), 4.6)
    panels = figure.subplots(1, len(levels), squeeze=False, sharey=True)[0]
    for axes, (unit, scores) in zip(panels, levels.items(), strict=True):
        style(axes)
        curves = threshold_sweep(scores, seed=seed)
        for name, title, colour, line in (
            ("recall", "sensitivity (recall)", VERMILION, "--"),
            ("specificity", "specificity", BLUE, "-."),
            ("balanced_accuracy", "balanced accuracy, 95% band", BLACK, "-"),
        ):
            curve = curves[name]
            axes.plot(GRID, curve["value"], color=colour, linestyle=line, linewidth=1.8, label=title, zorder=3)
            if name == "balanced_accuracy":
                axes.fill_between(GRID, curve["low"], curve["high"], color=GREY, alpha=0.25, linewidth=0, zorder=1)
        _mark(axes, thresholds)
        if in_fold is not None:
            chosen = in_fold[in_fold["source"].isin(CHOSEN)].drop_duplicates(["fold", "test_number"])["threshold"]
            axes.plot(chosen, np.full(len(chosen), 0.015), "|", color=GREEN, markersize=11, markeredgewidth=1.2,
                      label="chosen in a fold", zorder=4)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold (probability)", title=unit)
    panels[0].set_ylabel("share of the class")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle("Every threshold: the best one of this figure is not one to report", fontsize=11)
    return figure


def decision_curves(levels: Mapping[str, Scores], thresholds: Sequence[float], *, seed: int = 0) -> Figure:
    """Net benefit of acting on the model, on everybody and on nobody.

    The arguments are those of `sweep`.
    """
    figure = paper(5.2 * len(levels), 4.6)
    panels = figure.subplots(1, len(levels), squeeze=False, sharey=True)[0]
    highest = 0.1
    for axes, (unit, scores) in zip(panels, levels.items(), strict=True):
        style(axes)
        curves = benefit_curves(scores, seed=seed)
        model = curves["model"]
        axes.plot(GRID, curves["all"]["value"], color=VERMILION, linestyle="--", label="act on everybody")
        axes.axhline(0, color=BLACK, linewidth=1, linestyle=":", label="act on nobody")
        axes.fill_between(GRID, model["low"], model["high"], color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(GRID, model["value"], color=BLUE, linewidth=2, label="act on the model, 95% band")
        _mark(axes, thresholds)
        highest = max(highest, float(model["high"].max()))
        axes.set(xlim=(0, 1), xlabel="threshold probability: from where on one would act", title=unit)
    panels[0].set(ylabel="net benefit (true positives per case)", ylim=(-0.25 * highest, 1.08 * highest))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle("Decision curve", fontsize=11)
    return figure


def _mark(axes: Axes, thresholds: Sequence[float]) -> None:
    """Vertical lines, labelled so that nobody needs the legend."""
    for threshold, line in zip(thresholds, cycle(THRESHOLD_LINES), strict=False):
        axes.axvline(threshold, color=GREY, linewidth=1, linestyle=line, label=f"declared: {threshold:g}", zorder=2)
