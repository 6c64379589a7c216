from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from steps.evaluate.figures import all_figures, roc, subject_probabilities, training_curves
from steps.evaluate.summary import summary
from steps.evaluate.tables import (
    FoldPrediction,
    Scores,
    results_table,
    subject_scores,
    subjects_table,
    trial_scores,
)
from tests.evaluate.conftest import StudyMaker, make_dataset

NAMES = ("no_fear", "fear $100 of $200")


def history(epochs: int) -> pd.DataFrame:
    falling = np.linspace(0.7, 0.2, epochs)
    return pd.DataFrame(
        {"loss": falling, "val_loss": falling + 0.1, "accuracy": 1 - falling, "val_accuracy": 0.9 - falling}
    )


def rendered(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def test_all_figures_of_a_study_render(study: StudyMaker) -> None:
    results = study()
    figures = all_figures(results, summary(results, resamples=50), [history(3), history(5)], NAMES)
    assert set(figures) == {
        "roc.png",
        "precision_recall.png",
        "confusion.png",
        "subject_probabilities.png",
        "training_curves.png",
    }
    for figure in figures.values():
        assert rendered(figure).startswith(b"\x89PNG")


def test_one_class_and_no_histories_leave_out_what_is_undefined() -> None:
    folds = [FoldPrediction(make_dataset([name], ["1"], [1]), 1, np.array([0.6])) for name in ("$a$", "_b <i>" * 20)]
    results = results_table(folds, (0.5,))
    figures = all_figures(results, summary(results, resamples=10), [], NAMES)
    assert set(figures) == {"confusion.png", "subject_probabilities.png"}
    for figure in figures.values():
        rendered(figure)


def test_roc_shows_the_interval_and_marks_the_thresholds(study: StudyMaker) -> None:
    results = study()
    document = summary(results, resamples=50)
    figure = roc(trial_scores(results), subject_scores(results), (0.5,), estimates_of=document)
    axes = figure.axes[0]
    legend = axes.get_legend()
    assert legend is not None
    texts = " ".join(text.get_text() for text in legend.get_texts())
    auc = document["pooled"]["auc"]
    assert f"AUC {auc['value']:.2f} [{auc['low']:.2f}, {auc['high']:.2f}]" in texts
    marks = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    pooled = document["pooled"]
    point = (1 - pooled["threshold_0.5/specificity"]["value"], pooled["threshold_0.5/recall"]["value"])
    assert any(np.allclose(mark, point) for mark in marks)


def test_roc_estimates_what_it_is_not_given() -> None:
    scores = Scores(np.array([0, 1], dtype=np.int8), np.array([0.2, 0.9]), np.array(["a", "a"]))
    rendered(roc(scores, scores))


def test_subjects_are_sorted_by_probability(study: StudyMaker) -> None:
    results = study()
    figure = subject_probabilities(trial_scores(results), subject_scores(results), (0.5,), ("calm", "fear"))
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown == subjects_table(results).sort_values("probability")["subject"].tolist()


def test_many_subjects_are_not_named(study: StudyMaker) -> None:
    results = study(subjects=100)
    figure = subject_probabilities(trial_scores(results), subject_scores(results), (0.5,), ("calm", "fear"))
    assert not figure.axes[0].get_xticklabels()


@pytest.mark.parametrize("lengths", [[1], [4], [2, 9, 9, 9]])
def test_median_ends_when_most_folds_have_stopped(lengths: list[int]) -> None:
    figure = training_curves([history(length) for length in lengths])
    medians = [line for line in figure.axes[0].lines if "median" in str(line.get_label())]
    assert [np.asarray(line.get_xdata()).size for line in medians] == [int(np.median(lengths))] * 2
    rendered(figure)
