"""Figures of scored recordings: functions that take tables and return a `matplotlib.figure.Figure`.

Colours are those of Okabe & Ito (2008); markers differ as well. Names come from the user and are never read as
formulas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, VERMILION, GREY, BLACK = "#0072B2", "#D55E00", "#767676", "#000000"
NAMED_SUBJECTS = 60  # with more the names would run into each other
SHOWN_FEATURES = 40
NAME_LENGTH = 32


def probabilities(predictions: pd.DataFrame, subjects: pd.DataFrame, labels: Sequence[str]) -> Figure:
    """Every subject's mean probability (large) and trials (small); unusual trials are crosses.

    Args:
        predictions: from `steps.predict.scores.score`, at least one row.
        subjects: from `steps.predict.scores.by_subject`.
        labels: names of class 0 and class 1.
    """
    order = subjects.sort_values("probability", kind="stable").drop_duplicates("subject")["subject"].tolist()
    place = {name: x for x, name in enumerate(order)}
    figure = Figure(figsize=(min(14.0, max(6.0, 3.0 + 0.19 * len(order))), 5.0), layout="constrained")
    axes = figure.subplots()
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
    axes.set(xlim=(-0.7, len(order) - 0.3), ylim=(-0.02, 1.02), ylabel=f"probability of {_short(labels[1])}")
    axes.set_xlabel(f"{len(order)} subjects, sorted by mean probability" + _trained(subjects))
    if len(order) <= NAMED_SUBJECTS:
        trained = set(subjects.loc[subjects["in_training"] == 1, "subject"])
        names = [f"{_short(name)}{' *' if name in trained else ''}" for name in order]
        axes.set_xticks(range(len(order)), names, rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title("Probabilities: mean of a subject (large) and trials (small)", fontsize=11)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    _plain(axes, *legend.get_texts())
    return figure


def attribution_map(
    values: npt.NDArray[np.float64], features: Sequence[str], time: Sequence[float], time_unit: str
) -> Figure:
    """Mean absolute attribution over time, a row per feature, the most important on top.

    Args:
        values: mean absolute attribution in probability, shape ``(features, timesteps)``.
        features: names of the rows; of more than 40 the most important 40 are drawn.
        time: the time axis, strictly increasing.
        time_unit: its unit.
    """
    order = np.argsort(-values.mean(axis=1), kind="stable")[:SHOWN_FEATURES]
    figure = Figure(figsize=(9.0, 1.7 + 0.21 * max(4, len(order))), layout="constrained")
    axes = figure.subplots()
    mesh = axes.pcolormesh(
        *(np.asarray(time), np.arange(len(order)), values[order]),
        cmap="cividis",
        vmin=0,
        shading="nearest",
        rasterized=True,  # else an SVG holds a path per cell
    )
    axes.invert_yaxis()
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=max(8, len(order)))
    bar.set_label("mean |attribution|\n(probability per time point)")
    axes.set_yticks(range(len(order)), [_short(features[i]) for i in order], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"time ({time_unit})")
    left_out = len(features) - len(order)
    more = f" (+{left_out} less important)" if left_out else ""
    axes.set_title(f"Attribution of the scored trials, features sorted by importance{more}", fontsize=11)
    _plain(axes)
    return figure


def _kind_of(subjects: pd.DataFrame, labels: Sequence[str]) -> npt.NDArray[np.str_]:
    """What is known of each subject, in words."""
    if "label" not in subjects:
        known = np.full(len(subjects), "subject")
    else:
        names = {1: f"true class: {_short(labels[1])}", 0: f"true class: {_short(labels[0])}"}
        known = np.array([names.get(label, "subject") if pd.notna(label) else "subject" for label in subjects["label"]])
    return np.where(subjects["group"] == "control", "control", known)


def _kinds(subjects: pd.DataFrame, labels: Sequence[str]) -> list[tuple[str, str, str]]:
    """Text, colour and marker of what there is among the subjects."""
    kinds = (
        (f"true class: {_short(labels[1])}", VERMILION, "o"),
        (f"true class: {_short(labels[0])}", BLUE, "s"),
        ("subject", BLUE, "o"),
        ("control", BLACK, "D"),
    )
    there = set(_kind_of(subjects, labels).tolist())
    return [kind for kind in kinds if kind[0] in there]


def _trained(subjects: pd.DataFrame) -> str:
    return "\n* the model was fitted on this subject" if subjects["in_training"].any() else ""


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _plain(axes: Axes, *others: object) -> None:
    """A dollar sign in a name is a dollar sign."""
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label, *others):
        text.set_parse_math(False)  # type: ignore[attr-defined]
