"""The comparison as a figure: differences with their intervals, and the subjects one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.style import BLUE, GREY, VERMILION, paper, plain, short
from steps.core.metrics.comparison import PARTS, compared
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.significance import subject_errors

NAME_LENGTH = 28


def differences(document: Mapping[str, Any], first: pd.DataFrame, second: pd.DataFrame) -> Figure:
    """Left: differences of metrics with paired intervals. Right: every subject's Brier score under both.

    Args:
        document: from `steps.core.metrics.comparison.comparison`.
        first: results of the first method.
        second: results of the second method.
    """
    names = [short(document[part]["title"], NAME_LENGTH) for part in PARTS[:2]]
    metrics = [one for one in compared(document) if one.name in document[SUBJECT]]
    figure = paper(11.0, max(4.4, 1.6 + 0.42 * len(metrics)))
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    left.axvline(0, color=GREY, linestyle=":", linewidth=1.2)
    for level, colour, marker, shift in ((SUBJECT, VERMILION, "s", -0.13), (POOLED, BLUE, "o", 0.13)):
        for row, one in enumerate(metrics):
            difference = document[level].get(one.name, {}).get("difference")
            if difference is None:
                continue
            if "low" in difference:
                left.plot([difference["low"], difference["high"]], [row + shift] * 2, color=colour, linewidth=2)
            left.plot(
                difference["value"], row + shift, marker=marker, color=colour, linestyle="none", label=UNITS[level]
            )
    handles, labels = left.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    left.legend(unique.values(), unique.keys(), loc="best", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    left.set_yticks(range(len(metrics)), [one.title_with_direction for one in metrics])
    left.invert_yaxis()
    left.set_xlabel(f"difference: {names[0]} minus {names[1]}")
    left.set_title("Differences with 95% intervals over subjects", fontsize=11)
    plain(left)
    _subjects(right, subject_errors(first), subject_errors(second), names)
    return figure


def _subjects(axes: Any, first: pd.Series, second: pd.Series, names: list[str]) -> None:
    one, other = first.to_numpy(np.float64), second.to_numpy(np.float64)
    end = max(float(one.max()), float(other.max()), 1e-6) * 1.06
    axes.plot([0, end], [0, end], color=GREY, linestyle=":", linewidth=1.2)
    axes.plot(one, other, marker="o", linestyle="none", color=BLUE, alpha=0.75, markeredgecolor="white", clip_on=False)
    for name, x, y, side, edge in ((names[0], 0.03, 0.97, "left", "top"), (names[1], 0.97, 0.03, "right", "baseline")):
        axes.text(
            *(x, y, f"{name} better"), transform=axes.transAxes, ha=side, va=edge, fontsize=9, color=GREY,
            parse_math=False,
        )  # fmt: skip
    axes.set(
        xlim=(0, end),
        ylim=(0, end),
        aspect="equal",
        xlabel=f"Brier score, {names[0]}",
        ylabel=f"Brier score, {names[1]}",
    )
    axes.set_title("A point is a subject; lower is better", fontsize=11)
    plain(axes)
