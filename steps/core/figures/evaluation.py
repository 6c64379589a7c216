"""Every figure of an evaluation: drawn by the step, and again by the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from steps.core.figures.abstention import abstention_curves
from steps.core.figures.calibration import reliability_diagram
from steps.core.figures.curves import precision_recall, roc
from steps.core.figures.deciding import confusion, decision_curves, sweep
from steps.core.figures.learning_curve import learning_curve_figure
from steps.core.figures.subjects import subject_probabilities, subject_table
from steps.core.figures.training import repeat_spread, training_curves
from steps.core.metrics.decisions import decisions, votes
from steps.core.metrics.names import LEVELS, POOLED, SUBJECT, UNITS
from steps.core.metrics.predictions import levels_of


def all_figures(
    results: pd.DataFrame,
    document: Mapping[str, Any],
    histories: Sequence[pd.DataFrame],
    label_names: Sequence[str],
    in_fold: pd.DataFrame | None = None,
) -> dict[str, Figure]:
    """Every figure of an evaluation, by name; those that the data do not define are absent.

    Args:
        results: from `steps.core.metrics.predictions.results_table`.
        document: its `steps.core.metrics.summary.summary`.
        histories: as for `training_curves`; may be empty.
        label_names: names of class 0 and class 1.
        in_fold: from `in_fold_table`; ignored where the summary has no such thresholds.
    """
    if "in_fold" not in document:
        in_fold = None
    scores = levels_of(results, in_fold)
    trials, subjects = scores[POOLED], scores[SUBJECT]
    thresholds, seed = document["thresholds"], document["bootstrap"]["seed"]
    levels = {UNITS[level]: scores[level] for level in LEVELS}
    by_mean, by_vote = decisions(subjects, thresholds), votes(trials, subjects, thresholds)
    decided = {
        "trials": (trials.labels, decisions(trials, thresholds)),
        "subjects, mean probability": (subjects.labels, by_mean),
        "subjects, majority vote": (subjects.labels, by_vote),
    }
    figures = {}
    if trials.has_both_classes:
        figures["roc"] = roc(trials, subjects, document)
        figures["precision_recall"] = precision_recall(trials, subjects, document)
    figures["reliability"] = reliability_diagram(document, label_names)
    figures["confusion"] = confusion(decided, label_names)
    if trials.has_both_classes:
        figures["threshold_sweep"] = sweep(levels, thresholds, in_fold=in_fold, seed=seed)
        if "abstention" in document:
            figures["abstention"] = abstention_curves(document["abstention"])
        figures["decision_curve"] = decision_curves(levels, thresholds, seed=seed)
    figures["subject_probabilities"] = subject_probabilities(trials, subjects, thresholds, label_names)
    figures["subject_table"] = subject_table(trials, subjects, {"mean": by_mean, "vote": by_vote}, label_names)
    if "learning_curve" in document:
        figures["learning_curve"] = learning_curve_figure(document["learning_curve"])
    if "per_test_number" in document:
        figures["test_numbers"] = repeat_spread(document)
    if histories:
        figures["training_curves"] = training_curves(histories)
    return figures
