"""Recordings that fit a model: what is scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats, Ints, Strings


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
        label_values: of a model of whole labels, as `steps.core.data.dataset.Dataset.label_values`; None where there
            are none.
    """

    values: Floats
    subjects: Strings
    trials: Strings
    is_control: npt.NDArray[np.bool_]
    labels: Ints | None
    in_training: npt.NDArray[np.bool_]
    source: str
    notes: tuple[str, ...]
    label_values: Floats | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over values, names and labels, in the model's order of features."""
        meaning: dict[str, Any] = {
            "shape": self.values.shape,
            "subjects": self.subjects.tolist(),
            "trials": self.trials.tolist(),
            "is_control": self.is_control.tolist(),
            "labels": None if self.labels is None else self.labels.tolist(),
        }
        if self.label_values is not None:
            meaning["label_values"] = [None if np.isnan(one) else float(one) for one in self.label_values]
        sha = hashlib.sha256(json.dumps(meaning, sort_keys=True, ensure_ascii=True).encode())
        sha.update(np.ascontiguousarray(self.values, dtype="<f4").tobytes())
        return sha.hexdigest()
