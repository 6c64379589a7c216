"""Importance as bars: of all held-out trials, and of hits beside errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from steps.core.data.manifest import PlantedTruth
from steps.core.figures.style import BLACK, BLUE, FEATURE_NAME, VERMILION, plain, sheet, short, whiskers

BAR_FEATURES = 24
OUTCOME_FEATURES = 12


def bars(importance: pd.DataFrame, *, truth: PlantedTruth | None = None) -> Figure:
    """The most important features as bars, with 95% intervals over subjects, or one SD over folds without those.

    Args:
        importance: from `steps.core.attribution.importance.feature_importance`; the first 24 rows are drawn.
        truth: what a simulated study changed; those bars are hatched.
    """
    top = importance.head(BAR_FEATURES)
    rows = np.arange(len(top))
    planted = top["feature"].isin(list(truth.windows) if truth else []).to_numpy(bool)
    figure, axes = sheet(7.0, 1.8 + 0.24 * max(4, len(top)), grid="x")
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
    values = top["importance"].to_numpy(np.float64)
    if top["low"].notna().any():
        lengths = whiskers(values, top["low"].to_numpy(np.float64), top["high"].to_numpy(np.float64))
        meaning = "95% interval over subjects"
    else:
        spread = top["sd"].to_numpy(np.float64)
        lengths = np.array([np.minimum(spread, values), spread])  # a magnitude is not negative
        meaning = "± 1 SD over folds"
    if np.isfinite(lengths).any():
        axes.errorbar(values, rows, xerr=lengths, fmt="none", color=BLACK, linewidth=1, capsize=2.5)
        handles.append(Line2D([], [], color=BLACK, linewidth=1, label=meaning))
    if truth:
        handles.insert(0, Patch(facecolor=BLUE, label="not changed"))
        handles.insert(0, Patch(facecolor=VERMILION, hatch="///", edgecolor="white", label="changed in the simulation"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    axes.set_ylim(len(top) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_yticks(rows, [short(name, FEATURE_NAME) for name in top["feature"]], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    left_out = len(importance) - len(top)
    axes.set_xlabel(
        "importance: mean |attribution| (probability per time point)"
        + (f"\n+{left_out} more features, each less important" if left_out else "")
    )
    axes.set_title("Feature importance in held-out trials", fontsize=11)
    plain(axes)
    return figure


def outcome_bars(table: pd.DataFrame, importance: pd.DataFrame) -> Figure:
    """Importance among the trials a model got right beside that among those it got wrong.

    Args:
        table: from `steps.core.attribution.outcomes.importance_by_outcome`; an outcome without trials is left out.
        importance: gives the order; the first 12 features are drawn.
    """
    names = importance["feature"].head(OUTCOME_FEATURES).tolist()
    rows = np.arange(len(names))
    figure, axes = sheet(7.0, 1.8 + 0.38 * max(4, len(names)), grid="x")
    handles = []
    for outcome, word, offset, colour, hatch in (
        ("hit", "right", -0.19, BLUE, ""),
        ("error", "wrong", 0.19, VERMILION, "\\\\\\"),
    ):
        own = table[table["outcome"] == outcome]
        if not len(own):
            continue
        drawn = own.set_index("feature").loc[names]
        values = drawn["importance"].to_numpy(np.float64)
        axes.barh(rows + offset, values, height=0.36, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        if drawn["low"].notna().any():
            lengths = whiskers(values, drawn["low"].to_numpy(np.float64), drawn["high"].to_numpy(np.float64))
            axes.errorbar(values, rows + offset, xerr=lengths, fmt="none", color=BLACK, linewidth=0.9, capsize=2)
        trials, subjects = int(own["trials"].iloc[0]), int(own["subjects"].iloc[0])
        label = f"{word}: {trials} trial{'s' * (trials != 1)} of {subjects} subject{'s' * (subjects != 1)}"
        handles.append(Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_yticks(rows, [short(str(name), FEATURE_NAME) for name in names], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("importance: mean |attribution| (probability per time point)\nwhiskers: 95% interval over subjects")
    axes.set_title("Trials decided rightly and wrongly at 0.5", fontsize=11)
    plain(axes)
    return figure
