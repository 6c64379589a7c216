"""InceptionTime in plain Keras, as published, for `benchmarks.methods`.

Ismail Fawaz et al. 2020, "InceptionTime: finding AlexNet for time series classification", Data Min. Knowl. Discov.
34:1936-1962: six inception modules with a residual connection around every three; in each a bottleneck of 32 filters,
convolutions 40, 20 and 10 long and one after a max pooling, 32 filters each, without bias, batch normalisation; then
global average pooling. Adam, batches of 64. Published are the mean of five networks and 1,500 epochs; one network and
as many steps as are asked for are trained here.
"""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

DEPTH, FILTERS, KERNELS, BOTTLENECK, BATCH = 6, 32, (40, 20, 10), 32, 64
_RESIDUAL_EVERY: Final = 3


def network(timesteps: int, features: int) -> keras.Model:
    """Untrained, from standardised trials to the probability of the positive class."""
    inputs = keras.Input((timesteps, features))
    x = before = inputs
    for depth in range(DEPTH):
        x = _module(x)
        if depth % _RESIDUAL_EVERY == _RESIDUAL_EVERY - 1:
            shortcut = layers.Conv1D(x.shape[-1], 1, use_bias=False)(before)
            x = before = layers.Activation("relu")(layers.Add()([layers.BatchNormalization()(shortcut), x]))
    outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, outputs)


def _module(x: keras.KerasTensor) -> keras.KerasTensor:
    narrow = layers.Conv1D(BOTTLENECK, 1, use_bias=False)(x) if x.shape[-1] > 1 else x
    branches = [layers.Conv1D(FILTERS, length, padding="same", use_bias=False)(narrow) for length in KERNELS]
    pooled = layers.MaxPooling1D(3, strides=1, padding="same")(x)
    branches.append(layers.Conv1D(FILTERS, 1, use_bias=False)(pooled))
    return layers.Activation("relu")(layers.BatchNormalization()(layers.Concatenate()(branches)))


def fit_predict(
    training: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int8],
    test: npt.NDArray[np.float32],
    *,
    steps: int,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Probability of the positive class of each test trial.

    Args:
        training: shape ``(trials, timesteps, features)``; standardised here, on these trials.
        labels: 0 or 1, shape ``(trials,)``; the classes weigh the same.
        test: shape ``(trials, timesteps, features)``.
        steps: of the optimiser, at least.
        seed: of weights and order.
    """
    keras.utils.set_random_seed(seed)
    mean, spread = training.mean(axis=(0, 1)), training.std(axis=(0, 1))
    spread[spread == 0] = 1
    model = network(*training.shape[1:])
    model.compile(keras.optimizers.Adam(), "binary_crossentropy")
    epochs = -(-steps // -(-len(labels) // BATCH))
    lower = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=50, min_lr=0.0001)
    positive = float(labels.mean())
    model.fit(
        (training - mean) / spread,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        class_weight={0: 0.5 / (1 - positive), 1: 0.5 / positive},
        callbacks=[lower],
        verbose=0,
    )
    return np.asarray(model.predict((test - mean) / spread, verbose=0)[:, 0], dtype=np.float64)
