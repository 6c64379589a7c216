"""The head of ``soft_multirocket``: ridge classifiers, solved outright, that need no validation subjects.

An epoch is one penalty, from a heavy one to a light one. What a penalty is worth is told by the training subjects
themselves, each predicted by the classifier fitted without them (`steps.core.models.ridge`); so all of them train.
A sigmoid on the same left-out scores makes probabilities of scores (Platt 1999, "Probabilistic outputs for support
vector machines", in *Advances in Large Margin Classifiers*). Class weights act on the classifier and not on the
sigmoid: probabilities are those of the training subjects' own mixture of classes.
"""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Floats, Ints, Strings
from steps.core.models import networks, soft_multirocket
from steps.core.models.ridge import Ridge, RidgePath
from steps.core.models.settings import FitSettings

Array = npt.NDArray[np.float64]

PENALTIES: Final = tuple(float(alpha) for alpha in np.logspace(6, 0, 25))


class LeftOutRidge:
    """Fits the fronts and the head of ``soft_multirocket``; `steps.core.models.fit.Engine` walks the penalties."""

    has_learning_rate = False
    epochs = len(PENALTIES)

    def __init__(self, model: str, timesteps: int, features: int, _precision: str = "float32") -> None:
        """For trials of shape ``(timesteps, features)``; it computes in its own precision."""
        self._shape, self._name = (timesteps, features), model

    def begin(
        self,
        training: tuple[Floats, Ints],
        _validation: tuple[Floats, Ints] | None,
        class_weight: tuple[float, float],
        settings: FitSettings,
        seed: int,
        subjects: Strings | None = None,
    ) -> keras.Model:
        """Fit the fronts on the training trials, and decompose what all penalties have in common.

        Raises:
            ValueError: it is not told whose trials they are.
        """
        if subjects is None:
            raise ValueError(f"{self._name} leaves out subjects, so it needs those of the training trials")
        self._network = networks.assemble(self._name, soft_multirocket.soft_multirocket, *self._shape, seed=seed)
        proportions = soft_multirocket.fit(self._network, training[0], seed)
        self._labels = training[1]
        with threadpool_limits(1):
            self._path = RidgePath(proportions, self._labels, subjects, class_weight)
        self._best: Ridge | None = None
        self.left_out: Array | None = None
        # Keras's callbacks look for it; nothing here is learnt at its rate.
        self._network.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
        self._network.stop_training = False
        return self._network

    def epoch(self, number: int) -> dict[str, float]:
        """Solve for the penalty of epoch ``number`` (from 1).

        Returns:
            ``loss`` and ``accuracy`` of the training trials, ``val_loss`` and ``val_accuracy`` of the same trials by
            classifiers fitted without their subjects: squared errors of scores around -1 and 1.
        """
        # One thread, like the rest of a training process: sums in another order would be other sums.
        with threadpool_limits(1):
            ridge = self._path.at(PENALTIES[number - 1])
        if self._best is None or ridge.error < self._best.error:
            self._best = ridge
        return {
            "loss": ridge.fitted_error,
            "accuracy": self._accuracy(ridge.fitted_scores),
            "val_loss": ridge.error,
            "val_accuracy": self._accuracy(ridge.left_out_scores),
            "penalty": ridge.alpha,
        }

    def finish(self) -> keras.Model:
        """The network with the head of the best penalty.

        Raises:
            RuntimeError: no penalty was tried.
        """
        if self._best is None:
            raise RuntimeError("no penalty was tried: call epoch first")
        slope, offset = platt(self._best.left_out_scores, self._labels)
        self.left_out = 1 / (1 + np.exp(-(slope * self._best.left_out_scores + offset)))
        coefficients = slope * self._best.coefficients
        self._network.get_layer(networks.OUTPUT).set_weights(
            [coefficients[:, np.newaxis], np.array([slope * self._best.intercept + offset])]
        )
        return self._network

    def _accuracy(self, scores: Array) -> float:
        return float(np.mean((scores > 0) == (self._labels == 1)))


def platt(scores: Array, labels: Ints) -> tuple[float, float]:
    """Slope, not negative, and offset of the sigmoid that makes probabilities of scores.

    The targets are Platt's: a little inside 0 and 1, so that classes that are told apart do not make it a step.

    Args:
        scores: shape ``(trials,)``.
        labels: 0 or 1, shape ``(trials,)``.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Array) -> tuple[float, Array]:
        z = parameters[0] * scores + parameters[1]
        error = 0.5 * (1 + np.tanh(z / 2)) - targets
        return float((np.logaddexp(0, z) - targets * z).mean()), np.array([(error * scores).mean(), error.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(found.x[0]), float(found.x[1])
