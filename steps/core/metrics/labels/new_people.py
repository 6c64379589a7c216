"""What a model says of the whole labels of new people, beside the probabilities of its question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from steps.core.data.labelling import CLASS_COLUMN, SCORE_COLUMN, VALUE, Labelling, as_written, output_columns
from steps.core.data.manifest import PATIENT
from steps.core.data.unseen import Unseen
from steps.core.metrics.labels.predictions import Array
from steps.core.metrics.labels.summary import label_summary
from steps.core.metrics.scores import TRAINED_PREFIX


def with_labels(
    predictions: pd.DataFrame, subjects: pd.DataFrame, unseen: Unseen, outputs: Array, labelling: Labelling
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with what the model says of the label: its columns are those of a study's ``label_results.csv``.

    Args:
        predictions: a row per trial, from `steps.core.metrics.scores.score`.
        subjects: from `steps.core.metrics.scores.by_subject`; they get the mean over their trials.
        unseen: the trials, in the order of the predictions.
        outputs: of the network, shape ``(trials, width)``.
        labelling: of the model's study.

    Returns:
        With ``label_value`` where it is known.
    """
    columns = output_columns(labelling)
    told = pd.DataFrame(outputs, columns=columns, index=predictions.index)
    if unseen.label_values is not None:
        told.insert(0, VALUE, as_written(unseen.label_values))
    predictions = predictions.join(told)
    keys = ["subject", "group", *(["label"] if "label" in predictions else [])]
    means = predictions.groupby(keys, sort=True, dropna=False)[columns].mean().reset_index()
    subjects = subjects.join(means[columns])
    if labelling.has_classes:
        predictions, subjects = (
            table.assign(
                **{CLASS_COLUMN: [labelling.names[place] for place in table[columns].to_numpy().argmax(axis=1)]}
            )
            for table in (predictions, subjects)
        )
    return predictions, subjects


def add_performance(
    documents: Mapping[str, dict[str, Any]], predictions: pd.DataFrame, labelling: Labelling, seed: int
) -> None:
    """How well labels are told, ``labels`` in the documents of `steps.core.metrics.scores.performance`."""
    patients = predictions[predictions["group"] == PATIENT].assign(test_number=1)
    for name, document in documents.items():
        part = patients[patients["in_training"] == (1 if name == TRAINED_PREFIX else 0)]
        document["labels"] = label_summary(part, labelling, seed)


def lines(subjects: pd.DataFrame, labelling: Labelling | None) -> list[str]:
    """What came out, in a line; none for a model of yes or no."""
    if labelling is None:
        return []
    if not labelling.has_classes:
        said = subjects[SCORE_COLUMN]
        return [f"predicted scores of subjects from {said.min():.3g} to {said.max():.3g}, mean {said.mean():.3g}"]
    counts = subjects[CLASS_COLUMN].value_counts()
    return [
        "most probable classes of subjects: " + ", ".join(f"{counts.get(name, 0)} {name!r}" for name in labelling.names)
    ]
