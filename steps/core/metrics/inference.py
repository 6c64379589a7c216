"""Probabilities of a fold's trials, and how long one takes."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats
from steps.errors import UserError

CHUNK = 512  # trials per forward pass: large enough to fill the cores, small enough for any memory


class Model(Protocol):
    """What is asked of a network: a Keras model with output ``(trials, 1)``, a sigmoid, will do."""

    def __call__(self, inputs: Floats, *, training: bool) -> Any:
        """Probabilities, shape ``(trials, 1)``, of trials of shape ``(trials, timesteps, features)``."""


def predict(model: Model, values: Floats, *, chunk: int = CHUNK) -> npt.NDArray[np.float64]:
    """Probability of the positive class, shape ``(trials,)``, in inference mode.

    The model is called directly: ``Model.predict`` would compile a function for every fold, which costs more
    than the few forward passes a fold needs.

    Args:
        model: maps ``(trials, timesteps, features)`` to probabilities ``(trials, 1)``.
        values: float32, shape ``(trials, timesteps, features)``.
        chunk: trials per forward pass; bounds the memory.

    Raises:
        ValueError: the model's output is not ``(trials, 1)``.
        UserError: a probability is not finite or not within [0, 1].
    """
    probabilities = np.empty(len(values), dtype=np.float64)
    for start in range(0, len(values), chunk):
        part = values[start : start + chunk]
        output = np.asarray(model(part, training=False))
        if output.shape != (len(part), 1):
            raise ValueError(f"the model's output has shape {output.shape}, expected ({len(part)}, 1)")
        probabilities[start : start + chunk] = output[:, 0]
    wrong = ~((probabilities >= 0.0) & (probabilities <= 1.0))
    if wrong.any():
        raise UserError(
            f"the model gives {int(wrong.sum())} of {len(values)} trials something that is no probability "
            f"(first: {probabilities[wrong][0]}): training diverged; train again with a lower learning_rate"
        )
    return probabilities


def predict_labels(model: Model, values: Floats, *, chunk: int = CHUNK) -> npt.NDArray[np.float64]:
    """What a network says of whole labels, shape ``(trials, width)``: probabilities of classes, or a score.

    Args:
        model: from `steps.core.models.networks.label_output`.
        values: float32, shape ``(trials, timesteps, features)``.
        chunk: trials per forward pass; bounds the memory.

    Raises:
        UserError: a number is not finite.
    """
    parts = [
        np.asarray(model(values[start : start + chunk], training=False), dtype=np.float64)
        for start in range(0, len(values), chunk)
    ]
    outputs = np.concatenate(parts)
    if not np.isfinite(outputs).all():
        raise UserError(
            f"the model says something that is no number of {int((~np.isfinite(outputs)).any(axis=1).sum())} of "
            f"{len(values)} trials: training diverged; train again with a lower learning_rate"
        )
    if outputs.shape[1] > 1:  # a rounding error below 0
        outputs = outputs.clip(0, 1)
        outputs /= outputs.sum(axis=1, keepdims=True)
    return outputs


def inference_ms_per_trial(model: Model, values: Floats, *, calls: int = 10) -> float:
    """Wall time in ms of predicting one trial by itself, with a warm model.

    One trial per call, because that is what someone waits for who scores a recording; the time per trial
    within a large batch is many times shorter. The first call, which allocates and traces, is not timed. Of the others
    the shortest counts: the longer ones also waited for whatever else the machine was doing, other folds above all.

    Args:
        model: as for `predict`.
        values: shape ``(trials, timesteps, features)``, at least one trial; taken in turn.
        calls: number of timed calls.
    """
    predict(model, values[:1])
    times = []
    for call in range(calls):
        trial = values[call % len(values)][np.newaxis]
        start = time.perf_counter()
        predict(model, trial)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3
