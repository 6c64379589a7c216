from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from steps.core.figures.calibration import reliability_diagram
from steps.core.figures.curves import roc
from steps.core.figures.deciding import sweep
from steps.core.figures.evaluation import all_figures
from steps.core.figures.subjects import subject_probabilities, subject_table
from steps.core.figures.training import repeat_spread, training_curves
from steps.core.metrics.abstention import abstention, answers_table, fold_p_values
from steps.core.metrics.decisions import decisions
from steps.core.metrics.in_fold_threshold import FoldThreshold, in_fold_table
from steps.core.metrics.predictions import (
    FoldPrediction,
    results_table,
    subject_scores,
    subjects_table,
    trial_scores,
)
from steps.core.metrics.summary import summary
from steps.writing.png import as_png_and_svg
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, make_dataset

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


def in_fold_of(results: pd.DataFrame) -> pd.DataFrame:
    """A fold per subject and test number, with thresholds around a half."""
    pairs = results[["subject", "test_number"]].drop_duplicates().itertuples(index=False)
    return in_fold_table(
        [
            (str(name), int(number), [str(name)], FoldThreshold(0.4 + 0.01 * row, 0.5, "validation", 4, 20))
            for row, (name, number) in enumerate(pairs)
        ]
    )


ALWAYS = {"reliability", "confusion", "subject_probabilities", "subject_table"}
BOTH_CLASSES = {"roc", "precision_recall", "threshold_sweep", "decision_curve"}


def test_all_figures_of_a_study_render(study: StudyMaker) -> None:
    results = study(test_numbers=2, mixed=2)
    in_fold = in_fold_of(results)
    document = summary(results, THRESHOLDS, permutations=20, in_fold=in_fold)
    figures = all_figures(results, document, [history(3), history(5)], NAMES, in_fold)
    assert set(figures) == ALWAYS | BOTH_CLASSES | {"test_numbers", "training_curves"}
    for name, figure in figures.items():
        png, svg = as_png_and_svg(figure)
        assert png.startswith(b"\x89PNG")
        assert b"</svg>" in svg
        for axes in figure.axes:
            assert axes.lines or axes.collections or axes.images or axes.containers, name
            lowest = name != "reliability" or axes in figure.axes[2:]
            assert axes.get_xlabel() or name == "subject_table" or not lowest, name


def test_answers_are_drawn_at_every_error_rate_where_they_are_known(study: StudyMaker) -> None:
    results = study()
    document = summary(results, THRESHOLDS, permutations=10)
    left_out = results.assign(subject=results["subject"] + "'")
    folds = [
        fold_p_values(
            make_dataset([str(name)] * len(own), own["trial"].tolist(), own["label"].tolist()),
            own["probability"].to_numpy(),
            left_out,
        )
        for name, own in results.groupby("subject")
    ]
    document["abstention"] = abstention(answers_table(folds, NAMES))
    figure = all_figures(results, document, [], NAMES)["abstention"]
    for axes, level in zip(figure.axes, ("pooled", "subject"), strict=True):
        (answered,) = [line for line in axes.lines if line.get_label() == "answered"]
        expected = [row["answered_share"] for row in document["abstention"][level]]
        np.testing.assert_array_equal(np.asarray(answered.get_ydata(orig=True)), expected)
    rendered(figure)


def test_one_class_and_no_histories_leave_out_what_is_undefined() -> None:
    folds = [FoldPrediction(make_dataset([name], ["1"], [1]), 1, np.array([0.6])) for name in ("$a$", "_b <i>" * 20)]
    results = results_table(folds, (0.5,))
    figures = all_figures(results, summary(results, THRESHOLDS), [], NAMES)
    assert set(figures) == ALWAYS
    for figure in figures.values():
        rendered(figure)


def test_a_confusion_panel_per_rule_and_level(study: StudyMaker) -> None:
    results = study()
    in_fold = in_fold_of(results)
    document = summary(results, THRESHOLDS, permutations=10, in_fold=in_fold)
    figure = all_figures(results, document, [], NAMES, in_fold)["confusion"]
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 3 * 3
    assert "subjects, majority vote\nin-fold threshold" in titles
    shown = [text.get_text().split("\n")[0] for text in figure.axes[titles.index("trials\nthreshold 0.5")].texts]
    expected = [document["pooled"][f"threshold_0.5/{cell}"]["value"] for cell in ("tn", "fp", "fn", "tp")]
    assert [int(text) for text in shown] == expected


def test_the_sweep_marks_what_was_declared_and_what_folds_chose(study: StudyMaker) -> None:
    results = study()
    in_fold = in_fold_of(results)
    figure = sweep({"trials": trial_scores(results)}, (0.5, 0.35), in_fold=in_fold)
    axes = figure.axes[0]
    upright = {float(np.asarray(line.get_xdata())[0]) for line in axes.lines if "declared" in str(line.get_label())}
    assert upright == {0.5, 0.35}
    (ticks,) = [line for line in axes.lines if line.get_label() == "chosen in a fold"]
    assert sorted(np.asarray(ticks.get_xdata())) == sorted(in_fold["threshold"])


def test_reliability_counts_every_entry(study: StudyMaker) -> None:
    results = study()
    figure = reliability_diagram(summary(results, THRESHOLDS, permutations=10), NAMES)
    counts = [sum(int(text.get_text()) for text in axes.texts) for axes in figure.axes[2:]]
    assert counts == [len(results), 12]


def test_the_subject_table_has_a_row_for_everybody_and_marks_mistakes(study: StudyMaker) -> None:
    results = study(subjects=130)
    trials, subjects = trial_scores(results), subject_scores(results)
    made = decisions(subjects, (0.5,))
    figure = subject_table(trials, subjects, {"mean": made}, NAMES)
    assert len(figure.axes) == 3
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert set(subjects.subjects) <= set(texts)
    crosses = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "x"]
    wrong = made[0.5] != (subjects.labels == 1)
    assert sum(np.asarray(line.get_xdata()).size for line in crosses) == wrong.sum() > 0


def test_a_subject_table_of_very_many_leaves_out_the_middle(study: StudyMaker) -> None:
    results = study(subjects=250)
    trials, subjects = trial_scores(results), subject_scores(results)
    figure = subject_table(trials, subjects, {"mean": decisions(subjects, (0.5,))}, NAMES)
    assert "10 in the middle are left out" in figure.get_suptitle()
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    order = np.argsort(-subjects.probabilities, kind="stable")
    assert {str(subjects.subjects[index]) for index in (order[0], order[-1])} <= texts


def test_every_test_number_is_drawn(study: StudyMaker) -> None:
    document = summary(study(test_numbers=3), THRESHOLDS, permutations=10)
    figure = repeat_spread(document)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    expected = [document["per_test_number"]["values"][number]["pooled/auc"] for number in "123"]
    np.testing.assert_allclose(np.asarray(dots[0].get_xdata()), expected)


def test_roc_shows_the_interval_and_marks_the_thresholds(study: StudyMaker) -> None:
    results = study()
    document = summary(results, THRESHOLDS)
    figure = roc(trial_scores(results), subject_scores(results), document)
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


def test_a_single_subject_has_a_curve_without_a_band() -> None:
    fold = FoldPrediction(make_dataset(["a", "a"], ["1", "2"], [0, 1]), 1, np.array([0.2, 0.9]))
    results = results_table([fold], (0.5,))
    document = summary(results, (0.5,), permutations=10)
    figure = roc(trial_scores(results), subject_scores(results), document)
    assert not figure.axes[0].collections
    rendered(figure)


def test_subjects_are_sorted_by_probability(study: StudyMaker) -> None:
    results = study()
    figure = subject_probabilities(trial_scores(results), subject_scores(results), (0.5,), ("calm", "fear"))
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown == subjects_table(results, THRESHOLDS).sort_values("probability")["subject"].tolist()


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
