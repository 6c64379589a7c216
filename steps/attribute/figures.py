"""Figures of attributions: functions that take arrays and return a `matplotlib.figure.Figure`.

The colour map (cividis) and the colours (Okabe & Ito 2008) keep their order in grey and for colour-blind readers.
Names come from the user and are never read as formulas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke

from steps.dataset import Dataset, PlantedTruth

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#767676"
HEATMAP_FEATURES = 80  # with more the names would run into each other
BAR_FEATURES = 24
NAME_LENGTH = 32


def heatmap(
    values: npt.NDArray[np.float64],
    features: Sequence[str],
    time: Sequence[float],
    *,
    time_unit: str = "sample",
    truth: PlantedTruth | None = None,
) -> Figure:
    """Mean absolute attribution over time, a row per feature, the most important on top.

    Args:
        values: mean absolute attribution in probability, shape ``(features, timesteps)``.
        features: names of the rows; of more than 80 the most important 80 are drawn.
        time: the time axis, strictly increasing.
        time_unit: its unit.
        truth: windows that a simulated study changed, outlined.
    """
    order = np.argsort(-values.mean(axis=1), kind="stable")[:HEATMAP_FEATURES]
    names = [features[i] for i in order]
    figure, axes = _figure(9.0, 1.7 + 0.21 * max(4, len(names)))
    edges = _edges(time)
    mesh = axes.pcolormesh(edges, np.arange(len(names) + 1) - 0.5, values[order], cmap="cividis", vmin=0)
    axes.invert_yaxis()
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=max(8, len(names)))
    bar.set_label("mean |attribution|\n(probability per time point)")
    bar.outline.set_visible(False)
    windows = truth.windows if truth else {}
    for row, name in enumerate(names):
        if name in windows:
            first, last = windows[name]
            box = Rectangle(
                (edges[first], row - 0.42),
                edges[last + 1] - edges[first],
                0.84,
                fill=False,
                edgecolor="white",
                linewidth=1.4,
                path_effects=[Stroke(linewidth=3.2, foreground="black"), Normal()],
            )
            axes.add_patch(box)
    axes.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"time ({time_unit})")
    axes.xaxis.label.set_parse_math(False)
    left_out = len(features) - len(names)
    axes.set_title(
        "Attribution of held-out trials, features sorted by importance"
        + (f" (+{left_out} less important)" if left_out else "")
        + ("\nboxes: what the simulated study changed" if windows else ""),
        fontsize=11,
    )
    _plain_ticks(axes)
    return figure


def bars(importance: pd.DataFrame, *, truth: PlantedTruth | None = None) -> Figure:
    """The most important features as bars, with whiskers of one standard deviation over folds.

    Args:
        importance: from `steps.attribute.importance.feature_importance`; the first 24 rows are drawn.
        truth: what a simulated study changed; those bars are hatched.
    """
    top = importance.head(BAR_FEATURES)
    rows = np.arange(len(top))
    planted = top["feature"].isin(list(truth.windows) if truth else []).to_numpy(bool)
    figure, axes = _figure(7.0, 1.8 + 0.24 * max(4, len(top)))
    axes.barh(
        rows,
        top["importance"],
        height=0.72,
        color=np.where(planted, VERMILION, BLUE).tolist(),
        hatch=np.where(planted, "///", "").tolist(),
        edgecolor="white",
        linewidth=0,
    )
    handles: list[Patch | Line2D] = []
    if top["sd"].notna().any():
        low = np.minimum(top["sd"], top["importance"])  # a magnitude is not negative
        axes.errorbar(
            top["importance"], rows, xerr=[low, top["sd"]], fmt="none", color="black", linewidth=1, capsize=2.5
        )
        handles.append(Line2D([], [], color="black", linewidth=1, label="± 1 SD over folds"))
    if truth:
        handles.insert(0, Patch(facecolor=BLUE, label="not changed"))
        handles.insert(0, Patch(facecolor=VERMILION, hatch="///", edgecolor="white", label="changed in the simulation"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    axes.set_ylim(len(top) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_yticks(rows, [_short(name) for name in top["feature"]], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)
    left_out = len(importance) - len(top)
    axes.set_xlabel(
        "importance: mean |attribution| (probability per time point)"
        + (f"\n+{left_out} more features, each less important" if left_out else "")
    )
    axes.set_title("Feature importance, Integrated Gradients of held-out trials", fontsize=11)
    _plain_ticks(axes)
    return figure


def all_figures(attribution_map: pd.DataFrame, importance: pd.DataFrame, dataset: Dataset) -> dict[str, Figure]:
    """Every figure of an attribution, by file name.

    Args:
        attribution_map: from `steps.attribute.importance.attribution_map`, unsigned.
        importance: from `steps.attribute.importance.feature_importance`.
        dataset: gives the time axis and, if simulated, the planted truth.
    """
    values = attribution_map.drop(columns="feature").to_numpy(np.float64)
    features = [str(name) for name in attribution_map["feature"]]
    truth = dataset.planted_truth
    return {
        "attribution_map.png": heatmap(values, features, dataset.time, time_unit=dataset.time_unit, truth=truth),
        "feature_importance.png": bars(importance, truth=truth),
    }


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _edges(time: Sequence[float]) -> npt.NDArray[np.float64]:
    """Borders between time points: halfway, and as far beyond the ends."""
    points = np.asarray(time, dtype=np.float64)
    if len(points) == 1:
        return np.array([points[0] - 0.5, points[0] + 0.5])
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _plain_ticks(axes: Axes) -> None:
    """A dollar sign in a name is a dollar sign."""
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
