"""Whole labels: which class is taken for which, how scores come out, and the AUC from every cut-off on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from steps.core.data.labelling import Labelling
from steps.core.figures.style import BLACK, BLUE, GREY, paper, plain, sheet, short, whiskers
from steps.core.metrics.labels.predictions import label_levels
from steps.core.metrics.names import CHANCE, LEVELS, POOLED, SUBJECT, UNITS

_MOST_CLASSES = 20  # that a figure has room for


def label_figures(table: pd.DataFrame, labelling: Labelling, document: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures of whole labels, by name.

    Args:
        table: from `steps.core.metrics.labels.predictions.label_results_table`.
        labelling: of the study.
        document: from `steps.core.metrics.labels.summary.label_summary`.
    """
    figures: dict[str, Figure] = {}
    if labelling.has_classes and labelling.width <= _MOST_CLASSES:
        figures["classes"] = class_confusion(document)
    if not labelling.has_classes:
        figures["scores"] = scores_figure(table, labelling)
    if "cut_offs" in document[SUBJECT]:
        figures["cut_offs"] = cut_off_figure(document)
    return figures


def class_confusion(document: Mapping[str, Any]) -> Figure:
    """Labels against the most probable classes, of trials and of subjects; shades are shares of a label."""
    names = [short(name) for name in document["names"]]
    figure = paper(5.2 * len(LEVELS), 0.9 + 0.55 * max(5, len(names)))
    panels = figure.subplots(1, len(LEVELS), squeeze=False)[0]
    for axes, level in zip(panels, LEVELS, strict=True):
        counts = np.array(document[level]["confusion"], dtype=np.float64)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            colour = BLACK if shares[row, column] > 0.5 else "white"
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour)
        axes.set(
            xticks=range(len(names)), yticks=range(len(names)), xticklabels=names, yticklabels=names,
            xlabel="most probable class", ylabel="label", title=UNITS[level],
        )  # fmt: skip
        if len(names) > 4:
            for label in axes.get_xticklabels():
                label.set(rotation=30, horizontalalignment="right", rotation_mode="anchor")
        plain(axes)
    return figure


def scores_figure(table: pd.DataFrame, labelling: Labelling) -> Figure:
    """What the models say against the score, a mark per trial and per subject; the diagonal is where both agree."""
    figure, axes = sheet(5.6, 5.2)
    levels = label_levels(table, labelling)
    everything = np.concatenate([[one.values, one.outputs[:, 0]] for one in levels.values()], axis=1)
    ends = [float(everything.min()), float(everything.max())]
    axes.plot(ends, ends, color=GREY, linestyle=":", linewidth=1.2)
    axes.axvline(labelling.cut_off, color=GREY, linewidth=1)
    for level, colour, size, alpha in ((POOLED, GREY, 9, 0.5), (SUBJECT, BLUE, 34, 1.0)):
        scores = levels[level]
        axes.scatter(scores.values, scores.outputs[:, 0], label=UNITS[level], color=colour, s=size, alpha=alpha)
    axes.set(xlabel="score", ylabel="what the models say", title="Scores of people the models had not seen")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def cut_off_figure(document: Mapping[str, Any]) -> Figure:
    """AUC of subjects, with intervals, from every cut-off on."""
    rows = document[SUBJECT]["cut_offs"]
    figure, axes = sheet(max(5.2, 0.22 * len(rows)), 4.2, grid="y")
    places = np.arange(len(rows))
    values = np.array([row["auc"]["value"] for row in rows])
    low, high = (np.array([row["auc"].get(end, row["auc"]["value"]) for row in rows]) for end in ("low", "high"))
    axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1.2)
    axes.errorbar(places, values, yerr=whiskers(values, low, high), fmt="o", color=BLUE, ecolor=BLUE, elinewidth=1)
    every = max(1, len(rows) // 25)
    names = [short(row["cut_off"]) if place % every == 0 else "" for place, row in enumerate(rows)]
    axes.set(
        xticks=places, xticklabels=names, ylim=(-0.02, 1.02), xlabel="from here on", ylabel="AUC of subjects",
        title="AUC over every cut-off",
    )  # fmt: skip
    axes.tick_params(axis="x", rotation=45 if len(rows) > 8 else 0)
    plain(axes)
    return figure
