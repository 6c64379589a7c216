"""Fitting one network, many times, in one process.

The epoch is one compiled function over resident trials; network, optimiser and compiled function are made
once per process and reset for each fold, so nothing is traced twice. Losses, metrics and batches follow
Keras's ``fit``, and early stopping and learning rate reduction *are* Keras's callbacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from steps.dataset import Floats, Ints
from steps.train import networks
from steps.train.settings import FitSettings

_VALIDATION_BATCH = 256
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Fit:
    """A finished fit.

    Attributes:
        network: the trained network, for standardised trials; early stopping has restored its best weights.
        history: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` (with validation) and ``learning_rate``, one
            value per epoch.
        timestamps_ms: end of each epoch, Unix milliseconds.
        seconds: wall time of all epochs.
    """

    network: keras.Model
    history: dict[str, list[float]]
    timestamps_ms: list[int]
    seconds: float

    @property
    def epochs_trained(self) -> int:
        """Epochs that were run."""
        return len(self.timestamps_ms)


class Engine:
    """A network with its optimiser and compiled epoch, for trials of one shape."""

    def __init__(self, model: str, timesteps: int, features: int) -> None:
        """Build for trials of shape ``(timesteps, features)``; compilation happens in the first fit."""
        self._shape = (model, timesteps, features)
        self._network = networks.build(*self._shape)
        self._optimizer = keras.optimizers.Adam()
        self._optimizer.build(self._network.trainable_variables)
        # The callbacks look for these two on the model.
        self._network.compile(optimizer=self._optimizer)
        trials = tf.TensorSpec((None, timesteps, features), tf.float32)
        column = tf.TensorSpec((None,), tf.float32)
        scalar = tf.TensorSpec((), tf.int32)
        self._train = tf.function(
            self._train_epoch,
            input_signature=(trials, column, column, tf.TensorSpec((None,), tf.int32), scalar),
        )
        self._validate = tf.function(self._validation, input_signature=(trials, column))

    def fit(
        self,
        training: tuple[Floats, Ints],
        validation: tuple[Floats, Ints] | None,
        class_weight: tuple[float, float],
        settings: FitSettings,
        seed: int,
        on_epoch: OnEpoch | None = None,
    ) -> Fit:
        """Train from fresh weights.

        Args:
            training: standardised trials ``(trials, timesteps, features)`` and labels ``(trials,)``.
            validation: the same, for early stopping and the learning rate; None trains all epochs.
            class_weight: weight of the negative and of the positive class in the loss.
            settings: hyperparameters.
            seed: fixes initial weights, dropout and the order of trials.
            on_epoch: called with the epoch (from 1) and its metrics.
        """
        fresh = self._reset(settings.learning_rate, seed)
        order = np.random.default_rng(seed)
        x, y = tf.constant(training[0]), tf.constant(training[1], tf.float32)
        weights = tf.constant(np.asarray(class_weight, np.float32)[training[1]])
        held = (tf.constant(validation[0]), tf.constant(validation[1], tf.float32)) if validation else None
        callbacks = self._callbacks(settings) if held else []
        history: dict[str, list[float]] = {}
        timestamps = []
        started = time.perf_counter()
        for epoch in range(settings.epochs):
            permutation = tf.constant(order.permutation(len(training[1])), tf.int32)
            loss, accuracy = self._train(x, y, weights, permutation, settings.batch_size)
            logs = {"loss": float(loss), "accuracy": float(accuracy)}
            if held:
                val_loss, val_accuracy = self._validate(*held)
                logs |= {"val_loss": float(val_loss), "val_accuracy": float(val_accuracy)}
            logs["learning_rate"] = float(self._optimizer.learning_rate)
            for name, value in logs.items():
                history.setdefault(name, []).append(value)
            timestamps.append(time.time_ns() // 1_000_000)
            if on_epoch:
                on_epoch(epoch + 1, logs)
            for callback in callbacks:
                callback.on_epoch_end(epoch, dict(logs))
            if self._network.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end()
        seconds = time.perf_counter() - started
        fresh.set_weights(self._network.get_weights())
        return Fit(fresh, history, timestamps, seconds)

    def _reset(self, learning_rate: float, seed: int) -> keras.Model:
        """Give every variable, dropout seeds included, the value it has in a freshly built network."""
        keras.utils.set_random_seed(seed)
        fresh = networks.build(*self._shape)
        for resident, new in zip(self._network.variables, fresh.variables, strict=True):
            resident.assign(new)
        for variable in self._optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self._optimizer.learning_rate = learning_rate
        self._network.stop_training = False
        return fresh

    def _callbacks(self, settings: FitSettings) -> list[keras.callbacks.Callback]:
        callbacks: list[keras.callbacks.Callback] = []
        if settings.reduce_lr_patience:
            callbacks.append(
                keras.callbacks.ReduceLROnPlateau(
                    monitor="val_loss",
                    patience=settings.reduce_lr_patience,
                    factor=settings.reduce_lr_factor,
                    min_delta=0.0,
                )
            )
        if settings.early_stopping_patience:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    monitor="val_loss", patience=settings.early_stopping_patience, restore_best_weights=True
                )
            )
        for callback in callbacks:
            callback.set_model(self._network)
            callback.on_train_begin()
        return callbacks

    def _train_epoch(
        self, x: tf.Tensor, y: tf.Tensor, weights: tf.Tensor, order: tf.Tensor, batch_size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        variables = self._network.trainable_variables
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        count = tf.shape(order)[0]
        for start in tf.range(0, count, batch_size):
            batch = order[start : start + batch_size]
            labels = tf.gather(y, batch)
            with tf.GradientTape() as tape:
                probability = self._network(tf.gather(x, batch), training=True)[:, 0]
                loss = self._loss(labels, probability, tf.gather(weights, batch))
            gradients = tape.gradient(loss, variables)
            self._optimizer.apply(gradients, variables)
            loss_sum += loss * tf.cast(tf.shape(batch)[0], tf.float32)
            correct += _correct(labels, probability)
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct / total

    def _validation(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss_sum = tf.constant(0.0)
        correct = tf.constant(0.0)
        count = tf.shape(y)[0]
        for start in tf.range(0, count, _VALIDATION_BATCH):
            labels = y[start : start + _VALIDATION_BATCH]
            probability = self._network(x[start : start + _VALIDATION_BATCH], training=False)[:, 0]
            loss = self._loss(labels, probability, tf.ones_like(labels))
            loss_sum += loss * tf.cast(tf.shape(labels)[0], tf.float32)
            correct += _correct(labels, probability)
        total = tf.cast(count, tf.float32)
        return loss_sum / total, correct / total

    def _loss(self, labels: tf.Tensor, probability: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        entropy = keras.losses.binary_crossentropy(labels[:, None], probability[:, None])
        loss = tf.reduce_mean(weights * entropy)
        if self._network.losses:  # L2 penalties
            loss += tf.add_n(self._network.losses)
        return loss


def _correct(labels: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast((probability > 0.5) == (labels > 0.5), tf.float32))


def standardisation(values: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation per feature over ``(trials, timesteps, features)``; a constant feature gets 1."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(values.reshape(-1, values.shape[-1]).astype(np.float64))
    return scaler.mean_, scaler.scale_
