"""Ratios, bars and the table."""

from __future__ import annotations

import json

import click
import pytest

from benchmarks.report import Bar, Result, Row, Series, as_json, from_json, markdown
from benchmarks.training import check_accuracy


def test_ratio_is_the_median_of_pairs_and_not_of_sides() -> None:
    row = Row("work", "s", project=(1.0, 2.0, 10.0), other=(4.0, 6.0, 20.0), bar=Bar("faster", 3.0))
    assert row.ratios == (4.0, 3.0, 2.0)
    assert row.met is True
    assert row.cells()[-3:] == ("3 (2 to 4)", "3 x faster", "yes")


@pytest.mark.parametrize(
    ("bar", "project", "other", "met"),
    [
        (Bar("faster", 3.0), 2.0, 6.0, True),
        (Bar("faster", 3.1), 2.0, 6.0, False),
        (Bar("longer", 1.03), 1.02, 1.0, True),
        (Bar("longer", 1.03), 1.04, 1.0, False),
        (Bar("at most", 0.5), 0.5, 24.0, True),
        (Bar("at most", 0.5), 0.51, 24.0, False),
    ],
)
def test_bars(bar: Bar, project: float, other: float, met: bool) -> None:
    assert Row("work", "s", (project,), (other,), bar=bar).met is met


def test_without_a_bar_nothing_is_met_or_missed() -> None:
    row = Row("work", "%", (30.0,), (10.0,), is_share=True)
    assert row.met is None
    assert row.ratios == (3.0,)


def test_sides_that_were_not_measured_in_pairs_are_compared_by_their_medians() -> None:
    assert Row("work", "s", project=(1.0, 3.0, 2.0), other=(8.0,)).ratios == (4.0,)


def test_markdown_and_json_hold_what_was_found() -> None:
    result = Result(
        [Row("fitting", "s", (1.0, 2.0), (4.0, 9.0), "Keras fit", Bar("faster", 3.5)), Row("memory", "GB", (1.5,))],
        ["Both reach the same."],
        [Series("Growth:", ("subjects", "s"), ((8, 1.25), (16, 2.5)))],
    )
    text = markdown(result, "python -m benchmarks", "a machine")
    assert "| fitting | Keras fit: 6.5 s | 1.5 s   | 4.25 (4 to 4.5) | 3.5 x faster | yes |" in text
    assert "- Both reach the same." in text
    assert "| 16       | 2.5  |" in text
    again = from_json(json.loads(as_json(result, "python -m benchmarks", "a machine")))
    assert again == result


def test_another_accuracy_means_no_ratio() -> None:
    assert "0.900" in check_accuracy({"Keras fit": [0.89, 0.91, 0.9], "project": [0.9, 0.9, 0.915]}, "cnn", 0.02)
    with pytest.raises(click.ClickException, match="Keras fit and project do not reach the same accuracy"):
        check_accuracy({"Keras fit": [0.9, 0.9, 0.9], "project": [0.9, 0.9, 0.83]}, "cnn", 0.02)
    with pytest.raises(click.ClickException, match="same accuracy"):
        check_accuracy({"Keras fit": [float("nan")], "project": [0.9]}, "cnn", 0.02)
