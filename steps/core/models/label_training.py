"""What training on whole labels needs beside that on yes or no, for networks that are trained step by step."""

from __future__ import annotations

from typing import Final, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import log_softmax, softmax

from steps.core.data.labelling import Labelling
from steps.core.models import networks

Array = npt.NDArray[np.float64]
_LOGISTIC: Final = 1.702  # a logistic function of this slope is within .01 of the normal distribution's


def trial_weights(
    labels: npt.NDArray[np.generic], class_weight: tuple[float, ...], labelling: Labelling | None
) -> Array:
    """How much each trial counts in the loss, shape ``(trials,)``: as its class does; of a score all the same."""
    if labelling and not labelling.has_classes:
        return np.ones(len(labels))
    return np.asarray(class_weight, dtype=np.float64)[labels.astype(np.intp)]


class Standardised:
    """Scores in standard deviations of those that train; classes as they are."""

    def __init__(self, labels: npt.NDArray[np.generic], labelling: Labelling | None) -> None:
        """From the labels that train, shape ``(trials,)``."""
        self._is_score = labelling is not None and not labelling.has_classes
        values = labels.astype(np.float64)
        self.mean, self.sd = (float(values.mean()), float(values.std()) or 1.0) if self._is_score else (0.0, 1.0)

    def __call__(self, labels: npt.NDArray[np.generic]) -> Array:
        """Labels as the loss takes them."""
        return np.asarray((labels.astype(np.float64) - self.mean) / self.sd)


def finish(network: keras.Model, labelling: Labelling | None, standardised: Standardised, error: float) -> None:
    """Have a network that was trained on labels give scores in their units, and answer the question.

    Args:
        network: its weights are changed.
        labelling: of the study; with None nothing is done.
        standardised: how the labels were standardised.
        error: standard deviation of what is wrong with standardised scores. It is taken for normal, so the probability
            that the cut-off is reached is a sigmoid of the score, steep where errors are small.
    """
    if labelling is None:
        return
    if labelling.has_classes:
        networks.ask(network, labelling)
        return
    layer = network.get_layer(networks.LABEL)
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * standardised.sd, bias * standardised.sd + standardised.mean])
    slope = _LOGISTIC / (max(error, 1e-3) * standardised.sd)
    networks.answer_from_score(network, slope, -slope * labelling.cut_off)


class Objective(Protocol):
    """A loss of labels and outputs in TensorFlow."""

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Of each trial, shape ``(trials,)``, from labels ``(trials,)`` and outputs ``(trials, width)``."""

    def is_right(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Whether each trial's class, or its answer to the question, is right."""


class Binary:
    """Yes or no."""

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the probabilities; of an output of its own layers Keras would take the logits instead."""
        return keras.losses.binary_crossentropy(labels[:, None], outputs[:, 0][:, None])

    def is_right(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Whether the probability is on the label's side of 0.5."""
        return (outputs[:, 0] > 0.5) == (labels > 0.5)


class Classes:
    """One of several classes."""

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Cross-entropy."""
        return keras.losses.sparse_categorical_crossentropy(tf.cast(labels, tf.int32), outputs)

    def is_right(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Whether the most probable class is the label."""
        return tf.argmax(outputs, axis=1, output_type=tf.int32) == tf.cast(labels, tf.int32)


class Score:
    """A standardised score; right means on the right side of its mean."""

    def losses(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Squared error."""
        return (outputs[:, 0] - labels) ** 2

    def is_right(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Whether label and output are on the same side of the mean."""
        return (outputs[:, 0] > 0) == (labels > 0)


def objective(labelling: Labelling | None) -> Objective:
    """That of a study."""
    if labelling is None:
        return Binary()
    return Classes() if labelling.has_classes else Score()


def penalised_loss(
    solution: Array, x: Array, y: Array, weights: Array, strength: float, labelling: Labelling
) -> tuple[float, Array]:
    """Mean weighted loss of a linear model of labels plus ``strength`` times its squared norm, and its gradient.

    Args:
        solution: weights and, in the last row, intercepts, which are not penalised; ``(columns + 1, width)``, flat.
        x: shape ``(trials, columns)``.
        y: places of classes, or standardised scores, shape ``(trials,)``.
        weights: of the trials, shape ``(trials,)``.
        strength: of the penalty.
        labelling: of the study.
    """
    matrix = solution.reshape(-1, labelling.width)
    losses, slopes = label_losses(x @ matrix[:-1] + matrix[-1], y, labelling)
    slopes = slopes * (weights / len(y))[:, np.newaxis]
    gradient = np.vstack([x.T @ slopes + 2 * strength * matrix[:-1], slopes.sum(axis=0)])
    return float((weights * losses).mean() + strength * (matrix[:-1] ** 2).sum()), gradient.ravel()


def label_losses(outputs: Array, y: Array, labelling: Labelling) -> tuple[Array, Array]:
    """Loss of each trial, and its slope in the outputs ``(trials, width)``: cross-entropy, or half the square."""
    if not labelling.has_classes:
        error = outputs - y[:, np.newaxis]
        return error[:, 0] ** 2 / 2, error
    is_class = np.eye(labelling.width)[y.astype(np.intp)]
    return -(is_class * log_softmax(outputs, axis=1)).sum(axis=1), softmax(outputs, axis=1) - is_class


def share_right(outputs: Array, y: Array, labelling: Labelling) -> float:
    """As `Classes.is_right` or `Score.is_right`, the share of trials."""
    right = outputs.argmax(axis=1) == y if labelling.has_classes else (outputs[:, 0] > 0) == (y > 0)
    return float(np.mean(right))
