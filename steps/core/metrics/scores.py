"""Scores as tables, and how good they are where labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from steps.core.data.manifest import CONTROL, PATIENT
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.conformal import Calibration, answer_text, answers
from steps.core.metrics.flat_metrics import flat_metrics
from steps.core.metrics.inference import Model, predict
from steps.core.metrics.summary import summary

TRAINED_PREFIX = "trained_subjects"


def score(network: Model, unseen: Unseen, trained: TrainingReference, threshold: float) -> pd.DataFrame:
    """A row per trial, sorted by subject, then trial.

    Returns:
        ``subject``, ``trial``, ``group`` (``patient`` or ``control``); ``label`` (1 or 0, empty for controls; absent
        without labels); ``probability`` of the positive class; ``decision``, 1 where it reaches ``threshold``;
        ``threshold``; ``distance`` from the training trials in standard deviations; ``unusual``, 1 where that exceeds
        what 99% of the training trials had; ``in_training``, 1 where the model was fitted on this subject.
    """
    distance = trained.distances(unseen.values)
    table = pd.DataFrame(
        {
            "subject": unseen.subjects.astype(object),
            "trial": unseen.trials.astype(object),
            "group": np.where(unseen.is_control, CONTROL, PATIENT).astype(object),
            "probability": predict(network, unseen.values),
            "threshold": threshold,
            "distance": distance,
            "unusual": (distance > trained.usual_distance).astype(np.int8),
            "in_training": unseen.in_training.astype(np.int8),
        }
    )
    table.insert(4, "decision", (table["probability"] >= threshold).astype(np.int8))
    if unseen.labels is not None:
        table.insert(3, "label", pd.Series(unseen.labels, dtype="Int8").mask(unseen.is_control))
    return table


def by_subject(predictions: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """A row per subject, or per subject and label where a subject has trials of both classes.

    Returns:
        ``subject``, ``group``, ``label`` (where known), ``trials`` and ``unusual_trials`` (how many), ``probability``
        (mean over trials), ``decision`` of that mean, ``threshold``, ``in_training``.
    """
    keys = ["subject", "group", *(["label"] if "label" in predictions else [])]
    groups = predictions.groupby(keys, sort=True, dropna=False)
    table = groups.agg(
        trials=("probability", "size"),
        unusual_trials=("unusual", "sum"),
        probability=("probability", "mean"),
        in_training=("in_training", "max"),
    ).reset_index()
    table.insert(len(keys) + 3, "decision", (table["probability"] >= threshold).astype(np.int8))
    table.insert(len(keys) + 4, "threshold", threshold)
    return table


def with_answers(
    predictions: pd.DataFrame,
    subjects: pd.DataFrame,
    trained: TrainingReference,
    error_rate: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with a column ``answer``, the name of a class or "don't know".

    A trial that lies further from the training trials than 99% of those do is not answered, nor a subject most of whose
    trials do: what an answer promises holds for people like those of the training.

    The subjects' is left out where people of the training have trials of both classes and those of the new ones are
    not known: their trials may be of both, too, and then no class is that of their mean.

    Args:
        predictions: from `score`.
        subjects: from `by_subject`.
        trained: with `TrainingReference.left_out_scores`, which calibrate.
        error_rate: how often an answer may be wrong, above 0.

    Raises:
        ValueError: nothing is kept to calibrate with.
    """
    calibration, labels = calibration_of(trained), (trained.labels["0"], trained.labels["1"])
    if calibration is None:
        raise ValueError("nothing is kept to calibrate with")
    of_trials = calibration.of_trials(predictions["probability"].to_numpy())
    chosen = np.where(predictions["unusual"] == 1, -1, answers(of_trials, error_rate))
    predictions = predictions.assign(answer=answer_text(chosen, labels))
    if calibration.is_mixed and "label" not in predictions:
        return predictions, subjects
    of_subjects = calibration.of_subjects(subjects["probability"].to_numpy())
    is_unlike = 2 * subjects["unusual_trials"] > subjects["trials"]
    chosen = np.where(is_unlike, -1, answers(of_subjects, error_rate))
    return predictions, subjects.assign(answer=answer_text(chosen, labels))


def calibration_of(trained: TrainingReference) -> Calibration | None:
    """What says when the model does not know; None where nothing of the kind is kept."""
    scores = trained.left_out_scores
    if scores is None:
        return None
    return Calibration.of(np.array(scores.subject), np.array(scores.label, dtype=np.int8), np.array(scores.probability))


def performance(predictions: pd.DataFrame, threshold: float, seed: int) -> dict[str, dict[str, Any]]:
    """How good the predictions are, for new subjects and for those the model was fitted on, never together.

    Args:
        predictions: from `score`, with labels; control trials do not count.
        threshold: the decision threshold.
        seed: of the bootstrap.

    Returns:
        Under ``new_subjects`` and ``trained_subjects``, where there are any, a summary as
        `steps.core.metrics.summary.summary` describes it.
    """
    patients = predictions[predictions["group"] == PATIENT]
    results = pd.DataFrame(
        {
            "subject": patients["subject"],
            "trial": patients["trial"],
            "label": patients["label"].astype(np.int8),
            "test_number": 1,
            "probability": patients["probability"],
        }
    )
    trained = patients["in_training"].to_numpy(bool)
    parts = {"new_subjects": results[~trained], TRAINED_PREFIX: results[trained]}
    return {name: summary(part, (threshold,), seed=seed) for name, part in parts.items() if len(part)}


def performance_metrics(documents: dict[str, dict[str, Any]]) -> dict[str, float]:
    """A performance as metric names and values: ``pooled/auc`` for new subjects, ``trained_subjects/pooled/auc``."""
    metrics: dict[str, float] = {}
    for name, document in documents.items():
        prefix = f"{TRAINED_PREFIX}/" if name == TRAINED_PREFIX else ""
        metrics |= {f"{prefix}{key}": value for key, value in flat_metrics(document).items()}
    return metrics
