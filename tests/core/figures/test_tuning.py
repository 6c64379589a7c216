"""Figures of searches."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from steps.core.data.tried import Tried
from steps.core.figures.tuning import search_history, search_importance


def test_the_history_is_the_best_so_far_of_what_finished() -> None:
    values = [(0.3, 0.25), (0.9,), (0.2, 0.3), (0.1, 0.2)]
    tried = [
        Tried(number, {"model": "cnn"}, {}, one, "finished" if len(one) == 2 else "stopped", 1.0)
        for number, one in enumerate(values)
    ]
    axes = search_history({"fold-1": tried, "all": tried[:1]}, "all").axes[0]
    lines = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines] == [[1, 3, 4], [1]]
    assert [np.asarray(line.get_ydata()).tolist() for line in lines] == [[0.25, 0.25, 0.2], [0.25]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a fold: best so far", "everybody: best so far"]


def test_importance_is_the_mean_over_searches_the_largest_on_top() -> None:
    axes = search_importance([{"a$b": 0.2, "c": 0.8}, {"a$b": 0.4, "c": 0.6}]).axes[0]
    assert [round(bar.get_width(), 6) for bar in axes.patches if isinstance(bar, Rectangle)] == [0.3, 0.7]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a$b", "c"]
