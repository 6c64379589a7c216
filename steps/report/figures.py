"""The figures of a report: those of the steps, drawn again as SVG from the tables, with captions and alt texts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from steps.core.figures.evaluation import all_figures
from steps.core.figures.labels import label_figures
from steps.report import attribution
from steps.report.data import ReportData
from steps.writing.png import as_svg

EVALUATION, ATTRIBUTION, APPENDIX = "evaluation", "attribution", "appendix"
# What checks the study rather than answers its question.
_IN_APPENDIX = {"confusion", "training_curves", "test_numbers"}
_TABLES_OF_THE_PAGE = {"subject_table"}  # the page says the same in a table that can be sorted


@dataclass(frozen=True)
class Picture:
    """A figure ready for a page.

    Attributes:
        name: what it is, e.g. ``roc``.
        part: ``evaluation``, ``attribution`` or ``appendix``.
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
    drawn = all_figures(data.results, data.summary, data.histories, data.label_names, data.in_fold)
    if data.label_results is not None and data.manifest.labelling:
        drawn = label_figures(data.label_results, data.manifest.labelling, data.summary["labels"]) | drawn
    evaluation = {name: figure for name, figure in drawn.items() if name not in _TABLES_OF_THE_PAGE}
    texts = _texts(data) | attribution.texts(data)
    return [
        _picture(name, APPENDIX if name in _IN_APPENDIX else part, figure, texts)
        for part, figures in ((EVALUATION, evaluation), (ATTRIBUTION, attribution.figures(data)))
        for name, figure in figures.items()
    ]


def _picture(name: str, part: str, figure: Figure, texts: Mapping[str, tuple[str, str]]) -> Picture:
    width, height = figure.get_size_inches() * 96
    title = name.replace("_", " ")
    caption, alt = texts.get(name, (f"{title.capitalize()}.", f"Figure: {title}."))
    return Picture(name, part, as_svg(figure), round(width), round(height), caption, alt)


def _texts(data: ReportData) -> dict[str, tuple[str, str]]:
    """Caption and alternative text of the figures of an evaluation."""
    counts, names = data.summary["counts"], data.label_names
    who = f"{counts['trials']} trials and {counts['subjects']} subjects"
    thresholds = ", ".join(f"{threshold:g}" for threshold in data.summary["thresholds"])
    return {
        "classes": (
            "Which class is taken for which. Rows are labels; the diagonal is right.",
            f"Counts of {who} by label and by the most probable class; a table above has the subjects'.",
        ),
        "scores": (
            "How scores come out. On the dotted line both agree; the vertical line is the cut-off of the question.",
            f"What the models say against the true score, of {who}.",
        ),
        "cut_offs": (
            "Would another cut-off do? AUC of subjects from every value on against all below, with 95% intervals.",
            "AUC of subjects over every cut-off; a table above has the numbers.",
        ),
        "roc": (
            "ROC. The further a curve is from the diagonal the better; the band is what other subjects might give.",
            f"ROC curves of {who}, AUC {_value(data, 'pooled', 'auc')} and {_value(data, 'subject', 'auc')}.",
        ),
        "precision_recall": (
            "Precision and recall. Guessing would give the dotted lines; the bands are what other subjects might give.",
            f"Precision against recall of {who}, average precision {_value(data, 'pooled', 'average_precision')} "
            f"and {_value(data, 'subject', 'average_precision')}.",
        ),
        "reliability": (
            "Are the probabilities as right as they say? Points on the dotted line are; intervals count the subjects "
            "in a bin, not the trials. Below, how many there are.",
            f"Observed share of {names[1]} against predicted probability of {who}, in ten bins; expected calibration "
            f"error {_value(data, 'pooled', 'ece')} and {_value(data, 'subject', 'ece')}.",
        ),
        "threshold_sweep": (
            "What every threshold would do. Vertical lines were declared beforehand; green ticks are what folds chose "
            "on their validation subjects.",
            f"Sensitivity, specificity and balanced accuracy of {who} over all thresholds, with those declared marked: "
            f"{thresholds}.",
        ),
        "decision_curve": (
            "Is acting on the model better than acting on everybody, or nobody? The further right, the worse one would "
            "find a false alarm compared with a miss. Net benefit depends on how common "
            f"{names[1]} is; here it is as common as in this study.",
            f"Decision curves of {who}: net benefit over threshold probabilities, against acting on all and none.",
        ),
        "abstention": (
            'What a "don\'t know" buys. At a declared error rate (10% is marked) the dashed line should stay at or '
            "below the dotted one; the higher the blue line, the more is answered.",
            f"Shares of {who} that are answered, and answered wrongly, against the declared error rate.",
        ),
        "learning_curve": (
            "What fewer subjects would have given, and where more may lead. The dashed part is a guess: the curve goes "
            "on as it went so far, if it does.",
            f"AUC of subjects against how many subjects train, of {who}, measured and continued.",
        ),
        "test_numbers": (
            "What other seeds would have given: every test number alone (circles), their spread, and the average of "
            "their models, which the results above are about.",
            f"Values of the main metrics for each of {counts['test_numbers']} test numbers, trials and subjects.",
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
    estimate = data.summary[level].get(name)
    return f"{estimate['value']:.2f}" if estimate else "undefined"
