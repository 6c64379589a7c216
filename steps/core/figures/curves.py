"""ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.metrics import precision_recall_curve, roc_curve

from steps.core.figures.style import (
    BLUE,
    GREY,
    IN_FOLD_MARKER,
    THRESHOLD_MARKERS,
    VERMILION,
    sheet,
)
from steps.core.metrics.bands import precision_band, roc_band
from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.predictions import Scores
from steps.writing.estimates import estimate_text

BAND_RESAMPLES = 500


def roc(
    trials: Scores,
    subjects: Scores,
    document: Mapping[str, Any],
) -> Figure:
    """ROC curves of trials and of subjects' mean probabilities, with 95% bands over resampled subjects.

    Args:
        trials: one probability per trial, both classes present.
        subjects: one probability per subject.
        document: their summary; the first five of its thresholds are marked.
    """
    thresholds = document["thresholds"]
    figure, axes = sheet(6.0, 5.6)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="chance, AUC 0.50")
    weights = resample_weights(len(np.unique(trials.subjects)), BAND_RESAMPLES, document["bootstrap"]["seed"])
    grid = np.linspace(0, 1, 201)
    for scores, name, level, colour, line, alpha in (
        (subjects, "subjects", "subject", VERMILION, "--", 0.12),
        (trials, "trials", "pooled", BLUE, "-", 0.20),
    ):
        if weights.shape[1] > 1:
            axes.fill_between(grid, *roc_band(scores, grid, weights), color=colour, alpha=alpha, linewidth=0, zorder=1)
        alarms, hits, _ = roc_curve(scores.labels, scores.probabilities, drop_intermediate=False)
        label = f"{len(scores.labels)} {name}, AUC {estimate_text(document[level]['auc'], 2)}"
        axes.plot(alarms, hits, color=colour, linestyle=line, linewidth=2, label=label, zorder=3)
        sizes = range(12, 2, -2)  # points that coincide stay visible
        marks = list(zip(thresholds, THRESHOLD_MARKERS, sizes, strict=False))
        for threshold, marker, size in [*marks, (scores.in_fold, IN_FOLD_MARKER, 9)]:
            if threshold is None:
                continue
            predicted = scores.probabilities >= threshold
            axes.plot(
                predicted[scores.labels == 0].mean(),
                predicted[scores.labels == 1].mean(),
                marker=marker,
                color=colour,
                markeredgecolor="white",
                markersize=size,
                clip_on=False,
                zorder=4,
            )
    handles = axes.get_legend_handles_labels()[0]
    handles += [
        Line2D([], [], color=GREY, marker=marker, linestyle="none", label=f"threshold {threshold}")
        for threshold, marker in zip(thresholds, THRESHOLD_MARKERS, strict=False)
    ]
    if trials.in_fold is not None:
        mark = Line2D([], [], color=GREY, marker=IN_FOLD_MARKER, linestyle="none", label="threshold of the fold")
        handles.append(mark)
    axes.legend(handles=handles, loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    axes.set(
        xlim=(-0.01, 1),
        ylim=(0, 1.01),
        aspect="equal",
        xlabel="false positive rate (1 − specificity)",
        ylabel="true positive rate (recall)",
    )
    axes.set_title("ROC of the held-out trials and subjects\nshaded: 95% band over resampled subjects", fontsize=11)
    return figure


def precision_recall(
    trials: Scores,
    subjects: Scores,
    document: Mapping[str, Any],
) -> Figure:
    """Precision against recall, without interpolation, with 95% bands over resampled subjects.

    Dotted lines are the prevalence, which guessing would reach.

    The arguments are those of `roc`.
    """
    figure, axes = sheet(6.0, 5.6)
    weights = resample_weights(len(np.unique(trials.subjects)), BAND_RESAMPLES, document["bootstrap"]["seed"])
    grid = np.linspace(0, 1, 201)
    for scores, name, level, colour, line, alpha in (
        (subjects, "subjects", "subject", VERMILION, "--", 0.12),
        (trials, "trials", "pooled", BLUE, "-", 0.20),
    ):
        if weights.shape[1] > 1:
            band = precision_band(scores, grid, weights)
            axes.fill_between(grid, *band, color=colour, alpha=alpha, linewidth=0, zorder=1)
        precision, recall, _ = precision_recall_curve(scores.labels, scores.probabilities)
        average = estimate_text(document[level]["average_precision"], 2)
        label = f"{len(scores.labels)} {name}, average precision {average}"
        axes.step(recall, precision, where="post", color=colour, linestyle=line, linewidth=2, label=label, zorder=3)
        prevalence = float((scores.labels == 1).mean())
        axes.axhline(
            prevalence,
            color=colour,
            linestyle=":" if level == "pooled" else (0, (1, 4)),
            linewidth=1.2,
            label=f"prevalence among {name}, {prevalence:.2f}",
        )
    rare = (trials.labels == 1).mean() < 0.35  # then the curves fall into the lower corner
    corner: Literal["upper right", "lower left"] = "upper right" if rare else "lower left"
    axes.legend(loc=corner, frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), aspect="equal", xlabel="recall", ylabel="precision")
    axes.set_title(
        "Precision and recall of the held-out trials and subjects\nshaded: 95% band over resampled subjects",
        fontsize=11,
    )
    return figure
