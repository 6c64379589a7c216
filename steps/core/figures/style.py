"""What all figures of an evaluation share.

Colours are those of Okabe & Ito (2008), told apart by colour-blind readers; line styles and markers differ as well, so
that the figures survive a grey printer. Names come from the user and are never read as formulas.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from steps.core.metrics.names import IN_FOLD, Rule

BLUE, VERMILION, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#767676"
THRESHOLD_MARKERS = "osD^v"
THRESHOLD_LINES = ("-", "--", ":", "-.")
IN_FOLD_MARKER = "P"
NAME_LENGTH = 20


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one styled panel; inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style(axes)
    return figure, axes


def style(axes: Axes) -> None:
    """A faint grid behind, no frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)


def short(name: str) -> str:
    """A name that leaves room for the others."""
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def rule_title(rule: Rule) -> str:
    """``threshold 0.5``, or ``in-fold threshold``."""
    return "in-fold threshold" if rule == IN_FOLD else f"threshold {rule}"


def plain_ticks(axes: Axes) -> None:
    """A dollar sign in a name is a dollar sign."""
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)


def plain_legend(legend: Legend) -> None:
    """The same in a legend."""
    for text in legend.get_texts():
        text.set_parse_math(False)
