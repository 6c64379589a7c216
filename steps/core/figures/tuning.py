"""Searches for better settings as figures: how values fell, and which parameters made a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from steps.core.data.tried import Tried
from steps.core.figures.style import BLUE, GREY, VERMILION, plain, sheet, short

NAME_LENGTH = 40


def search_history(searches: Mapping[str, Sequence[Tried]], everybody: str) -> Figure:
    """The best value so far of every search against its tries, and the tries themselves.

    Args:
        searches: name of the fold -> its tries.
        everybody: name of the search on all subjects.
    """
    figure, axes = sheet(6.8, 4.2)
    for name, tried in searches.items():
        finished = [one for one in tried if one.value is not None]
        numbers, values = [one.number + 1 for one in finished], [one.values[-1] for one in finished]
        is_all = name == everybody
        colour, order = (VERMILION, 3) if is_all else (BLUE, 2)
        label = "everybody: best so far" if is_all else "a fold: best so far"
        axes.plot(numbers, values, ".", color=colour, alpha=0.35, markersize=4, markeredgewidth=0, zorder=order)
        axes.step(
            numbers,
            list(accumulate(values, min)),
            where="post",
            color=colour,
            linewidth=2.4 if is_all else 1,
            alpha=1 if is_all else 0.6,
            label=label,
            zorder=order,
        )
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), frameon=False, loc="best", fontsize=9)
    axes.set(xlabel="try (1: the defaults)", ylabel="Brier score of inner held-out subjects")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Searches: lower is better; the outer test subjects have no part in it", fontsize=11)
    return figure


def search_importance(importance: Sequence[Mapping[str, float]]) -> Figure:
    """Share of each parameter in how much the values of tries differ: the mean over searches, and each as a point.

    Args:
        importance: of each search, where it could be told; at least one.
    """
    names = sorted({name for one in importance for name in one})
    shares = np.array([[one.get(name, 0.0) for name in names] for one in importance])
    order = np.argsort(shares.mean(axis=0), kind="stable")
    figure, axes = sheet(6.8, 1.6 + 0.36 * len(names), grid="x")
    rows = np.arange(len(names))
    axes.barh(rows, shares.mean(axis=0)[order], color=BLUE, alpha=0.35, height=0.6)
    for one in shares:
        axes.plot(one[order], rows, "o", color=GREY, markersize=3, linestyle="none", clip_on=False)
    axes.set_yticks(rows, [short(names[place], NAME_LENGTH) for place in order])
    axes.set(xlim=(0, 1), xlabel="share of the differences between tries (PED-ANOVA)")
    figure.suptitle("Which parameters made a difference (a point is a search)", fontsize=11)  # above long names, too
    plain(axes)
    return figure
