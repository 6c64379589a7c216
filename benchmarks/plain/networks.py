"""The two networks as `keras.Sequential`; layers, initialisation and order are the project's (a test compares)."""

from __future__ import annotations

import keras
from keras import layers, regularizers


def build(name: str, timesteps: int, features: int) -> keras.Model:
    """``cnn`` or ``cnn_wide``, from ``(trials, timesteps, features)`` to a probability ``(trials, 1)``."""
    inputs = keras.Input((timesteps, features))
    return keras.Sequential(
        [inputs, *(_cnn() if name == "cnn" else _cnn_wide()), layers.Dense(1, activation="sigmoid")]
    )


def _cnn() -> list[keras.Layer]:
    return [
        layers.Conv1D(64, 5, padding="same", activation="relu"),
        layers.Conv1D(64, 5, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.3),
    ]


def _cnn_wide() -> list[keras.Layer]:
    penalty = regularizers.L2(0.01)
    return [
        layers.Conv1D(400, 3, padding="same", use_bias=False, kernel_regularizer=penalty),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.2),
        layers.Conv1D(100, 7, padding="same", use_bias=False, kernel_regularizer=penalty),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling1D(2, padding="same"),
        layers.Dropout(0.4),
        layers.Conv1D(300, 3, padding="same", use_bias=False, kernel_regularizer=penalty),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.2),
        layers.GlobalAveragePooling1D(),
        layers.Dense(450, activation="relu", kernel_regularizer=penalty),
        layers.Dropout(0.3),
    ]
