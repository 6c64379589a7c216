"""Figures of an evaluation: functions that take arrays and return a `matplotlib.figure.Figure`.

Colours are those of Okabe & Ito (2008), told apart by colour-blind readers; line styles and markers differ as well, so
that the figures survive a grey printer. Names come from the user and are never read as formulas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from steps.evaluate.bootstrap import Estimate, estimates, resample_weights, roc_band
from steps.evaluate.tables import Scores, subject_scores, trial_scores

BLUE, VERMILION, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#767676"
THRESHOLD_MARKERS = "osD^v"
THRESHOLD_LINES = ("-", "--", ":", "-.")
NAMED_SUBJECTS = 60  # with more the names would run into each other
NAME_LENGTH = 20
BAND_RESAMPLES = 500


def roc(
    trials: Scores,
    subjects: Scores,
    thresholds: Sequence[float] = (),
    *,
    estimates_of: Mapping[str, Mapping[str, Estimate]] | None = None,
    seed: int = 0,
) -> Figure:
    """ROC curves of trials and of subjects' mean probabilities, with 95% bands over resampled subjects.

    Args:
        trials: one probability per trial, both classes present.
        subjects: one probability per subject.
        thresholds: operating points; the first five are marked.
        estimates_of: ``pooled`` and ``subject`` of a summary, for the legend; without it AUC is estimated here.
        seed: of the bootstrap.
    """
    figure, axes = _figure(6.0, 5.6)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="chance, AUC 0.50")
    weights = resample_weights(len(np.unique(trials.subjects)), BAND_RESAMPLES, seed)
    grid = np.linspace(0, 1, 201)
    for scores, name, level, colour, line, alpha in (
        (subjects, "subjects", "subject", VERMILION, "--", 0.12),
        (trials, "trials", "pooled", BLUE, "-", 0.20),
    ):
        if estimates_of is None:
            auc = estimates(scores, weights, (), confidence=0.95)["auc"]
        else:
            auc = estimates_of[level]["auc"]
        if weights.shape[1] > 1:
            axes.fill_between(grid, *roc_band(scores, grid, weights), color=colour, alpha=alpha, linewidth=0, zorder=1)
        alarms, hits, _ = roc_curve(scores.labels, scores.probabilities, drop_intermediate=False)
        label = f"{len(scores.labels)} {name}, AUC {_interval(auc)}"
        axes.plot(alarms, hits, color=colour, linestyle=line, linewidth=2, label=label, zorder=3)
        sizes = range(12, 2, -2)  # points that coincide stay visible
        for threshold, marker, size in zip(thresholds, THRESHOLD_MARKERS, sizes, strict=False):
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
    *,
    estimates_of: Mapping[str, Mapping[str, Estimate]] | None = None,
    seed: int = 0,
) -> Figure:
    """Precision against recall, without interpolation, with the prevalence that guessing would reach.

    The arguments are those of `roc`.
    """
    figure, axes = _figure(6.0, 5.6)
    weights = resample_weights(len(np.unique(trials.subjects)), BAND_RESAMPLES, seed)
    for scores, name, level, colour, line in (
        (trials, "trials", "pooled", BLUE, "-"),
        (subjects, "subjects", "subject", VERMILION, "--"),
    ):
        if estimates_of is None:
            average = estimates(scores, weights, (), confidence=0.95)["average_precision"]
        else:
            average = estimates_of[level]["average_precision"]
        precision, recall, _ = precision_recall_curve(scores.labels, scores.probabilities)
        label = f"{len(scores.labels)} {name}, average precision {_interval(average)}"
        axes.step(recall, precision, where="post", color=colour, linestyle=line, linewidth=2, label=label)
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
    axes.set_title("Precision and recall of the held-out trials and subjects", fontsize=11)
    return figure


def confusion(levels: Mapping[str, Scores], thresholds: Sequence[float], label_names: Sequence[str]) -> Figure:
    """Confusion matrices: a panel per threshold, a row of panels per level; counts and shares of the true class.

    Args:
        levels: what is counted -> its probabilities, e.g. ``{"trials": ..., "subjects": ...}``.
        thresholds: decision thresholds.
        label_names: names of class 0 and class 1.
    """
    figure = Figure(figsize=(1.1 + 2.5 * len(thresholds), 0.7 + 2.6 * len(levels)), layout="constrained")
    panels = figure.subplots(len(levels), len(thresholds), squeeze=False)
    names = [_short(name) for name in label_names]
    for row, (unit, scores) in zip(panels, levels.items(), strict=True):
        for column, (axes, threshold) in enumerate(zip(row, thresholds, strict=True)):
            counts = confusion_matrix(scores.labels, scores.probabilities >= threshold, labels=[0, 1])
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
            axes.set_title(f"{unit}, threshold {threshold}", fontsize=10)
            axes.set_xlabel("predicted")
            if column == 0:
                axes.set_ylabel("true")
            _plain_ticks(axes)
    figure.suptitle("Confusion matrices: counts and shares of the true class", fontsize=11)
    return figure


def training_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Loss and accuracy per epoch of all folds as thin lines, and their median while half of the folds still train.

    Args:
        histories: one per fold, at least one, a row per epoch; columns ``loss``, ``val_loss``, ``accuracy``,
            ``val_accuracy``.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)
    longest = max(len(history) for history in histories)
    for axes, metric, label in zip(
        panels, ("loss", "accuracy"), ("loss (nats, with penalties)", "accuracy"), strict=True
    ):
        _style(axes)
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


def subject_probabilities(
    trials: Scores, subjects: Scores, thresholds: Sequence[float], label_names: Sequence[str]
) -> Figure:
    """Each subject's mean probability over its trials (small marks), sorted, with the thresholds as lines.

    Args:
        trials: one probability per trial.
        subjects: one probability per subject (and label).
        thresholds: decision thresholds.
        label_names: names of class 0 and class 1.
    """
    order = np.argsort(subjects.probabilities, kind="stable")
    names = subjects.subjects[order]
    figure, axes = _figure(min(14.0, max(6.0, 2.6 + 0.19 * len(order))), 5.0)
    position = {
        (subject, label): x for x, (subject, label) in enumerate(zip(names, subjects.labels[order], strict=True))
    }
    size = 3 if len(trials.labels) > 200 else 6
    positions = np.array([position[key] for key in zip(trials.subjects, trials.labels, strict=True)], dtype=np.float64)
    for threshold, line in zip(thresholds, cycle(THRESHOLD_LINES), strict=False):
        axes.axhline(threshold, color=BLACK, linestyle=line, linewidth=0.9, label=f"threshold {threshold}", zorder=1)
    for label, colour, marker, face in ((1, VERMILION, "o", VERMILION), (0, BLUE, "s", "white")):
        of_class = trials.labels == label
        axes.plot(
            positions[of_class],
            trials.probabilities[of_class],
            ".",
            color=colour,
            markersize=size,
            alpha=0.35,
            zorder=2,
        )
        mine = np.flatnonzero(subjects.labels[order] == label)
        axes.plot(
            mine,
            subjects.probabilities[order][mine],
            marker,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=1.5,
            markersize=7,
            label=f"true class: {_short(label_names[label])}",
            zorder=3,
        )
    axes.set(
        xlim=(-0.7, len(order) - 0.3),
        ylim=(-0.02, 1.02),
        ylabel=f"probability of {_short(label_names[1])}",
        xlabel=f"{len(order)} subjects, sorted by mean probability",
    )
    axes.grid(visible=False, axis="x")
    if len(order) <= NAMED_SUBJECTS:
        axes.set_xticks(range(len(order)), [_short(name) for name in names], rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
    _plain_ticks(axes)
    axes.yaxis.label.set_parse_math(False)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
    axes.set_title("Held-out probabilities: mean (large) and trials (small)", fontsize=11)
    return figure


def all_figures(
    results: pd.DataFrame,
    document: Mapping[str, Any],
    histories: Sequence[pd.DataFrame],
    label_names: Sequence[str],
) -> dict[str, Figure]:
    """Every figure of an evaluation, by file name; those that the data do not define are absent.

    Args:
        results: from `steps.evaluate.tables.results_table`.
        document: its `steps.evaluate.summary.summary`.
        histories: as for `training_curves`; may be empty.
        label_names: names of class 0 and class 1.
    """
    trials, subjects, thresholds = trial_scores(results), subject_scores(results), document["thresholds"]
    figures = {}
    if trials.has_both_classes:
        seed = document["bootstrap"]["seed"]
        figures["roc.png"] = roc(trials, subjects, thresholds, estimates_of=document, seed=seed)
        figures["precision_recall.png"] = precision_recall(trials, subjects, estimates_of=document, seed=seed)
    levels = {"trials": trials, "subjects": subjects}
    figures["confusion.png"] = confusion(levels, thresholds, label_names)
    figures["subject_probabilities.png"] = subject_probabilities(trials, subjects, thresholds, label_names)
    if histories:
        figures["training_curves.png"] = training_curves(histories)
    return figures


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)


def _interval(estimate: Estimate) -> str:
    if "low" not in estimate or "high" not in estimate:
        return f"{estimate['value']:.2f}"
    return f"{estimate['value']:.2f} [{estimate['low']:.2f}, {estimate['high']:.2f}]"


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _plain_ticks(axes: Axes) -> None:
    """A dollar sign in a name is a dollar sign."""
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
