"""How much arithmetic a network is, and how much of it the cores can do at best."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_SIDE, _BEST_OF = 2048, 10


def forward_operations(network: keras.Model) -> int:
    """Multiplications and additions of the products in one trial's forward pass.

    A convolution of ``k`` taps over ``t`` output points is ``2 t k inputs outputs`` (taps on the zero padding count,
    as libraries compute them), a dense layer ``2 inputs outputs``. Everything else is small beside them and left out.
    """
    return sum(_of_layer(layer) for layer in network.layers)


def training_operations(network: keras.Model) -> int:
    """The same of one trial's forward and backward pass.

    The backward pass has two products of the forward's size per layer, one for the gradient of the weights and one for
    that of the inputs; nobody needs the latter of the first layer.
    """
    sizes = [size for layer in network.layers if (size := _of_layer(layer))]
    return 3 * sum(sizes) - sizes[0]


def matmul_peak() -> float:
    """Operations per second of a large float32 ``tf.matmul`` on all cores: the best of several, on a quiet machine."""
    import tensorflow as tf

    matrix = tf.constant(np.random.default_rng(0).random((_SIDE, _SIDE), dtype=np.float32))
    tf.matmul(matrix, matrix).numpy()
    best = np.inf
    for _ in range(_BEST_OF):
        before = time.perf_counter()
        tf.matmul(matrix, matrix).numpy()
        best = min(best, time.perf_counter() - before)
    return float(2 * _SIDE**3 / best)


def _of_layer(layer: keras.Layer) -> int:
    kind = type(layer).__name__
    if kind == "Conv1D":
        taps, inputs, outputs = layer.kernel.shape
        return int(2 * layer.output.shape[1] * taps * inputs * outputs)
    if kind == "Dense":
        inputs, outputs = layer.kernel.shape
        return int(2 * inputs * outputs)
    return 0
