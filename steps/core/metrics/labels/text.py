"""What a study says of whole labels, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.data.labelling import CLASSES, SCORE
from steps.core.metrics.labels.metrics import LABEL_METRICS
from steps.core.metrics.names import CHANCE, SUBJECT, UNITS
from steps.writing.estimates import estimate_text

_SHOWN = {
    "classes": ("macro_auc", "balanced_accuracy"),
    "ordered": ("concordance", "balanced_accuracy", "mae"),
    "score": ("concordance", "rank_correlation", "mae"),
}


def label_text(document: Mapping[str, Any], level: str) -> str:
    """``subjects, 3 classes: macro AUC 0.93 [0.81, 0.98], balanced accuracy 0.79 [0.58, 0.91]``, for the console."""
    metrics = document[level]["metrics"]
    told = ", ".join(
        f"{LABEL_METRICS[name].title} {estimate_text(metrics[name])}"
        for name in _SHOWN[document["kind"]]
        if name in metrics
    )
    return f"{UNITS[level]}, {_what(document)}: {told}"


def _what(document: Mapping[str, Any]) -> str:
    if document["kind"] == SCORE:
        return "the score"
    return f"{len(document['names'])} {'classes' if document['kind'] == CLASSES else 'ordered classes'}"


def label_sentence(document: Mapping[str, Any]) -> str:
    """Whether the whole label can be told in a new person, in a sentence; judged by the primary metric of subjects."""
    metrics = document[SUBJECT]["metrics"]
    found = metrics.get(document["primary"])
    what = {"classes": "All classes", "ordered": "All levels", "score": "The score"}[document["kind"]]
    if found is None:
        why = "not every class was tested" if document["kind"] == CLASSES else "all tested subjects are alike"
        return f"{what}: nothing can be said, {why}."
    measured = f"{LABEL_METRICS[document['primary']].title} of subjects {estimate_text(found)}, guessing has {CHANCE}"
    if document["kind"] == SCORE and "mae" in metrics:
        measured += (
            f"; the mean error is {estimate_text(metrics['mae'])} points, that of always saying the median "
            f"{metrics['mae_of_guessing']['value']:.3g}"
        )
    elif "balanced_accuracy" in metrics:
        guessing = 1 / len(document["names"])
        measured += f"; balanced accuracy {estimate_text(metrics['balanced_accuracy'])}, guessing has {guessing:.3g}"
    if "low" not in found or found["low"] <= CHANCE <= found["high"]:
        return f"{what}: not shown to be told better than by guessing in a new person; {measured}."
    if found["high"] < CHANCE:
        return f"{what}: the models are of no use as they are; {measured}."
    return f"{what}: told in a new person better than by guessing; {measured}."
