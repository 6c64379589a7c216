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
    """A fitted ridge classifier; its scores are about -1 for class 0 and 1 for class 1.

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


class RidgePath:
    """The ridge classifiers of the same training trials, for any penalty.

    Attributes:
        shifts: how much lower the intercept of a classifier without a trial's subject is than that of all, shape
            ``(trials,)``. Whoever is left out is missing in his class, so without him scores lean to the other; added
            to left-out scores, this takes it back.
    """

    def __init__(
        self, features: Array, labels: Ints, subjects: Strings, class_weight: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        """Decompose what all of them have in common.

        Args:
            features: shape ``(trials, features)``, scaled.
            labels: 0 or 1, shape ``(trials,)``.
            subjects: shape ``(trials,)``, at least two different ones.
            class_weight: how much the squared error of a negative and of a positive trial counts.
        """
        weights = np.asarray(class_weight, dtype=np.float64)[labels]
        self._weights = weights / weights.mean()
        self._roots = np.sqrt(self._weights)
        self._targets = np.where(labels == 1, 1.0, -1.0)
        self._mean = np.average(features, axis=0, weights=weights)
        self._target_mean = float(np.average(self._targets, weights=weights))
        self._centred = (features - self._mean) * self._roots[:, np.newaxis]
        self._eigenvalues, self._vectors = _decomposed(self._centred)
        self._wanted = (self._targets - self._target_mean) * self._roots
        self._projected = self._vectors.T @ self._wanted
        self._groups = [np.flatnonzero(subjects == name) for name in np.unique(subjects)]
        self.shifts = np.empty(len(labels))
        weighted = self._weights * self._targets
        for rows in self._groups:
            without = (weighted.sum() - weighted[rows].sum()) / (self._weights.sum() - self._weights[rows].sum())
            self.shifts[rows] = self._target_mean - without

    def at(self, alpha: float) -> Ridge:
        """The classifier of a penalty, positive."""
        shrinkage = self._eigenvalues / (self._eigenvalues + alpha)
        residuals = self._wanted - self._vectors @ (shrinkage * self._projected)
        left_out = np.empty_like(residuals)
        # The mean is fitted, too, and costs nothing: it is the unpenalised direction of the roots of the weights.
        constant = self._roots / np.sqrt(len(self._roots))
        for rows in self._groups:
            part = self._vectors[rows]
            hat = (part * shrinkage) @ part.T + np.outer(constant[rows], constant[rows])
            left_out[rows] = np.linalg.solve(np.eye(len(rows)) - hat, residuals[rows])
        coefficients = self._centred.T @ (self._vectors @ (self._projected / (self._eigenvalues + alpha)))
        return Ridge(
            alpha=alpha,
            coefficients=coefficients,
            intercept=self._target_mean - float(self._mean @ coefficients),
            fitted_scores=self._targets - residuals / self._roots,
            left_out_scores=self._targets - left_out / self._roots,
            error=float((left_out**2).mean()),
        )


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
    path = RidgePath(features, labels, subjects)
    return min((path.at(alpha) for alpha in alphas), key=lambda ridge: ridge.error)
