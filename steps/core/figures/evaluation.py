"""Figures of an evaluation: functions that take arrays and tables and return a `matplotlib.figure.Figure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.calibration import reliability_diagram
from steps.core.figures.curves import precision_recall, roc
from steps.core.figures.deciding import confusion, decision_curves, sweep
from steps.core.figures.subjects import subject_probabilities, subject_table
from steps.core.figures.training import repeat_spread, training_curves
from steps.core.metrics.decisions import decisions, votes
from steps.core.metrics.predictions import subject_scores, trial_scores

__all__ = [
    "all_figures",
    "confusion",
    "decision_curves",
    "precision_recall",
    "reliability_diagram",
    "repeat_spread",
    "roc",
    "subject_probabilities",
    "subject_table",
    "sweep",
    "training_curves",
]


def all_figures(
    results: pd.DataFrame,
    document: Mapping[str, Any],
    histories: Sequence[pd.DataFrame],
    label_names: Sequence[str],
    in_fold: pd.DataFrame | None = None,
) -> dict[str, Figure]:
    """Every figure of an evaluation, by file name; those that the data do not define are absent.

    Args:
        results: from `steps.core.metrics.predictions.results_table`.
        document: its `steps.core.metrics.summary.summary`.
        histories: as for `training_curves`; may be empty.
        label_names: names of class 0 and class 1.
        in_fold: from `in_fold_table`; ignored where the summary has no such thresholds.
    """
    if "in_fold" not in document:
        in_fold = None
    trials, subjects = trial_scores(results, in_fold), subject_scores(results, in_fold)
    thresholds, seed = document["thresholds"], document["bootstrap"]["seed"]
    levels = {"trials": trials, "subjects": subjects}
    by_mean, by_vote = decisions(subjects, thresholds), votes(trials, subjects, thresholds)
    decided = {
        "trials": (trials.labels, decisions(trials, thresholds)),
        "subjects, mean probability": (subjects.labels, by_mean),
        "subjects, majority vote": (subjects.labels, by_vote),
    }
    figures = {}
    if trials.has_both_classes:
        figures["roc.png"] = roc(trials, subjects, thresholds, estimates_of=document, seed=seed)
        figures["precision_recall.png"] = precision_recall(trials, subjects, estimates_of=document, seed=seed)
    figures["reliability.png"] = reliability_diagram(document, label_names)
    figures["confusion.png"] = confusion(decided, label_names)
    if trials.has_both_classes:
        figures["threshold_sweep.png"] = sweep(levels, thresholds, in_fold=in_fold, seed=seed)
        figures["decision_curve.png"] = decision_curves(levels, thresholds, seed=seed)
    figures["subject_probabilities.png"] = subject_probabilities(trials, subjects, thresholds, label_names)
    figures["subject_table.png"] = subject_table(trials, subjects, {"mean": by_mean, "vote": by_vote}, label_names)
    if "per_test_number" in document:
        figures["test_numbers.png"] = repeat_spread(document)
    if histories:
        figures["training_curves.png"] = training_curves(histories)
    return figures
