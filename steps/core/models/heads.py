"""Ridge heads, one for each matrix of features, fitted outright and told by the subjects they leave out.

What a penalty is worth is told by the training subjects themselves, each predicted by a head fitted without them
(`steps.core.models.ridge`). A sigmoid on a head's left-out scores makes probabilities of scores (Platt 1999,
"Probabilistic outputs for support vector machines", in *Advances in Large Margin Classifiers*; with a prior on its
slope), and each head takes the penalty with the least cross-entropy. The squared error of the scores would take too
heavy a one where there is little to find: it punishes scores for being small, which the sigmoid mends. Class weights
act on the heads and not on the sigmoid: probabilities are those of the training subjects' own mixture of classes.

The logits of all heads are averaged, and a head counts by how well it does for whom it has left out (pseudo-Bayesian
model averaging: Yao, Vehtari, Simpson & Gelman 2018, "Using stacking to average Bayesian predictive distributions",
Bayesian Anal. 13:917-1007; a subject is one observation). Where nothing is to be found all count the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, softmax

from steps.core.data.dataset import Dataset, Ints, Strings
from steps.core.models.ridge import RidgePath, RidgeRows
from steps.core.models.settings import balanced_weights

Array = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating | np.integer]

PENALTIES: Final = tuple(float(alpha) for alpha in np.logspace(3.5, -0.5, 9))
_NOTHING, _ROUNDING = 1e-6, 1e-12  # of the standard deviation, and of the size, of what is to be predicted


@dataclass(frozen=True, eq=False)
class Line:
    """What makes outputs of scores: ``slope * scores + offsets``, the same slope for all columns.

    Of ordered classes the output is a rank, and ``thresholds`` say where its levels begin.
    """

    slope: float
    offsets: Array
    thresholds: Array | None = None

    def __call__(self, scores: Array) -> Array:
        """Outputs of scores ``(trials, width)``, same shape."""
        return self.slope * scores + self.offsets


class Kind(Protocol):
    """What is particular to yes or no, to classes, or to a score.

    Attributes:
        targets: what heads predict, shape ``(trials, width)``.
    """

    targets: Array

    def line(self, scores: Array) -> Line:
        """The line that fits left-out scores ``(trials, width)`` best."""

    def loss(self, outputs: Array, thresholds: Array | None, /) -> float:
        """Of outputs ``(trials, width)``: cross-entropy, or the squared error of a score in its variances."""

    def nats(self, loss: float) -> float:
        """A loss as the mean of minus the logarithm of the likelihood, up to a constant."""

    def is_right(self, outputs: Array, thresholds: Array | None, /) -> npt.NDArray[np.bool_]:
        """Whether the class, or the answer to the question, is the right one; shape ``(trials,)``."""


class YesOrNo:
    """Labels 0 and 1; outputs are logits, one column."""

    def __init__(self, labels: Values, subjects: int) -> None:
        """Take the labels ``(trials,)`` and how many subjects they are of."""
        self._labels, self._subjects = labels.astype(np.int8), subjects
        self.targets = np.where(self._labels == 1, 1.0, -1.0)[:, np.newaxis]

    def line(self, scores: Array) -> Line:
        """Platt's sigmoid."""
        slope, offset = platt(scores[:, 0], self._labels, self._subjects)
        return Line(slope, np.array([offset]))

    def loss(self, outputs: Array, _thresholds: Array | None) -> float:
        """Cross-entropy."""
        return cross_entropy(outputs[:, 0], self._labels)

    def nats(self, loss: float) -> float:
        """The loss itself."""
        return loss

    def is_right(self, outputs: Array, _thresholds: Array | None) -> npt.NDArray[np.bool_]:
        """By the sign of the logit."""
        return np.asarray((outputs[:, 0] > 0) == (self._labels == 1))


@dataclass(frozen=True, eq=False)
class Heads:
    """Heads as one linear model.

    Attributes:
        coefficients: for each head's features, shape ``(features, width)``.
        intercepts: shape ``(width,)``.
        thresholds: of ordered classes, whose outputs are ranks, one column; else None.
        fitted: outputs for the training trials, shape ``(trials, width)``.
        left_out: the same by heads fitted without their subject.
        loss: of ``fitted``: cross-entropy, or mean squared error in variances of the score.
        accuracy: of ``fitted``: share whose class is right, or whose question is.
        left_out_loss: of ``left_out``.
        left_out_accuracy: of ``left_out``.
    """

    coefficients: tuple[Array, ...]
    intercepts: Array
    thresholds: Array | None
    fitted: Array
    left_out: Array
    loss: float
    accuracy: float
    left_out_loss: float
    left_out_accuracy: float

    def outputs(self, features: Sequence[Array]) -> Array:
        """Of trials, from a matrix ``(trials, features)`` for each head; shape ``(trials, width)``."""
        parts = [one @ own for one, own in zip(features, self.coefficients, strict=True)]
        return np.asarray(np.sum(parts, axis=0) + self.intercepts)


@dataclass(frozen=True, eq=False)
class _Head:
    """A head of one penalty; the fields are those of `Heads`."""

    coefficients: Array
    intercepts: Array
    thresholds: Array | None
    fitted: Array
    left_out: Array
    left_out_loss: float


class HeadsPath:
    """The heads of the same training trials, for one penalty after the other."""

    def __init__(self, features: Sequence[Array], subjects: Strings, weights: Array, kind: Kind) -> None:
        """Decompose what all penalties have in common.

        Args:
            features: a matrix ``(trials, features)`` for each head, scaled.
            subjects: shape ``(trials,)``, at least two different ones.
            weights: how much the squared error of each trial counts, shape ``(trials,)``.
            kind: of the labels.
        """
        self._kind, self._subjects = kind, len(np.unique(subjects))
        self._indistinct = _NOTHING * kind.targets.std() + _ROUNDING * np.abs(kind.targets).max()
        self._paths = []
        for one in features:
            rows = RidgeRows(one, subjects, weights)
            self._paths.append([RidgePath(rows, target) for target in kind.targets.T])

    def __iter__(self) -> Iterator[Heads]:
        """For each of `PENALTIES` the heads, each at the best penalty so far."""
        best = [self._head(paths, PENALTIES[0]) for paths in self._paths]
        yield self._together(best)
        for penalty in PENALTIES[1:]:
            for place, paths in enumerate(self._paths):
                head = self._head(paths, penalty)
                if head.left_out_loss < best[place].left_out_loss:
                    best[place] = head
            yield self._together(best)

    def best(self) -> Heads:
        """The heads whose left-out outputs have the least loss."""
        return min(self, key=lambda heads: heads.left_out_loss)

    def _head(self, paths: Sequence[RidgePath], penalty: float) -> _Head:
        ridges = [path.at(penalty) for path in paths]
        scores = np.stack([one.left_out_scores + path.shifts for one, path in zip(ridges, paths, strict=True)], axis=1)
        fitted = np.stack([one.fitted_scores for one in ridges], axis=1)
        coefficients = np.stack([one.coefficients for one in ridges], axis=1)
        intercepts = np.array([one.intercept for one in ridges])
        if scores.std(axis=0).max() <= self._indistinct:
            # What constant features say of trials differs by rounding alone, which a line would make much of.
            scores, fitted, coefficients, intercepts = (0 * one for one in (scores, fitted, coefficients, intercepts))
        line = self._kind.line(scores)
        left_out = line(scores)
        return _Head(
            coefficients=line.slope * coefficients,
            intercepts=line(intercepts),
            thresholds=line.thresholds,
            fitted=line(fitted),
            left_out=left_out,
            left_out_loss=self._kind.loss(left_out, line.thresholds),
        )

    def _together(self, heads: Sequence[_Head]) -> Heads:
        kind = self._kind
        weights = softmax([-self._subjects * kind.nats(head.left_out_loss) for head in heads])
        share = list(zip(weights.tolist(), heads, strict=True))
        thresholds = [weight * head.thresholds for weight, head in share if head.thresholds is not None]
        together = np.sum(thresholds, axis=0) if thresholds else None
        fitted = np.sum([weight * head.fitted for weight, head in share], axis=0)
        left_out = np.sum([weight * head.left_out for weight, head in share], axis=0)
        return Heads(
            coefficients=tuple(weight * head.coefficients for weight, head in share),
            intercepts=np.sum([weight * head.intercepts for weight, head in share], axis=0),
            thresholds=together,
            fitted=fitted,
            left_out=left_out,
            loss=kind.loss(fitted, together),
            accuracy=float(kind.is_right(fitted, together).mean()),
            left_out_loss=kind.loss(left_out, together),
            left_out_accuracy=float(kind.is_right(left_out, together).mean()),
        )


def yes_or_no(
    features: Sequence[Array], labels: Values, subjects: Strings, class_weight: Sequence[float] = (1.0, 1.0)
) -> HeadsPath:
    """The heads of a question.

    Args:
        features: a matrix ``(trials, features)`` for each head, scaled.
        labels: 0 or 1, shape ``(trials,)``.
        subjects: shape ``(trials,)``, at least two different ones.
        class_weight: how much the squared error of a negative and of a positive trial counts.
    """
    kind = YesOrNo(labels, len(np.unique(subjects)))
    return HeadsPath(features, subjects, np.asarray(class_weight, dtype=np.float64)[labels.astype(np.intp)], kind)


def fitted_heads(features: Sequence[Array], study: Dataset, trains: npt.NDArray[np.bool_]) -> Heads:
    """The best heads of some of a study's trials, the classes weighing the same.

    Args:
        features: of all trials, a matrix ``(trials, features)`` for each head.
        study: the trials.
        trains: which of them train, shape ``(trials,)``; both classes, and two subjects at least.
    """
    labels = study.labels[trains]
    own = [one[trains] for one in features]
    return yes_or_no(own, labels, study.subjects[trains], balanced_weights(labels)).best()


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
