"""Integrated Gradients trial by trial, as TensorFlow's tutorial shows it: a trapezoid sum over equal steps."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

STEPS = 100
MAX_STEPS = 12800


def integrated_gradients(model: keras.Model, trial: np.ndarray, baseline: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Attributions ``(timesteps, features)`` of one trial's probability, by ``steps`` steps along the straight path."""
    alphas = tf.reshape(tf.linspace(0.0, 1.0, steps + 1), (-1, 1, 1))
    path = baseline + alphas * (trial - baseline)
    with tf.GradientTape() as tape:
        tape.watch(path)
        probability = model(path, training=False)[:, 0]
    gradients = tape.gradient(probability, path)
    average = tf.reduce_mean((gradients[:-1] + gradients[1:]) / 2, axis=0)
    return np.asarray((trial - baseline) * average)


def complete_integrated_gradients(
    model: keras.Model, trial: np.ndarray, baseline: np.ndarray, tolerance: float, floor: float
) -> np.ndarray:
    """The same with twice the steps until the attributions sum to the change of the output.

    Args:
        model: from ``(trials, timesteps, features)`` to a probability.
        trial: what to attribute.
        baseline: where the path begins.
        tolerance: how far the sum may be off, relative to the change.
        floor: a smaller change counts as this much.
    """
    change = float(model(trial[np.newaxis], training=False)[0, 0] - model(baseline[np.newaxis], training=False)[0, 0])
    steps = STEPS
    while True:
        attributions = integrated_gradients(model, trial, baseline, steps)
        if abs(attributions.sum() - change) <= tolerance * max(abs(change), floor) or steps >= MAX_STEPS:
            return attributions
        steps *= 2
