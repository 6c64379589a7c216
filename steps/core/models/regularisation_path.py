"""The head of ``soft_minirocket``: logistic regression, from a heavy penalty to a light one.

An epoch is one step down the path of penalties. At each the head is solved, not approached: the loss is convex, so
its weights depend on nothing but the trials and the penalty. Every solution is the start of the next search
(Friedman, Hastie & Tibshirani 2010, "Regularization Paths for Generalized Linear Models via Coordinate Descent",
J. Stat. Softw. 33(1), https://doi.org/10.18637/jss.v033.i01). So ``val_loss`` over epochs is the validation curve of
the penalty, and early stopping lets the validation subjects choose it.
"""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Floats, Strings
from steps.core.data.labelling import Labelling
from steps.core.models import label_training, networks
from steps.core.models.fit import Labels
from steps.core.models.saved_network import copy_of
from steps.core.models.settings import FitSettings
from steps.core.models.soft_minirocket import Front, SoftMiniRocket, proportions

Array = npt.NDArray[np.float64]

FIRST_PENALTY: Final = 1.0
EPOCHS_PER_DECADE: Final = 15
_TOLERANCE = 1e-5


def penalty(epoch: int) -> float:
    """The weight of the squared norm in the loss of an epoch (from 1): 1, and ten times lighter every 15 epochs."""
    return FIRST_PENALTY * 10 ** (-(epoch - 1) / EPOCHS_PER_DECADE)


class RegularisationPath:
    """Fits front and head of ``soft_minirocket``; `steps.core.models.fit.Engine` walks the epochs."""

    has_learning_rate = False
    epochs: int | None = None
    left_out: Array | None = None

    def __init__(
        self,
        model: str,
        timesteps: int,
        features: int,
        _precision: str = "float32",
        labelling: Labelling | None = None,
        *,
        design: SoftMiniRocket | None = None,
    ) -> None:
        """For trials of shape ``(timesteps, features)``; it computes in its own precision."""
        rocket = design or SoftMiniRocket()
        # No weight stays as it was drawn.
        self._network = networks.assemble(model, rocket.layers, timesteps, features, seed=0, labelling=labelling)
        self._labelling = labelling
        self._output = networks.LABEL if labelling else networks.OUTPUT
        self._front = Front(self._network, rocket)

    def begin(
        self,
        training: tuple[Floats, Labels],
        validation: tuple[Floats, Labels] | None,
        class_weight: tuple[float, ...],
        settings: FitSettings,
        seed: int,
        _subjects: Strings | None = None,
    ) -> keras.Model:
        """Fit the front on the training trials; returns the head, whose weights `epoch` sets."""
        self._x = self._front.fit(training[0], seed)
        standardised = self._standardised = label_training.Standardised(training[1], self._labelling)
        self._y = standardised(training[1])
        self._weights = label_training.trial_weights(training[1], class_weight, self._labelling)
        self._held = (proportions(self._network, validation[0]), standardised(validation[1])) if validation else None
        self._width = self._labelling.width if self._labelling else 1
        self._solution = np.zeros((self._x.shape[1] + 1) * self._width)
        inputs = keras.Input((self._x.shape[1],))
        self._head = keras.layers.Dense(self._width, name="head")
        head = keras.Model(inputs, self._head(inputs))
        # Keras's callbacks look for it; nothing here is learnt at its rate.
        head.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
        head.stop_training = False
        return head

    def epoch(self, number: int) -> dict[str, float]:
        """Solve the head at the penalty of epoch ``number`` (from 1); returns its losses and accuracies."""
        strength = penalty(number)
        # One thread, like the rest of a training process: sums in another order would be other sums.
        with threadpool_limits(1):
            solved = minimize(
                self._scaled_loss,
                self._solution,
                (strength,),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 2000, "maxfun": 4000, "ftol": 0.0, "gtol": _TOLERANCE},
            )
            self._solution = solved.x
            matrix = solved.x.reshape(-1, self._width)
            self._head.set_weights([matrix[:-1], matrix[-1]])
            logs = {"loss": float(solved.fun) * strength, "accuracy": self._accuracy(self._x, self._y)}
            if self._held:
                x, y = self._held
                loss, _ = self._loss(solved.x, x, y, np.ones(len(y)), 0.0)
                logs |= {"val_loss": loss, "val_accuracy": self._accuracy(x, y)}
        return logs | {"penalty": strength}

    def finish(self) -> keras.Model:
        """A network of its own, with the head's present weights."""
        self._network.get_layer(self._output).set_weights(self._head.get_weights())
        kernel, bias = self._head.get_weights()
        x, y = self._held or (self._x, self._y)  # it is surer of those who train it
        error = float(np.std((x @ kernel + bias)[:, 0] - y))
        label_training.finish(self._network, self._labelling, self._standardised, error)
        return copy_of(self._network)

    def _loss(self, solution: Array, x: Array, y: Array, weights: Array, strength: float) -> tuple[float, Array]:
        if self._labelling:
            return label_training.penalised_loss(solution, x, y, weights, strength, self._labelling)
        return logistic_loss(solution, x, y, weights, strength)

    def _scaled_loss(self, solution: Array, strength: float) -> tuple[float, Array]:
        """The loss in units of the penalty: one tolerance then does for the whole path."""
        loss, gradient = self._loss(solution, self._x, self._y, self._weights, strength)
        return loss / strength, gradient / strength

    def _accuracy(self, x: Array, y: Array) -> float:
        if self._labelling:
            matrix = self._solution.reshape(-1, self._width)
            return label_training.share_right(x @ matrix[:-1] + matrix[-1], y, self._labelling)
        return float(np.mean((x @ self._solution[:-1] + self._solution[-1] > 0) == (y > 0.5)))


def logistic_loss(solution: Array, x: Array, y: Array, weights: Array, strength: float) -> tuple[float, Array]:
    """Mean weighted cross-entropy plus ``strength`` times the squared norm of the weights, and its gradient.

    Args:
        solution: weights and, last, the intercept, which is not penalised; shape ``(columns + 1,)``.
        x: shape ``(trials, columns)``.
        y: labels 0 or 1, shape ``(trials,)``.
        weights: of the trials, shape ``(trials,)``.
        strength: of the penalty.
    """
    score = x @ solution[:-1] + solution[-1]
    entropy = np.logaddexp(0.0, score) - y * score
    loss = np.mean(weights * entropy) + strength * solution[:-1] @ solution[:-1]
    slope = weights * (0.5 * (1 + np.tanh(score / 2)) - y) / len(y)
    gradient = np.append(x.T @ slope + 2 * strength * solution[:-1], slope.sum())
    return float(loss), gradient
