"""Gradient descent on one network, many times, in one process.

The epoch is one compiled function over resident trials; network, optimiser and compiled function are made
once per process and reset for each fold, so nothing is traced twice. Losses, metrics and batches follow
Keras's ``fit``.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from steps.core.data.dataset import Floats, Strings
from steps.core.data.labelling import Labelling
from steps.core.models import label_training, networks
from steps.core.models.fit import Labels
from steps.core.models.settings import FitSettings

_VALIDATION_BATCH = 256


class GradientDescent:
    """A network with its optimiser and compiled epoch; `steps.core.models.fit.Engine` walks the epochs."""

    has_learning_rate = True
    epochs: int | None = None
    left_out: npt.NDArray[np.float64] | None = None

    def __init__(
        self,
        model: str,
        timesteps: int,
        features: int,
        precision: str = "float32",
        labelling: Labelling | None = None,
    ) -> None:
        """Build for trials of shape ``(timesteps, features)``; compilation happens in the first fit.

        Args:
            model: name of the network.
            timesteps: time points per trial.
            features: features per time point.
            precision: Keras's dtype policy while training; weights are float32 in any case.
            labelling: of the study.
        """
        self._labelling, self._objective = labelling, label_training.objective(labelling)
        self._config = networks.build(model, timesteps, features, labelling=labelling).get_config()
        self._whole = networks.build(model, timesteps, features, precision, labelling=labelling)
        self.network = networks.without_scaler(self._whole, networks.LABEL if labelling else networks.OUTPUT)
        self._optimizer = _optimizer(precision)
        self._optimizer.build(self.network.trainable_variables)
        self._optimizer_start = [variable.numpy() for variable in self._optimizer.variables]
        # The callbacks look for these two on the model.
        self.network.compile(optimizer=self._optimizer)
        trials = tf.TensorSpec((None, timesteps, features), tf.float32)
        column = tf.TensorSpec((None,), tf.float32)
        scalar = tf.TensorSpec((), tf.int32)
        self._train = tf.function(
            self._train_epoch,
            input_signature=(trials, column, column, tf.TensorSpec((None,), tf.int32), scalar),
        )
        self._validate = tf.function(self._validation, input_signature=(trials, column))

    def begin(
        self,
        training: tuple[Floats, Labels],
        validation: tuple[Floats, Labels] | None,
        class_weight: tuple[float, ...],
        settings: FitSettings,
        seed: int,
        _subjects: Strings | None = None,
    ) -> keras.Model:
        """Take the trials and fresh weights; returns the network that `epoch` trains."""
        self._fresh = self._reset(settings.learning_rate, seed)
        self._order = np.random.default_rng(seed)
        self._batch_size = settings.batch_size
        standardised = self._standardised = label_training.Standardised(training[1], self._labelling)
        weights = label_training.trial_weights(training[1], class_weight, self._labelling)
        self._training = (
            tf.constant(training[0]),
            tf.constant(standardised(training[1]), tf.float32),
            tf.constant(weights, tf.float32),
        )
        self._held = (
            (tf.constant(validation[0]), tf.constant(standardised(validation[1]), tf.float32)) if validation else None
        )
        return self.network

    def epoch(self, _number: int) -> dict[str, float]:
        """Train on every trial once, in a new order; returns losses and accuracies."""
        permutation = tf.constant(self._order.permutation(len(self._training[1])), tf.int32)
        loss, accuracy = self._train(*self._training, permutation, self._batch_size)
        logs = {"loss": float(loss), "accuracy": float(accuracy)}
        if self._held:
            val_loss, val_accuracy = self._validate(*self._held)
            logs |= {"val_loss": float(val_loss), "val_accuracy": float(val_accuracy)}
        return logs

    def finish(self) -> keras.Model:
        """A network of its own with the present weights."""
        self._fresh.set_weights(self._whole.get_weights())
        error = 0.0
        if self._labelling and not self._labelling.has_classes:
            x, y = self._held or self._training[:2]  # a network is surer of those who train it
            error = float(np.std(self.network(x, training=False)[:, 0] - y))
        label_training.finish(self._fresh, self._labelling, self._standardised, error)
        return self._fresh

    def _reset(self, learning_rate: float, seed: int) -> keras.Model:
        """Give every variable, dropout seeds included, the value it has in a freshly built network."""
        fresh = networks.drawn_anew(self._config, seed)
        for resident, new in zip(self._whole.variables, fresh.variables, strict=True):
            resident.assign(new)
        for variable, start in zip(self._optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)
        self._optimizer.learning_rate = learning_rate
        self.network.stop_training = False
        return fresh

    def _train_epoch(
        self, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor, order: tf.Tensor, batch_size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        variables = self.network.trainable_variables
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        count = tf.shape(order)[0]
        for start in tf.range(0, count, batch_size):
            batch = order[start : start + batch_size]
            labels = tf.gather(y, batch)
            with tf.GradientTape() as tape:
                outputs = self.network(tf.gather(x, batch), training=True)
                loss = self._loss(labels, outputs, tf.gather(weights, batch))
                scaled = self._optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, variables)
            self._optimizer.apply(gradients, variables)
            loss_sum += loss * tf.cast(tf.shape(batch)[0], tf.float32)
            correct += tf.reduce_sum(tf.cast(self._objective.is_right(labels, outputs), tf.float32))
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct / total

    def _validation(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        count = tf.shape(y)[0]
        for start in tf.range(0, count, _VALIDATION_BATCH):
            labels = y[start : start + _VALIDATION_BATCH]
            outputs = self.network(x[start : start + _VALIDATION_BATCH], training=False)
            loss = self._loss(labels, outputs, tf.ones_like(labels))
            loss_sum += loss * tf.cast(tf.shape(labels)[0], tf.float32)
            correct += tf.reduce_sum(tf.cast(self._objective.is_right(labels, outputs), tf.float32))
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct / total

    def _loss(self, labels: tf.Tensor, outputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        loss = tf.reduce_mean(weights * self._objective.losses(labels, outputs))
        if self.network.losses:  # L2 penalties
            loss += tf.add_n(self.network.losses)
        return loss


def _optimizer(precision: str) -> keras.optimizers.Optimizer:
    """Adam; in float16 with its loss scaled, so that small gradients do not become zero (Micikevicius et al. 2018).

    "Mixed Precision Training", ICLR, https://arxiv.org/abs/1710.03740.
    """
    adam = keras.optimizers.Adam()
    return keras.optimizers.LossScaleOptimizer(adam) if precision == "mixed_float16" else adam
