"""Integrated Gradients trial by trial, as TensorFlow's tutorial shows it: a trapezoid sum over equal steps."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def integrated_gradients(model: keras.Model, trial: np.ndarray, baseline: np.ndarray, steps: int = 100) -> np.ndarray:
    """Attributions ``(timesteps, features)`` of one trial's probability, from ``steps`` steps along the straight path."""
    alphas = tf.reshape(tf.linspace(0.0, 1.0, steps + 1), (-1, 1, 1))
    path = baseline + alphas * (trial - baseline)
    with tf.GradientTape() as tape:
        tape.watch(path)
        probability = model(path, training=False)[:, 0]
    gradients = tape.gradient(probability, path)
    average = tf.reduce_mean((gradients[:-1] + gradients[1:]) / 2, axis=0)
    return np.asarray((trial - baseline) * average)
