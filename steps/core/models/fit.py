"""Fitting: epochs, history, early stopping.

What an epoch does depends on the network: `gradient_descent` trains step by step, `regularisation_path` solves for one
penalty after the other. Early stopping and learning rate reduction *are* Keras's callbacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats, Ints, Strings
from steps.core.data.labelling import Labelling
from steps.core.models.settings import FitSettings
from steps.core.models.table import MODELS, check_trial_length, named

OnEpoch = Callable[[int, dict[str, float]], None]
Labels = Ints | Floats
"""Of trials, shape ``(trials,)``: classes from 0 on, or scores."""


class Method(Protocol):
    """How a network is trained.

    Attributes:
        has_learning_rate: whether the learning rate decides anything; if not, it is recorded as it was given.
        epochs: how many it takes; None leaves that to the settings.
        left_out: once finished, the probability of each training trial by the model fitted without its subject, shape
            ``(trials,)``; None where nobody is left out.
    """

    has_learning_rate: bool
    epochs: int | None
    left_out: npt.NDArray[np.float64] | None

    def begin(
        self,
        training: tuple[Floats, Labels],
        validation: tuple[Floats, Labels] | None,
        class_weight: tuple[float, ...],
        settings: FitSettings,
        seed: int,
        subjects: Strings | None = None,
        /,
    ) -> keras.Model:
        """Start afresh; returns the model whose weights the epochs change, compiled, for Keras's callbacks."""

    def epoch(self, number: int) -> dict[str, float]:
        """Do epoch ``number`` (from 1); returns ``loss``, ``accuracy`` and, with validation, ``val_*``."""

    def finish(self) -> keras.Model:
        """The network with the weights the model has now; its scaler still changes nothing."""


@dataclass(frozen=True)
class Fit:
    """A finished fit.

    Attributes:
        network: the trained network, for standardised trials until its scaler is set; early stopping has restored its
            best weights.
        history: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` (with validation) and ``learning_rate``, one
            value per epoch; ``penalty`` too where the epochs walk along penalties.
        timestamps_ms: end of each epoch, Unix milliseconds.
        seconds: wall time of the fit.
        left_out: probability of each training trial by the model fitted without its subject, shape ``(trials,)``;
            None where the method leaves out nobody.
    """

    network: keras.Model
    history: dict[str, list[float]]
    timestamps_ms: list[int]
    seconds: float
    left_out: npt.NDArray[np.float64] | None = None


class Engine:
    """Trains the networks of one name, for trials of one shape."""

    def __init__(
        self,
        model: str,
        timesteps: int,
        features: int,
        *,
        precision: str = "float32",
        labelling: Labelling | None = None,
        method: Method | None = None,
    ) -> None:
        """Build for trials of shape ``(timesteps, features)``; compilation happens in the first fit.

        Args:
            model: name of the network, one of `MODELS`.
            timesteps: time points per trial.
            features: features per time point.
            precision: in which layers compute while training by gradient descent; `steps.core.models.networks.build`.
            labelling: of the study, where its labels are more than yes or no.
            method: how it is trained, if not as `MODELS` says.

        Raises:
            UserError: trials of this length are too short for it.
        """
        check_trial_length(model, timesteps)
        self.method: Method = method or named(MODELS[model].fit)(model, timesteps, features, precision, labelling)

    def fit(
        self,
        training: tuple[Floats, Labels],
        validation: tuple[Floats, Labels] | None,
        class_weight: tuple[float, ...],
        settings: FitSettings,
        seed: int,
        on_epoch: OnEpoch | None = None,
        subjects: Strings | None = None,
    ) -> Fit:
        """Train from fresh weights.

        Args:
            training: standardised trials ``(trials, timesteps, features)`` and labels ``(trials,)``.
            validation: the same, for early stopping and the learning rate; None trains all epochs.
            class_weight: weight of each class in the loss; of a score all trials count the same.
            settings: hyperparameters.
            seed: fixes initial weights, dropout, the order of trials and random kernels.
            on_epoch: called with the epoch (from 1) and its metrics.
            subjects: of the training trials, shape ``(trials,)``; for methods that leave out one at a time.
        """
        started = time.perf_counter()
        network = self.method.begin(training, validation, class_weight, settings, seed, subjects)
        callbacks = self._callbacks(network, settings) if validation else []
        history: dict[str, list[float]] = {}
        timestamps = []
        for epoch in range(self.method.epochs or settings.epochs):
            logs = self.method.epoch(epoch + 1)
            logs["learning_rate"] = float(network.optimizer.learning_rate)
            for name, value in logs.items():
                history.setdefault(name, []).append(value)
            timestamps.append(time.time_ns() // 1_000_000)
            if on_epoch:
                on_epoch(epoch + 1, logs)
            for callback in callbacks:
                callback.on_epoch_end(epoch, dict(logs))
            if network.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end()
        network = self.method.finish()
        return Fit(network, history, timestamps, time.perf_counter() - started, self.method.left_out)

    def _callbacks(self, network: keras.Model, settings: FitSettings) -> list[keras.callbacks.Callback]:
        callbacks: list[keras.callbacks.Callback] = []
        if settings.reduce_lr_patience and self.method.has_learning_rate:
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
            callback.set_model(network)
            callback.on_train_begin()
        return callbacks


def standardisation(values: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation per feature over ``(trials, timesteps, features)``; a constant feature gets 1."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(values.reshape(-1, values.shape[-1]).astype(np.float64))
    return scaler.mean_, scaler.scale_
