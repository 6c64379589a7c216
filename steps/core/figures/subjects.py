"""Every subject: its probability, and how it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steps.core.figures.style import (
    BLACK,
    BLUE,
    GREY,
    THRESHOLD_LINES,
    VERMILION,
    paper,
    plain,
    rule_title,
    sheet,
    short,
)
from steps.core.metrics.decisions import Bools, rows_of
from steps.core.metrics.names import Rule
from steps.core.metrics.predictions import Scores

NAMED_SUBJECTS = 60  # with more the names would run into each other
ROWS, BLOCKS = 60, 4  # of the subject table
_HEADER = 6.6  # rows


def subject_probabilities(
    trials: Scores, subjects: Scores, thresholds: Sequence[float], label_names: Sequence[str]
) -> Figure:
    """Each subject's mean probability over its trials (small marks), sorted, with the thresholds as lines.

    Args:
        trials: one probability per trial.
        subjects: one probability per subject (and label).
        thresholds: decision thresholds.
        label_names: names of class 0 and class 1.
    """
    order = np.argsort(subjects.probabilities, kind="stable")
    names = subjects.subjects[order]
    figure, axes = sheet(min(14.0, max(6.0, 2.6 + 0.19 * len(order))), 5.0)
    position = {
        (subject, label): x for x, (subject, label) in enumerate(zip(names, subjects.labels[order], strict=True))
    }
    size = 3 if len(trials.labels) > 200 else 6
    positions = np.array([position[key] for key in zip(trials.subjects, trials.labels, strict=True)], dtype=np.float64)
    for threshold, line in zip(thresholds, cycle(THRESHOLD_LINES), strict=False):
        axes.axhline(threshold, color=BLACK, linestyle=line, linewidth=0.9, label=f"threshold {threshold}", zorder=1)
    for label, colour, marker, face in ((1, VERMILION, "o", VERMILION), (0, BLUE, "s", "white")):
        of_class = trials.labels == label
        axes.plot(
            positions[of_class],
            trials.probabilities[of_class],
            ".",
            color=colour,
            markersize=size,
            alpha=0.35,
            zorder=2,
        )
        mine = np.flatnonzero(subjects.labels[order] == label)
        axes.plot(
            mine,
            subjects.probabilities[order][mine],
            marker,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=1.5,
            markersize=7,
            label=f"true class: {short(label_names[label])}",
            zorder=3,
        )
    axes.set(
        xlim=(-0.7, len(order) - 0.3),
        ylim=(-0.02, 1.02),
        ylabel=f"probability of {short(label_names[1])}",
        xlabel=_counted(names),
    )
    axes.grid(visible=False, axis="x")
    if len(order) <= NAMED_SUBJECTS:
        axes.set_xticks(range(len(order)), [short(name) for name in names], rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    plain(axes, legend)
    axes.set_title("Held-out probabilities: mean (large) and trials (small)", fontsize=11)
    return figure


def _counted(names: npt.NDArray[np.str_]) -> str:
    """Whom the positions are: a subject with trials of both classes has two."""
    people = len(np.unique(names))
    twice = len(names) - people
    if not twice:
        return f"{people} subjects, sorted by mean probability"
    who = "each" if twice == people else f"{twice} of them"
    return f"{people} subjects, {who} once per class, sorted by mean probability"


def subject_table(
    trials: Scores, subjects: Scores, decided: Mapping[str, Mapping[Rule, Bools]], label_names: Sequence[str]
) -> Figure:
    """A row per subject, the most probable first: true class, trials, probability, right or wrong decisions.

    Args:
        trials: one probability per trial; a line in each row goes from the lowest to the highest.
        subjects: one probability per subject (and label).
        decided: ``mean`` and ``vote`` -> rule -> decisions in the order of ``subjects``.
        label_names: names of class 0 and class 1.
    """
    order = np.argsort(-subjects.probabilities, kind="stable")
    room = ROWS * BLOCKS
    left_out = max(0, len(order) - room)
    if left_out:  # the middle says least
        order = np.concatenate([order[: room // 2], order[-(room // 2) :]])
    parts = np.array_split(order, -(-len(order) // ROWS))
    columns = {f"{rule_title(rule)}\n{how}": made for how, rules in decided.items() for rule, made in rules.items()}
    figure = paper((4.6 + 0.3 * len(columns)) * len(parts), 0.9 + 0.19 * (len(parts[0]) + _HEADER))
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    rows = rows_of(trials, subjects)
    lowest, highest = np.ones(len(subjects.labels)), np.zeros(len(subjects.labels))
    np.minimum.at(lowest, rows, trials.probabilities)
    np.maximum.at(highest, rows, trials.probabilities)
    sizes = np.bincount(rows)
    for axes, part in zip(panels, parts, strict=True):
        _table(axes, part, subjects, (lowest, highest, sizes), columns, label_names)
    title = "Held-out subjects by probability\nmark: mean, line: lowest to highest trial, ×: wrong decision"
    if left_out:
        title += f"\n{left_out} in the middle are left out, see subjects.csv"
    figure.suptitle(title, fontsize=11)
    return figure


def _table(
    axes: Axes,
    part: npt.NDArray[np.intp],
    subjects: Scores,
    of_trials: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.intp]],
    columns: Mapping[str, Bools],
    label_names: Sequence[str],
) -> None:
    """One block of rows. Across, the probabilities are the panel from 0 to 1; the other columns stand beside it."""
    lowest, highest, sizes = of_trials
    across = {"subject": -1.25, "true class": -0.68, "trials": -0.07}
    right_of_panel = {name: 1.12 + 0.13 * index for index, name in enumerate(columns)}
    for name, x in across.items():
        side: Literal["left", "right"] = "right" if name == "trials" else "left"
        axes.text(x, -0.8, name, fontsize=9, ha=side, va="bottom", fontweight="bold")
    for name, x in right_of_panel.items():
        axes.text(x, -0.8, name, fontsize=8, ha="center", va="bottom", rotation=90, fontweight="bold", linespacing=1.0)
    axes.vlines([0, 0.25, 0.5, 0.75, 1], -0.6, len(part) - 0.4, color="#E5E5E5", linewidth=0.7, zorder=0)
    labels, height = subjects.labels[part], np.arange(len(part))
    axes.hlines(height, lowest[part], highest[part], color=GREY, linewidth=1.2, zorder=2)
    for label, colour, marker, face in ((1, VERMILION, "o", VERMILION), (0, BLUE, "s", "white")):
        mine = labels == label
        axes.plot(subjects.probabilities[part][mine], height[mine], marker, color=colour, markerfacecolor=face,
                  markersize=5.5, markeredgewidth=1.3, zorder=3)  # fmt: skip
    for name, made in columns.items():
        wrong = made[part] != (labels == 1)
        x = right_of_panel[name]
        axes.plot(np.full(wrong.sum(), x), height[wrong], "x", color=VERMILION, markersize=5.5, markeredgewidth=1.8)
        axes.plot(np.full((~wrong).sum(), x), height[~wrong], ".", color=GREY, markersize=3)
    for row, index in enumerate(part):
        texts = {
            "subject": short(str(subjects.subjects[index])),
            "true class": short(str(label_names[int(subjects.labels[index])])),
            "trials": str(sizes[index]),
        }
        for name, text in texts.items():
            side = "right" if name == "trials" else "left"
            axes.text(across[name], row, text, fontsize=8, ha=side, va="center", parse_math=False)
    edge = max([1.02, *(x + 0.08 for x in right_of_panel.values())])
    axes.set(xlim=(-1.27, edge), ylim=(len(part) - 0.4, -_HEADER))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"], fontsize=8)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_bounds(0, 1)
    axes.text(0.5, -0.8, f"probability of\n{short(label_names[1])}", fontsize=9, ha="center", va="bottom",
              fontweight="bold", parse_math=False)  # fmt: skip
