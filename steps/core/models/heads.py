"""Ridge heads on features, one for each front, with a sigmoid: fitted outright, told by the subjects they leave out.

What a penalty is worth is told by the training subjects themselves, each predicted by heads fitted without them
(`steps.core.models.ridge`). A sigmoid on the mean of the left-out scores of all heads makes probabilities of scores
(Platt 1999, "Probabilistic outputs for support vector machines", in *Advances in Large Margin Classifiers*; with a
prior on its slope), and the penalty with the least cross-entropy is taken. The squared error of the scores would take
too heavy a one where there is little to find: it punishes scores for being small, which the sigmoid mends. Class
weights act on the heads and not on the sigmoid: probabilities are those of the training subjects' own mixture of
classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from steps.core.data.dataset import Dataset, Ints, Strings
from steps.core.models.ridge import classifiers
from steps.core.models.settings import balanced_weights

Array = npt.NDArray[np.float64]

PENALTIES: Final = tuple(float(alpha) for alpha in np.logspace(3.5, -0.5, 9))


@dataclass(frozen=True, eq=False)
class Heads:
    """The heads of one penalty and their sigmoid, as one linear model.

    Attributes:
        coefficients: for each head's features, shapes ``(features,)``.
        intercept: logit where all features are 0.
        fitted: logits of the training trials, shape ``(trials,)``.
        left_out: logits of the training trials by heads fitted without their subject, shape ``(trials,)``.
    """

    coefficients: tuple[Array, ...]
    intercept: float
    fitted: Array
    left_out: Array

    def logits(self, features: Sequence[Array]) -> Array:
        """Of trials, from a matrix ``(trials, features)`` for each head; shape ``(trials,)``."""
        parts = [one @ own for one, own in zip(features, self.coefficients, strict=True)]
        return np.asarray(np.sum(parts, axis=0) + self.intercept)


class HeadsPath:
    """The heads of the same training trials, for any penalty."""

    def __init__(
        self, features: Sequence[Array], labels: Ints, subjects: Strings, class_weight: Sequence[float]
    ) -> None:
        """Decompose what all penalties have in common; the arguments are those of `classifiers`, features per head."""
        self.labels = labels
        self._subjects = len(np.unique(subjects))
        self._paths = [classifiers(one, labels, subjects, class_weight) for one in features]

    def at(self, penalty: float) -> Heads:
        """The heads of a penalty."""
        ridges = [path.at(penalty) for path in self._paths]
        left_out = np.mean(
            [ridge.left_out_scores + path.shifts for ridge, path in zip(ridges, self._paths, strict=True)], axis=0
        )
        slope, offset = platt(left_out, self.labels, self._subjects)
        share = slope / len(ridges)
        return Heads(
            coefficients=tuple(share * ridge.coefficients for ridge in ridges),
            intercept=share * sum(ridge.intercept for ridge in ridges) + offset,
            fitted=slope * np.mean([ridge.fitted_scores for ridge in ridges], axis=0) + offset,
            left_out=slope * left_out + offset,
        )

    def best(self) -> Heads:
        """The heads of the penalty whose left-out logits have the least cross-entropy."""
        return min(map(self.at, PENALTIES), key=lambda heads: cross_entropy(heads.left_out, self.labels))


def fitted_heads(features: Sequence[Array], study: Dataset, trains: npt.NDArray[np.bool_]) -> Heads:
    """The best heads of some of a study's trials, the classes weighing the same.

    Args:
        features: of all trials, a matrix ``(trials, features)`` for each head.
        study: the trials.
        trains: which of them train, shape ``(trials,)``; both classes, and two subjects at least.
    """
    labels = study.labels[trains]
    own = [one[trains] for one in features]
    return HeadsPath(own, labels, study.subjects[trains], balanced_weights(labels)).best()


def cross_entropy(logits: Array, labels: Ints) -> float:
    """Mean over trials, natural logarithm."""
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


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
