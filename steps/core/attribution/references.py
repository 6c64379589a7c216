"""What a trial is compared with: the input from which Integrated Gradients starts, or several of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from steps.core.attribution.settings import BaselineKind, check_method, no_controls
from steps.core.data.dataset import Dataset, Floats


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
            raise no_controls()
        return _mean(controls)
    raise ValueError(f"baseline is {kind!r}, expected zero, mean or control")


def baseline_source(kind: BaselineKind, training: Dataset, controls: Dataset | None = None) -> Floats:
    """The trials that baselines are drawn from, ``(trials, timesteps, features)``: training trials or controls.

    Raises:
        UserError: ``zero``, which is no trial; or ``control`` is asked for and there are no control trials.
        ValueError: there are no training trials.
    """
    check_method("expected_gradients", kind)
    baseline_values(kind, training, controls)
    return controls.values if kind == "control" and controls is not None else training.values


def draw(available: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Indices of ``count`` of the available trials, one from each of ``count`` equal stretches of their order.

    Datasets are in the order of their subjects, so the draw is spread over subjects; every trial has the same chance.
    With ``count`` at or above ``available`` it is all of them, once.
    """
    count = min(count, available)
    places = (np.arange(count) + generator.random(count)) * available / count
    return np.minimum(places.astype(np.intp), available - 1)


def _mean(dataset: Dataset) -> Floats:
    if not len(dataset.labels):
        raise ValueError("there are no trials to average")
    return np.asarray(dataset.values.mean(axis=0, dtype=np.float64), dtype=np.float32)
