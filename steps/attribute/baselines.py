"""What a trial is compared with: the input from which Integrated Gradients starts."""

from __future__ import annotations

from typing import Literal

import numpy as np

from steps.dataset import Dataset, Floats
from steps.errors import UserError

BaselineKind = Literal["zero", "mean", "control"]


def baseline_values(kind: BaselineKind, training: Dataset, controls: Dataset | None = None) -> Floats:
    """The baseline of a fold, float32, shape ``(timesteps, features)``, in the units of the data.

    Args:
        kind: ``zero``: all zero, in the user's units; ``mean``: the mean trajectory of the training trials;
            ``control``: the mean trajectory of the control trials.
        training: the trials the fold's model was trained on; only their mean is used.
        controls: the trials of the control group.

    Raises:
        UserError: ``control`` is asked for and there are no control trials.
        ValueError: ``kind`` is none of the three, or there are no training trials to average.
    """
    if kind == "zero":
        return np.zeros(training.values.shape[1:], dtype=np.float32)
    if kind == "mean":
        return _mean(training)
    if kind == "control":
        if controls is None or not len(controls.labels):
            raise UserError(
                "baseline=control needs trials of a control group, and the dataset has none: "
                "add some (control_data/, or a 'group' column) and prepare again, or choose baseline=mean"
            )
        return _mean(controls)
    raise ValueError(f"baseline is {kind!r}, expected zero, mean or control")


def _mean(dataset: Dataset) -> Floats:
    if not len(dataset.labels):
        raise ValueError("there are no trials to average")
    return np.asarray(dataset.values.mean(axis=0, dtype=np.float64), dtype=np.float32)
