"""The figure of a comparison."""

from __future__ import annotations

import io

import numpy as np

from steps.core.figures.comparison import differences
from steps.core.metrics.comparison import comparison
from tests.core.metrics.conftest import MethodMaker


def test_the_figure_draws_what_there_is(make_method: MethodMaker) -> None:
    first, second = make_method(title="$x_1$" * 9), make_method(noise=1)
    document = comparison(first, second, (0.5, 0.43))
    figure = differences(document, first.results, second.results)
    left, right = figure.axes
    drawn = left.get_lines()
    points = [line for line in drawn if line.get_linestyle() == "None"]
    assert len(points) == 2 * len(left.get_yticks())
    assert np.asarray(points[0].get_xdata())[0] == document["subject"]["auc"]["difference"]["value"]
    assert len(np.asarray(right.get_lines()[1].get_xdata())) == 20
    target = io.BytesIO()
    figure.savefig(target, format="svg")
    assert target.getvalue().startswith(b"<?xml")
