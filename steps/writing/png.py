"""Figures as files: PNG for looking, SVG for printing; the same figure gives the same bytes."""

from __future__ import annotations

import io
import re

import matplotlib as mpl
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

DPI = 150


def as_png_and_svg(figure: Figure) -> tuple[bytes, bytes]:
    """A figure in both formats. Its layout takes most of the time and is made once."""
    png = as_png(figure)
    figure.set_layout_engine("none")
    return png, as_svg(figure)


def as_png(figure: Figure) -> bytes:
    """A figure as PNG."""
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=DPI)
    return target.getvalue()


def as_svg(figure: Figure) -> bytes:
    """A figure as SVG without date, random names or references to anything outside.

    Letters are drawn as shapes, so that they look the same without our fonts; a heatmap's cells, thousands of
    them, become one bitmap inside the drawing.
    """
    for axes in figure.axes:
        for mesh in axes.collections:
            if isinstance(mesh, QuadMesh):
                mesh.set_rasterized(True)
    target = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "report", "svg.fonttype": "path"}):
        figure.savefig(target, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    text = target.getvalue().decode()
    text = re.sub(r"<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    # A thousandth of a point is as fine as anybody can see; it saves half of the file.
    text = re.sub(r"(\d\.\d{3})\d+", r"\1", text)
    return re.sub(r"\n\s*", "\n", text).encode()
