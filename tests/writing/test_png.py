"""Figures as files."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure

from steps.writing.png import as_png, as_png_and_svg, as_svg


def drawn() -> Figure:
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.linspace(0, 1, 5), label="a & <b>")
    axes.fill_between([0, 4], 0, 1, alpha=0.2)
    axes.legend()
    axes.set_title("$100", parse_math=False)
    return figure


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert as_svg(drawn()) == as_svg(drawn())
    assert as_png(drawn()) == as_png(drawn())


def test_both_at_once_are_as_reproducible() -> None:
    png, svg = as_png_and_svg(drawn())
    assert png == as_png(drawn())
    assert (png, svg) == as_png_and_svg(drawn())


def test_svg_is_well_formed_and_says_nothing_of_when_and_where() -> None:
    text = as_svg(drawn()).decode()
    assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314
    assert not re.search(r"<metadata|<!DOCTYPE|20\d\d-\d\d|<script", text)
