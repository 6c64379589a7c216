"""The heads of ``soft_multirocket``: ridge classifiers, solved outright, that need no validation subjects.

An epoch is one penalty, from a heavy one to a light one. What a penalty is worth is told by the training subjects
themselves, each predicted by heads fitted without them (`steps.core.models.ridge`); so all of them train. A sigmoid on
the mean of the left-out scores of both heads makes probabilities of scores (Platt 1999, "Probabilistic outputs for
support vector machines", in *Advances in Large Margin Classifiers*; with a prior on its slope), and the penalty with
the least cross-entropy is taken. The squared error of the scores would take too heavy a one where there is little to
find: it punishes scores for being small, which the sigmoid mends. Class weights act on the heads and not on the
sigmoid: probabilities are those of the training subjects' own mixture of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Floats, Ints, Strings
from steps.core.models import networks, soft_multirocket
from steps.core.models.ridge import Ridge, RidgePath
from steps.core.models.saved_network import copy_of
from steps.core.models.settings import FitSettings

Array = npt.NDArray[np.float64]

PENALTIES: Final = tuple(float(alpha) for alpha in np.logspace(3.5, -0.5, 9))


@dataclass(frozen=True, eq=False)
class _Heads:
    """The heads of a penalty, and the sigmoid on their mean.

    Attributes:
        heads: one for each front.
        slope: of the sigmoid.
        offset: of the sigmoid.
        left_out: probability of each training trial by heads fitted without its subject, shape ``(trials,)``.
        loss: cross-entropy of these.
    """

    heads: tuple[Ridge, ...]
    slope: float
    offset: float
    left_out: Array
    loss: float


class LeftOutRidge:
    """Fits the fronts and the heads of ``soft_multirocket``; `steps.core.models.fit.Engine` walks the penalties."""

    has_learning_rate = False
    epochs: int | None = len(PENALTIES)

    def __init__(self, model: str, timesteps: int, features: int, _precision: str = "float32") -> None:
        """Build for trials of shape ``(timesteps, features)``; it computes in its own precision."""
        self._name = model
        self._network = networks.build(model, timesteps, features, seed=0)  # no weight is left as it was drawn
        self._fronts = soft_multirocket.Fronts(self._network)

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
        self._labels, self._subjects = training[1], len(np.unique(subjects))
        with threadpool_limits(1):
            self._paths = [
                RidgePath(proportions, self._labels, subjects, class_weight)
                for proportions in self._fronts.fit(training[0], seed)
            ]
        self._best: _Heads | None = None
        self.left_out: Array | None = None
        # Keras's callbacks look for it; nothing here is learnt at its rate.
        self._network.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
        self._network.stop_training = False
        return self._network

    def epoch(self, number: int) -> dict[str, float]:
        """Solve for the penalty of epoch ``number`` (from 1), one head for each front.

        Returns:
            ``loss`` (cross-entropy) and ``accuracy`` of the training trials; ``val_loss`` and ``val_accuracy`` of the
            same trials by heads fitted without their subjects.
        """
        # One thread, like the rest of a training process: sums in another order would be other sums.
        with threadpool_limits(1):
            heads = tuple(path.at(PENALTIES[number - 1]) for path in self._paths)
        left_out = np.mean(
            [head.left_out_scores + path.shifts for head, path in zip(heads, self._paths, strict=True)], axis=0
        )
        slope, offset = platt(left_out, self._labels, self._subjects)
        probabilities = expit(slope * left_out + offset)
        loss = self._loss(slope * left_out + offset)
        if self._best is None or loss < self._best.loss:
            self._best = _Heads(heads, slope, offset, probabilities, loss)
        fitted = slope * np.mean([head.fitted_scores for head in heads], axis=0) + offset
        return {
            "loss": self._loss(fitted),
            "accuracy": self._accuracy(expit(fitted)),
            "val_loss": loss,
            "val_accuracy": self._accuracy(probabilities),
            "penalty": PENALTIES[number - 1],
        }

    def finish(self) -> keras.Model:
        """A network of its own, with the mean of both heads at the best penalty in its last layer.

        Raises:
            RuntimeError: no penalty was tried.
        """
        best = self._best
        if best is None:
            raise RuntimeError("no penalty was tried: call epoch first")
        self.left_out = best.left_out
        share = best.slope / len(best.heads)
        coefficients = share * np.concatenate([head.coefficients for head in best.heads])
        intercept = share * sum(head.intercept for head in best.heads) + best.offset
        self._network.get_layer(networks.OUTPUT).set_weights([coefficients[:, np.newaxis], np.array([intercept])])
        return copy_of(self._network)

    def _loss(self, logits: Array) -> float:
        return float(np.mean(np.logaddexp(0, logits) - self._labels * logits))

    def _accuracy(self, probabilities: Array) -> float:
        return float(np.mean((probabilities > 0.5) == (self._labels == 1)))


def platt(scores: Array, labels: Ints, subjects: int) -> tuple[float, float]:
    """Slope, positive, and offset of the sigmoid that makes probabilities of left-out scores.

    The targets are Platt's: a little inside 0 and 1, so that classes that are told apart do not make it a step. The
    slope per standard deviation of the scores has a prior, log-normal with median 1 and sigma 1, against which every
    subject counts as one observation. Without it the slope follows whoever is missing where there is little to find:
    a fold that lacks someone who contradicts gets a steep one, and its test subject is ranked on the wrong side by
    more than others are on the right one. Docs: docs/evaluation-checks.md#nothing-to-find.

    Args:
        scores: shape ``(trials,)``.
        labels: 0 or 1, shape ``(trials,)``.
        subjects: whose trials they are, how many.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scaled = scores / (float(scores.std()) or 1.0)

    def loss(parameters: Array) -> tuple[float, Array]:
        logarithm, offset = parameters
        z = np.exp(logarithm) * scaled + offset
        error = expit(z) - targets
        value = subjects * (np.logaddexp(0, z) - targets * z).mean() + logarithm**2 / 2
        of_logarithm = subjects * (error * (z - offset)).mean() + logarithm
        return float(value), np.array([of_logarithm, subjects * error.mean()])

    solution = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B")
    return float(np.exp(solution.x[0]) / (scores.std() or 1.0)), float(solution.x[1])
