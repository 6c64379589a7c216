"""People who were scored together, as numbers that can be compared, and the training's people as the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.manifest import CONTROL, PATIENT
from steps.core.data.subject_statistics import STATISTICS, subject_statistics
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen

Array = npt.NDArray[np.float64]
PROBABILITY = "probability"


def inputs_by_subject(unseen: Unseen, trained: TrainingReference) -> pd.DataFrame:
    """What the recordings of each subject are like.

    Args:
        unseen: as recorded, before ``normalise``.
        trained: of the model.

    Returns:
        A row per subject, group and feature: ``subject``, ``group``, ``in_training``, ``trials``, ``feature``, and a
        column for each of `STATISTICS`.
    """
    parts = []
    for group, chosen in ((PATIENT, ~unseen.is_control), (CONTROL, unseen.is_control)):
        if not chosen.any():
            continue
        subjects = unseen.subjects[chosen]
        names, values = subject_statistics(unseen.values[chosen], subjects, np.asarray(trained.mean))
        _, first, trials = np.unique(subjects, return_index=True, return_counts=True)
        count = len(trained.features)
        table = pd.DataFrame(
            {
                "subject": np.repeat(np.array(names, dtype=object), count),
                "group": group,
                "in_training": np.repeat(unseen.in_training[chosen][first].astype(np.int8), count),
                "trials": np.repeat(trials, count),
                "feature": trained.features * len(names),
            }
        )
        parts.append(table.assign(**{name: values[:, :, i].ravel() for i, name in enumerate(STATISTICS)}))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Batch:
    """New people who were scored together; controls and people of the training are left out.

    Attributes:
        name: of the batch: ID of its run.
        when: when it was scored, as text.
        subjects: names, sorted.
        values: shape ``(subjects, features, statistics)``.
        predictions: a row per trial: ``subject``, ``trial``, ``probability``, ``decision``, ``threshold``, ``unusual``,
            perhaps ``answer`` and ``label``.
    """

    name: str
    when: str
    subjects: list[str]
    values: Array
    predictions: pd.DataFrame

    @classmethod
    def of(
        cls, name: str, when: str, inputs: pd.DataFrame, predictions: pd.DataFrame, features: Sequence[str]
    ) -> Batch:
        """From the tables of a scoring.

        Args:
            name: of the batch.
            when: it was scored.
            inputs: from `inputs_by_subject`.
            predictions: from `steps.core.metrics.scores.score`.
            features: of the model, in its order.

        Raises:
            ValueError: the tables are not of these features or do not name the same people.
        """
        new = inputs[(inputs["group"] == PATIENT) & (inputs["in_training"] == 0)]
        own = predictions[(predictions["group"] == PATIENT) & (predictions["in_training"] == 0)]
        names = sorted(new["subject"].unique())
        place = pd.MultiIndex.from_product([names, features], names=["subject", "feature"])
        rows = new.set_index(["subject", "feature"])
        if names != sorted(own["subject"].unique()) or len(rows) != len(place) or not place.isin(rows.index).all():
            raise ValueError("does not hold every feature of every subject once")
        values = rows.loc[place, list(STATISTICS)].to_numpy(np.float64)
        return cls(name, when, names, values.reshape(len(names), len(features), len(STATISTICS)), own)

    def numbers(self, *, scores: bool) -> Array:
        """What is compared: ``(subjects, features * statistics)``, and the mean probability if wanted."""
        flat = self.values.reshape(len(self.subjects), -1)
        means = self.predictions.groupby("subject")[PROBABILITY].mean()
        return np.column_stack([flat, means.loc[self.subjects].to_numpy()]) if scores else flat


def names_of(features: Sequence[str], *, scores: bool) -> list[tuple[str, str]]:
    """Feature and statistic of each of `Batch.numbers`."""
    named = [(feature, statistic) for feature in features for statistic in STATISTICS]
    return [*named, (PROBABILITY, "mean")] if scores else named


def reference_numbers(trained: TrainingReference) -> tuple[Array, bool]:
    """The same of the training's people; whether scores are among it: those of models fitted without each of them.

    Raises:
        ValueError: the model was made before this was kept.
    """
    kept = trained.by_subject
    if kept is None:
        raise ValueError("the model does not say what its training subjects' recordings are like")
    flat = np.asarray(kept.values).reshape(len(kept.subjects), -1)
    scores = trained.left_out_scores
    if scores is None or kept.subjects != trained.subjects or set(scores.subject) != set(range(len(trained.subjects))):
        return flat, False
    means = pd.Series(scores.probability).groupby(scores.subject).mean()
    return np.column_stack([flat, means.sort_index().to_numpy()]), True
