"""Convolutional networks, from standardised trials to their last hidden layer."""

from __future__ import annotations

from keras import KerasTensor, layers, regularizers


def cnn(x: KerasTensor) -> KerasTensor:
    """Two convolution blocks of 64, global average pooling, dense 64, dropout."""
    for _ in range(2):
        x = layers.Conv1D(64, 5, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(64, activation="relu")(x)
    return layers.Dropout(0.3)(x)


def cnn_wide(x: KerasTensor) -> KerasTensor:
    """Convolutions of 400, 100 and 300 with batch normalisation and dropout, then dense 450."""
    for filters, kernel, dropout, pool in ((400, 3, 0.2, False), (100, 7, 0.4, True), (300, 3, 0.2, False)):
        x = layers.Conv1D(
            filters, kernel, padding="same", use_bias=False, kernel_regularizer=regularizers.L2(0.01)
        )(x)  # fmt: skip
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        if pool:
            x = layers.MaxPooling1D(2, padding="same")(x)
        x = layers.Dropout(dropout)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(450, activation="relu", kernel_regularizer=regularizers.L2(0.01))(x)
    return layers.Dropout(0.3)(x)
