"""The heatmap of attributions over time, under the mean trajectories of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke

from steps.core.data.manifest import PlantedTruth
from steps.core.figures.style import BLUE, FEATURE_NAME, VERMILION, edges, paper, plain, short, style

HEATMAP_FEATURES = 80  # with more the names would run into each other
TRAJECTORIES = 3
_PANEL, _ROW = 1.35, 0.21  # inches of a panel of trajectories, and of a row of the map
_CLASSES: tuple[tuple[int, str, Literal["-", "--"], str], ...] = ((0, BLUE, "--", "\\\\\\"), (1, VERMILION, "-", ""))


def heatmap(
    values: npt.NDArray[np.float64],
    features: Sequence[str],
    time: Sequence[float],
    *,
    time_unit: str = "sample",
    truth: PlantedTruth | None = None,
    trajectories: pd.DataFrame | None = None,
    label_names: Sequence[str] = ("0", "1"),
    title: str = "Attribution of held-out trials",
) -> Figure:
    """Mean absolute attribution over time, a row per feature, the most important on top.

    Args:
        values: mean absolute attribution in probability, shape ``(features, timesteps)``.
        features: names of the rows; of more than 80 the most important 80 are drawn.
        time: the time axis, strictly increasing.
        time_unit: its unit.
        truth: windows that a simulated study changed, outlined.
        trajectories: from `steps.core.attribution.trajectories.class_trajectories`; those of the three most important
            features are drawn above the map, on the same time axis.
        label_names: names of class 0 and class 1.
        title: what is shown.
    """
    order = np.argsort(-values.mean(axis=1), kind="stable")[:HEATMAP_FEATURES]
    names = [features[i] for i in order]
    above = (
        [] if trajectories is None else [name for name in names[:TRAJECTORIES] if name in set(trajectories["feature"])]
    )
    rows = _ROW * max(4, len(names)) + 0.3
    figure = paper(9.0, 1.4 + rows + _PANEL * len(above) + (0.3 if above else 0))
    grid = figure.add_gridspec(
        len(above) + 1, 2, width_ratios=[1, 0.022], height_ratios=[*([_PANEL] * len(above)), rows]
    )
    axes = figure.add_subplot(grid[-1, 0])
    _map(axes, values[order], names, time, time_unit, truth)
    bar = figure.colorbar(axes.collections[0], cax=figure.add_subplot(grid[-1, 1]))
    bar.set_label("mean |attribution|\n(probability per time point)")
    bar.outline.set_visible(False)
    windows = truth.windows if truth else {}
    for row, name in enumerate(above):
        panel = figure.add_subplot(grid[row, 0], sharex=axes)
        assert trajectories is not None  # noqa: S101 - there is nothing above without
        _trajectory(panel, trajectories[trajectories["feature"] == name], name, time, windows.get(name))
    if above:
        _legend(figure, label_names)
    left_out = len(features) - len(names)
    figure.suptitle(
        f"{title}, features sorted by importance"
        + (f" (+{left_out} less important)" if left_out else "")
        + ("\nboxes: what the simulated study changed" if windows else ""),
        fontsize=11,
    )
    return figure


def _map(
    axes: Axes,
    values: npt.NDArray[np.float64],
    names: Sequence[str],
    time: Sequence[float],
    time_unit: str,
    truth: PlantedTruth | None,
) -> None:
    border = edges(time)
    # Thousands of cells are one bitmap in an SVG.
    axes.pcolormesh(border, np.arange(len(names) + 1) - 0.5, values, cmap="cividis", vmin=0, rasterized=True)
    axes.invert_yaxis()
    for row, name in enumerate(names):
        if truth and name in truth.windows:
            first, last = truth.windows[name]
            box = Rectangle(
                (border[first], row - 0.42),
                border[last + 1] - border[first],
                0.84,
                fill=False,
                edgecolor="white",
                linewidth=1.4,
                path_effects=[Stroke(linewidth=3.2, foreground="black"), Normal()],
            )
            axes.add_patch(box)
    axes.set_yticks(range(len(names)), [short(name, FEATURE_NAME) for name in names], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"time ({time_unit})")
    plain(axes)


def _trajectory(
    axes: Axes, table: pd.DataFrame, name: str, time: Sequence[float], window: tuple[int, int] | None
) -> None:
    """Both classes' mean over subjects with one standard deviation between them, in the unit of the feature."""
    style(axes)
    for label, colour, line, hatch in _CLASSES:
        own = table[table["label"] == label]
        if not len(own):
            continue
        mean, sd = own["mean"].to_numpy(np.float64), np.nan_to_num(own["sd"].to_numpy(np.float64))
        axes.fill_between(
            time, mean - sd, mean + sd, facecolor=colour, alpha=0.16, linewidth=0, hatch=hatch, edgecolor=colour
        )
        axes.plot(time, mean, color=colour, linestyle=line, linewidth=1.8, marker="o" if len(time) == 1 else "")
    if window:
        border = edges(time)
        for at in (border[window[0]], border[window[1] + 1]):
            axes.axvline(at, color="black", linewidth=0.9, linestyle=":")
    unit = str(table["unit"].iloc[0])
    axes.set_ylabel(short(name, 22) + (f"\n({short(unit, 12)})" if unit else ""), fontsize=8)
    axes.tick_params(labelbottom=False)
    axes.tick_params(axis="y", labelsize=8)
    plain(axes)


def _legend(figure: Figure, label_names: Sequence[str]) -> None:
    handles: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            color=colour,
            linestyle=line,
            linewidth=1.8,
            label=f"mean of {short(label_names[label], FEATURE_NAME)}",
        )
        for label, colour, line, _ in reversed(_CLASSES)
    ]
    handles.append(Patch(facecolor="#BBBBBB", label="± 1 SD between subjects"))
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
