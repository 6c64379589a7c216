"""The figures of a report: those of the steps, drawn again as SVG from the tables, with captions and alt texts."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from steps.evaluate.figures import all_figures
from steps.report import attribution
from steps.report.data import ReportData

EVALUATION, ATTRIBUTION = "evaluation", "attribution"


@dataclass(frozen=True)
class Picture:
    """A figure ready for a page.

    Attributes:
        name: what it is, e.g. ``roc``.
        part: ``evaluation`` or ``attribution``.
        svg: the drawing.
        width: in CSS pixels, as drawn.
        height: in CSS pixels, as drawn.
        caption: what to see in it.
        alt: what it shows, for those who do not see it.
    """

    name: str
    part: str
    svg: bytes
    width: int
    height: int
    caption: str
    alt: str

    @property
    def uri(self) -> str:
        """The drawing itself as a URI: an ``<img>`` runs no script and lends no style to the page."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg).decode()}"


def pictures(data: ReportData) -> list[Picture]:
    """Every figure that the study defines, in reading order."""
    drawn = all_figures(data.results, data.summary, data.histories, data.label_names)
    evaluation = {name.rpartition(".")[0]: figure for name, figure in drawn.items()}
    texts = _texts(data) | attribution.texts(data)
    return [
        _picture(name, part, figure, texts)
        for part, figures in ((EVALUATION, evaluation), (ATTRIBUTION, attribution.figures(data)))
        for name, figure in figures.items()
    ]


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
        figure.savefig(target, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    text = target.getvalue().decode()
    text = re.sub(r"<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    # A thousandth of a point is as fine as anybody can see; it saves half of the file.
    text = re.sub(r"(\d\.\d{3})\d+", r"\1", text)
    return re.sub(r"\n\s*", "\n", text).encode()


def _picture(name: str, part: str, figure: Figure, texts: Mapping[str, tuple[str, str]]) -> Picture:
    width, height = figure.get_size_inches() * 96
    title = name.replace("_", " ")
    caption, alt = texts.get(name, (f"{title.capitalize()}.", f"Figure: {title}."))
    return Picture(name, part, as_svg(figure), round(width), round(height), caption, alt)


def _texts(data: ReportData) -> dict[str, tuple[str, str]]:
    """Caption and alternative text of the figures that are known here."""
    counts, names = data.summary["counts"], data.label_names
    who = f"{counts['trials']} trials and {counts['subjects']} subjects"
    thresholds = ", ".join(f"{threshold:g}" for threshold in data.summary["thresholds"])
    return {
        "roc": (
            "ROC. The further a curve is from the diagonal the better; the band is what other subjects might give.",
            f"ROC curves of {who}, AUC {_value(data, 'pooled', 'auc')} and {_value(data, 'subject', 'auc')}.",
        ),
        "precision_recall": (
            "Precision and recall. Guessing would give the dotted lines.",
            f"Precision against recall of {who}, average precision {_value(data, 'pooled', 'average_precision')} "
            f"and {_value(data, 'subject', 'average_precision')}.",
        ),
        "confusion": (
            "Decisions at each threshold: counts, and shares of the true class.",
            f"Confusion matrices of {who} at the thresholds {thresholds}; the results table has the same as rates.",
        ),
        "subject_probabilities": (
            "Each subject's probability, large, and its trials, small. Filled circles should be above a threshold, "
            "open squares below.",
            f"Mean probability of {names[1]} of {counts['subjects']} subjects, sorted; the subject table has numbers.",
        ),
        "training_curves": (
            "Loss and accuracy of every fold. Where curves part, models learn their training subjects by heart.",
            f"Training and validation loss and accuracy per epoch of {len(data.histories)} folds.",
        ),
    }


def _value(data: ReportData, level: str, name: str) -> str:
    found = data.summary[level].get(name)
    return f"{found['value']:.2f}" if found else "undefined"
