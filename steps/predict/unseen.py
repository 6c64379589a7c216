"""Recordings that fit a model: what is scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats, Ints, Strings
from steps.core.models.training_reference import TrainingReference
from steps.core.readers.identities import comparable
from steps.core.readers.recorded import Recorded
from steps.predict.axis import on_time_axis
from steps.predict.match import match_features, match_labels


@dataclass(frozen=True, eq=False)
class Unseen:
    """Trials in a model's features, order and time axis; sorted by subject, then trial.

    Attributes:
        values: float32, shape ``(trials, timesteps, features)``.
        subjects: subject name of each trial, shape ``(trials,)``.
        trials: trial name of each trial, shape ``(trials,)``; unique within a subject and label.
        is_control: bool, shape ``(trials,)``; trials of a control group.
        labels: int8, shape ``(trials,)``, 1 = the positive class, control trials 0; None where there are none.
        in_training: bool, shape ``(trials,)``; the model was fitted on a subject of this name.
        source: where the trials came from.
        notes: what was done to them, and what could not be checked, one sentence each.
    """

    values: Floats
    subjects: Strings
    trials: Strings
    is_control: npt.NDArray[np.bool_]
    labels: Ints | None
    in_training: npt.NDArray[np.bool_]
    source: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over values, names and labels, in the model's order of features."""
        meaning = {
            "shape": self.values.shape,
            "subjects": self.subjects.tolist(),
            "trials": self.trials.tolist(),
            "is_control": self.is_control.tolist(),
            "labels": None if self.labels is None else self.labels.tolist(),
        }
        sha = hashlib.sha256(json.dumps(meaning, sort_keys=True, ensure_ascii=True).encode())
        sha.update(np.ascontiguousarray(self.values, dtype="<f4").tobytes())
        return sha.hexdigest()


def fit_to_model(recorded: Recorded, trained: TrainingReference) -> Unseen:
    """Recordings as the model takes them.

    Raises:
        UserError: features, units, time axis or labels are not the model's; the message names both.
    """
    order, about_units = match_features(recorded, trained)
    labels = match_labels(recorded, trained)
    values, about_time = on_time_axis(recorded, trained)
    subjects = np.array([one.subject for one in recorded.recordings], dtype=np.str_)
    trials = np.array(recorded.trials, dtype=np.str_)
    known = {comparable(name) for name in trained.subjects}
    rank = np.lexsort((trials, subjects))
    return Unseen(
        values=values[rank][:, :, order],
        subjects=subjects[rank],
        trials=trials[rank],
        is_control=np.array([one.is_control for one in recorded.recordings], dtype=np.bool_)[rank],
        labels=None if labels is None else labels[rank],
        in_training=np.array([comparable(name) in known for name in subjects[rank]], dtype=np.bool_),
        source=recorded.source,
        notes=(*recorded.notes, *about_units, *about_time),
    )
