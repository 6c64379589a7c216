"""What all figures share: colours, axes, and names that stay text.

Colours are those of Okabe & Ito (2008) and the colour map is cividis: both keep their order in grey and for readers who
tell few colours apart. Line styles, hatches and markers differ as well, so that figures survive a grey printer. Names
come from the user and are never read as formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from steps.core.metrics.names import IN_FOLD, Rule

BLUE, VERMILION, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#767676"
GRID = "#E5E5E5"
THRESHOLD_MARKERS = "osD^v"
THRESHOLD_LINES = ("-", "--", ":", "-.")
IN_FOLD_MARKER = "P"
SUBJECT_NAME, FEATURE_NAME = 20, 32  # most characters that there is room for


def paper(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def sheet(width: float, height: float, *, grid: Literal["both", "x", "y"] = "both") -> tuple[Figure, Axes]:
    """A figure with one styled panel; inches."""
    figure = paper(width, height)
    axes = figure.subplots()
    style(axes, grid=grid)
    return figure, axes


def style(axes: Axes, *, grid: Literal["both", "x", "y"] = "both") -> None:
    """A faint grid behind, no frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def short(name: str, length: int = SUBJECT_NAME) -> str:
    """A name of at most ``length`` characters, so that all names fit."""
    return name if len(name) <= length else name[: length - 1] + "…"


def rule_title(rule: Rule) -> str:
    """``threshold 0.5``, or ``in-fold threshold``."""
    return "in-fold threshold" if rule == IN_FOLD else f"threshold {rule}"


def plain(axes: Axes, legend: Legend | None = None) -> None:
    """A dollar sign in a name is a dollar sign: in the labels of axes and ticks, and in a legend."""
    texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label]
    for text in (*texts, *(legend.get_texts() if legend else ())):
        text.set_parse_math(False)


def edges(time: Sequence[float]) -> npt.NDArray[np.float64]:
    """Borders between time points: halfway, and as far beyond the ends."""
    points = np.asarray(time, dtype=np.float64)
    if len(points) == 1:
        return np.array([points[0] - 0.5, points[0] + 0.5])
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def whiskers(
    values: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Lengths below and above for `Axes.errorbar`; a percentile interval need not hold its own estimate."""
    return np.maximum([values - low, high - values], 0)
