"""The probabilities of scored recordings as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.style import BLACK, BLUE, GREY, VERMILION, plain, sheet, short

NAMED_SUBJECTS = 60  # with more the names would run into each other


def probabilities(predictions: pd.DataFrame, subjects: pd.DataFrame, labels: Sequence[str]) -> Figure:
    """Every subject's mean probability (large) and trials (small); unusual trials are crosses.

    Args:
        predictions: from `steps.core.metrics.scores.score`, at least one row.
        subjects: from `steps.core.metrics.scores.by_subject`.
        labels: names of class 0 and class 1.
    """
    order = subjects.sort_values("probability", kind="stable").drop_duplicates("subject")["subject"].tolist()
    place = {name: x for x, name in enumerate(order)}
    figure, axes = sheet(min(14.0, max(6.0, 3.0 + 0.19 * len(order))), 5.0, grid="y")
    threshold = float(predictions["threshold"].iloc[0])
    axes.axhline(threshold, color=BLACK, linestyle="--", linewidth=0.9, label=f"threshold {threshold:g}", zorder=1)
    for unusual, marker, text in ((0, ".", "trial"), (1, "x", "unusual trial")):
        rows = predictions[predictions["unusual"] == unusual]
        if len(rows):
            x = rows["subject"].map(place).to_numpy(float)
            axes.plot(x, rows["probability"], marker, color=GREY, markersize=6, alpha=0.7, label=text, zorder=2)
    for kind, colour, marker in _kinds(subjects, labels):
        rows = subjects[_kind_of(subjects, labels) == kind]
        axes.plot(
            rows["subject"].map(place).to_numpy(float),
            rows["probability"],
            marker,
            color=colour,
            markerfacecolor="white" if marker == "s" else colour,
            markeredgewidth=1.5,
            markersize=8,
            label=kind,
            zorder=3,
        )
    axes.set(xlim=(-0.7, len(order) - 0.3), ylim=(-0.02, 1.02), ylabel=f"probability of {short(labels[1])}")
    axes.set_xlabel(f"{len(order)} subjects, sorted by mean probability" + _trained(subjects))
    if len(order) <= NAMED_SUBJECTS:
        trained = set(subjects.loc[subjects["in_training"] == 1, "subject"])
        names = [f"{short(name)}{' *' if name in trained else ''}" for name in order]
        axes.set_xticks(range(len(order)), names, rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
    axes.set_title("Probabilities: mean of a subject (large) and trials (small)", fontsize=11)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    plain(axes, legend)
    return figure


def _kind_of(subjects: pd.DataFrame, labels: Sequence[str]) -> npt.NDArray[np.str_]:
    """The text about what is known of each subject."""
    if "label" not in subjects:
        known = np.full(len(subjects), "subject")
    else:
        names = {1: f"true class: {short(labels[1])}", 0: f"true class: {short(labels[0])}"}
        known = np.array([names.get(label, "subject") if pd.notna(label) else "subject" for label in subjects["label"]])
    return np.where(subjects["group"] == "control", "control", known)


def _kinds(subjects: pd.DataFrame, labels: Sequence[str]) -> list[tuple[str, str, str]]:
    """Text, colour and marker of what there is among the subjects."""
    kinds = (
        (f"true class: {short(labels[1])}", VERMILION, "o"),
        (f"true class: {short(labels[0])}", BLUE, "s"),
        ("subject", BLUE, "o"),
        ("control", BLACK, "D"),
    )
    present = set(_kind_of(subjects, labels).tolist())
    return [kind for kind in kinds if kind[0] in present]


def _trained(subjects: pd.DataFrame) -> str:
    return "\n* the model was fitted on this subject" if subjects["in_training"].any() else ""
