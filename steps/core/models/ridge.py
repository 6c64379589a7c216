"""A ridge classifier that leaves out one subject at a time without refitting.

Ridge regression is linear in its targets, so the predictions for a group of trials by the model fitted without them
follow from the model fitted with them: the residuals of the group are multiplied by ``(I - H)^-1``, where ``H`` is the
group's block of the hat matrix (Pahikkala, Boberg & Salakoski 2006, "Fast n-fold cross-validation for regularized
least-squares", SCAI 2006; An, Liu & Venkatesh 2007, Pattern Recognition 40:2154-2162). One eigendecomposition serves
every subject and every penalty. Leaving out single trials instead, as is usual, would let a subject's other trials
vouch for it and choose too small a penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Ints, Strings

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted ridge regression; of a classifier scores are about -1 for class 0 and 1 for class 1.

    Attributes:
        alpha: its penalty.
        coefficients: shape ``(features,)``.
        intercept: score where all features are 0.
        fitted_scores: of the training trials, shape ``(trials,)``.
        left_out_scores: of each training trial by the classifier fitted without its subject, shape ``(trials,)``.
        error: mean squared error of the left-out scores, weighted as the fit.
    """

    alpha: float
    coefficients: Array
    intercept: float
    fitted_scores: Array
    left_out_scores: Array
    error: float

    def scores(self, features: Array) -> Array:
        """Scores of trials ``(trials, features)``, shape ``(trials,)``."""
        return np.asarray(features @ self.coefficients + self.intercept)


class RidgeRows:
    """What the ridge regressions of the same training trials have in common, whatever they predict."""

    def __init__(self, features: Array, subjects: Strings, weights: Array) -> None:
        """Decompose the trials.

        Args:
            features: shape ``(trials, features)``, scaled.
            subjects: shape ``(trials,)``, at least two different ones.
            weights: how much the squared error of each trial counts, shape ``(trials,)``.
        """
        self.given_weights = weights
        self.weights = weights / weights.mean()
        self.roots = np.sqrt(self.weights)
        self.mean = np.average(features, axis=0, weights=weights)
        self.centred = (features - self.mean) * self.roots[:, np.newaxis]
        self.eigenvalues, self.vectors = _decomposed(self.centred)
        self.groups = [np.flatnonzero(subjects == name) for name in np.unique(subjects)]


class RidgePath:
    """The ridge regressions of the same training trials, for any penalty.

    Attributes:
        shifts: how much lower the intercept of a classifier without a trial's subject is than that of all, shape
            ``(trials,)``. Whoever is left out is missing in his class, so without him scores lean to the other; added
            to left-out scores, this takes it back.
    """

    def __init__(self, rows: RidgeRows, targets: Array) -> None:
        """Project on the trials what is to be predicted, ``targets`` of shape ``(trials,)``."""
        self._rows, self._targets = rows, targets
        weights = rows.weights
        self._target_mean = float(np.average(targets, weights=rows.given_weights))
        self._wanted = (targets - self._target_mean) * rows.roots
        self._projected = rows.vectors.T @ self._wanted
        self.shifts = np.empty(len(targets))
        weighted = weights * targets
        for own in rows.groups:
            without = (weighted.sum() - weighted[own].sum()) / (weights.sum() - weights[own].sum())
            self.shifts[own] = self._target_mean - without

    def at(self, alpha: float) -> Ridge:
        """The regression of a penalty, positive."""
        rows = self._rows
        shrinkage = rows.eigenvalues / (rows.eigenvalues + alpha)
        residuals = self._wanted - rows.vectors @ (shrinkage * self._projected)
        left_out = np.empty_like(residuals)
        # The mean is fitted, too, and costs nothing: it is the unpenalised direction of the roots of the weights.
        constant = rows.roots / np.sqrt(len(rows.roots))
        for own in rows.groups:
            part = rows.vectors[own]
            hat = (part * shrinkage) @ part.T + np.outer(constant[own], constant[own])
            left_out[own] = np.linalg.solve(np.eye(len(own)) - hat, residuals[own])
        coefficients = rows.centred.T @ (rows.vectors @ (self._projected / (rows.eigenvalues + alpha)))
        return Ridge(
            alpha=alpha,
            coefficients=coefficients,
            intercept=self._target_mean - float(rows.mean @ coefficients),
            fitted_scores=self._targets - residuals / rows.roots,
            left_out_scores=self._targets - left_out / rows.roots,
            error=float((left_out**2).mean()),
        )


def classifiers(
    features: Array, labels: Ints, subjects: Strings, class_weight: Sequence[float] = (1.0, 1.0)
) -> RidgePath:
    """The ridge classifiers of training trials.

    Args:
        features: shape ``(trials, features)``, scaled.
        labels: 0 or 1, shape ``(trials,)``.
        subjects: shape ``(trials,)``, at least two different ones.
        class_weight: how much the squared error of a negative and of a positive trial counts.
    """
    weights = np.asarray(class_weight, dtype=np.float64)[labels]
    return RidgePath(RidgeRows(features, subjects, weights), np.where(labels == 1, 1.0, -1.0))


def _decomposed(rows: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of ``rows @ rows.T``, those of eigenvalue 0 aside, from the smaller product."""
    count, width = rows.shape
    if count <= width:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        return np.maximum(values, 0.0), vectors
    values, directions = np.linalg.eigh(rows.T @ rows)
    kept = values > values[-1] * count * np.finfo(np.float64).eps
    return values[kept], rows @ (directions[:, kept] / np.sqrt(values[kept]))


def fit_ridge(features: Array, labels: Ints, subjects: Strings, alphas: Sequence[float]) -> Ridge:
    """Fit with the penalty whose predictions of left-out subjects have the least squared error.

    Args:
        features: shape ``(trials, features)``, scaled.
        labels: 0 or 1, shape ``(trials,)``.
        subjects: shape ``(trials,)``, at least two different ones.
        alphas: penalties to choose from, all positive.
    """
    path = classifiers(features, labels, subjects)
    return min((path.at(alpha) for alpha in alphas), key=lambda ridge: ridge.error)
