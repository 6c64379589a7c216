"""What the figures of attributions share: colours, names that stay text.

The colour map (cividis) and the colours (Okabe & Ito 2008) keep their order in grey and for colour-blind readers; line
styles, hatches and markers differ as well. Names come from the user and are never read as formulas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

BLUE, VERMILION, GREY, BLACK = "#0072B2", "#D55E00", "#767676", "#000000"
GRID = "#E5E5E5"
NAME_LENGTH = 32


def paper(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with a single pair of axes."""
    figure = paper(width, height)
    return figure, figure.subplots()


def style(axes: Axes, *, grid: str = "both") -> None:
    """No frame, a faint grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def edges(time: Sequence[float]) -> npt.NDArray[np.float64]:
    """Borders between time points: halfway, and as far beyond the ends."""
    points = np.asarray(time, dtype=np.float64)
    if len(points) == 1:
        return np.array([points[0] - 0.5, points[0] + 0.5])
    middle = (points[1:] + points[:-1]) / 2
    return np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])


def short(name: str, length: int = NAME_LENGTH) -> str:
    """A name that fits beside a figure."""
    return name if len(name) <= length else name[: length - 1] + "…"


def plain(axes: Axes) -> None:
    """A dollar sign in a name is a dollar sign."""
    texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label]
    for text in texts:
        text.set_parse_math(False)


def plain_legend(legend: Legend) -> None:
    """The same for the entries of a legend."""
    for text in legend.get_texts():
        text.set_parse_math(False)


def whiskers(
    values: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Lengths below and above for `Axes.errorbar`; a percentile interval need not hold its own estimate."""
    return np.maximum([values - low, high - values], 0)
