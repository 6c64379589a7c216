"""Ridge heads that say the whole label: the probability of every class, or a score.

They are those of `steps.core.models.heads`, with several targets: what a penalty is worth is told by the training
subjects, each predicted without them, and so are the probabilities. A class is one target, 1 where a trial is of it and
-1 elsewhere; a softmax of the left-out scores, with one slope for all classes and an offset for each, makes
probabilities (Platt's sigmoid for several classes; Guo et al. 2017, "On calibration of modern neural networks", ICML).
A score is a target itself, and its line is fitted to left-out scores. Ordered classes are one target, their place, and
thresholds on the left-out ranks make probabilities (`steps.core.models.networks.set_levels`): told apart one by one,
those in the middle would be found badly by a linear head. The slope has the prior of
`steps.core.models.heads.platt`, for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from steps.core.data.dataset import Strings
from steps.core.data.labelling import CLASSES, ORDERED, SCORE, Labelling
from steps.core.models.heads import HeadsPath, Line, Values

Array = npt.NDArray[np.float64]


class _Classes:
    """Of several classes; outputs are logits."""

    def __init__(self, labelling: Labelling, values: Values, subjects: int) -> None:
        self._labels, self._subjects, classes = values.astype(np.intp), subjects, labelling.width
        self._is_class = np.eye(classes)[self._labels]
        self.targets = 2 * self._is_class - 1
        own = self._is_class.sum(axis=0)[self._labels][:, np.newaxis]
        # A little inside 0 and 1, as Platt's: classes that are told apart do not make it a step.
        self._wanted = np.where(self._is_class == 1, own + 1, 1.0) / (own + classes)

    def line(self, scores: Array) -> Line:
        spread = float(scores.std()) or 1.0
        scaled = scores / spread

        def loss(parameters: Array) -> tuple[float, Array]:
            slope = np.exp(parameters[0])
            logits = slope * scaled + parameters[1:]
            error = (softmax(logits, axis=1) - self._wanted) / len(logits)
            value = self._subjects * -(self._wanted * log_softmax(logits, axis=1)).sum(axis=1).mean()
            gradient = np.append(self._subjects * (error * slope * scaled).sum() + parameters[0],
                                 self._subjects * error.sum(axis=0))  # fmt: skip
            return float(value + parameters[0] ** 2 / 2), gradient

        solution = minimize(loss, np.zeros(1 + scores.shape[1]), jac=True, method="L-BFGS-B").x
        return Line(float(np.exp(solution[0])) / spread, np.asarray(solution[1:]))

    def loss(self, outputs: Array, _thresholds: Array | None) -> float:
        return float(-log_softmax(outputs, axis=1)[np.arange(len(outputs)), self._labels].mean())

    def nats(self, loss: float) -> float:
        return loss

    def is_right(self, outputs: Array, _thresholds: Array | None) -> npt.NDArray[np.bool_]:
        return np.asarray(outputs.argmax(axis=1) == self._labels)


class _Score:
    """Of a score; outputs are in its units."""

    def __init__(self, labelling: Labelling, values: Values, subjects: int) -> None:
        self._values, self._subjects, self._labelling = values.astype(np.float64), subjects, labelling
        self._spread = float(self._values.std()) or 1.0
        self._answers = labelling.answers(values)
        self.targets = self._values[:, np.newaxis]

    def line(self, scores: Array) -> Line:
        """The slope is that of scores and values in standard deviations; the offset makes both means equal."""
        own, mean = float(scores.std()) or 1.0, float(scores.mean())
        x, y = (scores[:, 0] - mean) / own, (self._values - self._values.mean()) / self._spread
        together = float((x * y).mean())

        def loss(logarithm: Array) -> tuple[float, Array]:
            slope = np.exp(logarithm)
            value = self._subjects * (1 - 2 * slope * together + slope**2) / 2 + logarithm**2 / 2
            return float(value[0]), np.asarray(self._subjects * (slope**2 - slope * together) + logarithm)

        slope = float(np.exp(minimize(loss, np.zeros(1), jac=True, method="L-BFGS-B").x[0])) * self._spread / own
        return Line(slope, np.array([self._values.mean() - slope * mean]))

    def loss(self, outputs: Array, _thresholds: Array | None) -> float:
        """Mean squared error, in variances of the training trials' scores."""
        return float(((outputs[:, 0] - self._values) ** 2).mean() / self._spread**2)

    def nats(self, loss: float) -> float:
        """Of normal errors that vary as much as these do."""
        return 0.5 * float(np.log(max(loss, 1e-12)))

    def is_right(self, outputs: Array, _thresholds: Array | None) -> npt.NDArray[np.bool_]:
        """Whether the question is answered rightly."""
        return np.asarray((outputs[:, 0] >= self._labelling.cut_off) == self._answers)


class _Ordered:
    """Of ordered classes; outputs are ranks."""

    def __init__(self, labelling: Labelling, values: Values, subjects: int) -> None:
        self._labels, self._subjects = values.astype(np.intp), subjects
        self._above = np.bincount(self._labels, minlength=labelling.width)[::-1].cumsum()[::-1][1:]
        self.targets = self._labels.astype(np.float64)[:, np.newaxis]

    def line(self, scores: Array) -> Line:
        """Slope and thresholds of the most probable proportional odds; the slope has its prior."""
        spread = float(scores.std()) or 1.0
        scaled = (scores - scores.mean()) / spread
        share = self._above / len(scores)
        start = np.log(share / (1 - share))

        def unpacked(parameters: Array) -> Line:
            thresholds = parameters[1] - np.append(0.0, np.exp(parameters[2:]).cumsum())
            return Line(float(np.exp(parameters[0])), np.zeros(1), thresholds)

        def loss(parameters: Array) -> float:
            line = unpacked(parameters)
            return float(self._subjects * self.loss(line(scaled), line.thresholds) + parameters[0] ** 2 / 2)

        first = np.concatenate([[0.0, start[0]], np.log(np.maximum(-np.diff(start), 1e-3))])
        line = unpacked(minimize(loss, first, method="L-BFGS-B").x)
        slope = line.slope / spread
        return Line(slope, np.array([-slope * scores.mean()]), line.thresholds)

    def loss(self, outputs: Array, thresholds: Array | None) -> float:
        chosen = levels(outputs, thresholds)[np.arange(len(outputs)), self._labels]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    def nats(self, loss: float) -> float:
        return loss

    def is_right(self, outputs: Array, thresholds: Array | None) -> npt.NDArray[np.bool_]:
        return np.asarray(levels(outputs, thresholds).argmax(axis=1) == self._labels)


def levels(ranks: Array, thresholds: Array | None) -> Array:
    """Probabilities of ordered classes ``(trials, classes)`` from ranks ``(trials, 1)``."""
    reached = expit(ranks + (np.empty(0) if thresholds is None else thresholds))
    edge = np.ones((len(ranks), 1))
    return np.asarray(np.hstack([edge, reached]) - np.hstack([reached, 0 * edge]))


_KINDS: Final[Mapping[str, type[_Classes | _Ordered | _Score]]] = {
    CLASSES: _Classes,
    ORDERED: _Ordered,
    SCORE: _Score,
}


def whole_labels(
    features: Sequence[Array],
    values: Values,
    subjects: Strings,
    class_weight: Sequence[float],
    labelling: Labelling,
) -> HeadsPath:
    """The heads of whole labels.

    Args:
        features: a matrix ``(trials, features)`` for each head, scaled.
        values: of the labels, shape ``(trials,)``.
        subjects: shape ``(trials,)``, at least two different ones.
        class_weight: how much the squared error of a trial of each class counts; of a score all count the same.
        labelling: of the study.
    """
    kind = _KINDS[labelling.kind](labelling, values, len(np.unique(subjects)))
    weights = np.asarray(class_weight)[values.astype(np.intp)] if labelling.has_classes else np.ones(len(values))
    return HeadsPath(features, subjects, weights, kind)
