"""Figures: they show what the tables hold, and survive hostile names."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.figures.probabilities import probabilities
from steps.core.metrics.scores import by_subject, score


class _Ramp:
    def __call__(self, inputs: np.ndarray, *, training: bool) -> np.ndarray:
        return np.linspace(0, 1, len(inputs))[:, None]


def drawn(unseen: Unseen, trained: TrainingReference, labels: tuple[str, str] = ("no_fear", "fear")) -> Figure:
    table = score(_Ramp(), unseen, trained, 0.4)
    return probabilities(table, by_subject(table, 0.4), labels)


def texts(figure: Figure) -> str:
    axes = figure.axes[0]
    legend = axes.get_legend()
    shown = [*axes.get_xticklabels(), axes.xaxis.label, *(legend.get_texts() if legend else [])]
    return " | ".join(text.get_text() for text in shown)


def test_classes_threshold_and_trained_subjects_are_shown(unseen: Unseen, trained: TrainingReference) -> None:
    shown = texts(drawn(unseen, trained))
    for text in ("true class: fear", "true class: no_fear", "control", "threshold 0.4"):
        assert text in shown
    assert "fitted on" not in shown
    assert "* the model was fitted on this subject" in texts(
        drawn(replace(unseen, in_training=unseen.subjects == "N01"), trained)
    )


def test_without_labels_no_class_is_claimed(unseen: Unseen, trained: TrainingReference) -> None:
    assert "true class" not in texts(drawn(replace(unseen, labels=None), trained))


def test_unusual_trials_have_a_sign_of_their_own(unseen: Unseen, trained: TrainingReference) -> None:
    far = unseen.values.copy()
    far[0] += 1000 * np.asarray(trained.sd, dtype=np.float32)
    assert "unusual trial" in texts(drawn(replace(unseen, values=far), trained))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_names_are_never_read_as_formulas_or_markup(unseen: Unseen, trained: TrainingReference, suffix: str) -> None:
    labels = ("$\\frac{", "<script>")
    file = io.BytesIO()
    drawn(unseen, trained, labels).savefig(file, format=suffix)
    if suffix == "svg":
        tree = ET.fromstring(file.getvalue().decode())  # noqa: S314 - our own
        assert not [element for element in tree.iter() if element.tag.endswith("script")]
