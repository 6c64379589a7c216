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
    """A fitted ridge classifier.

    Attributes:
        alpha: the penalty chosen.
        coefficients: shape ``(features,)``.
        mean: of the training features, shape ``(features,)``.
        intercept: score of the mean.
        held_out_scores: score of each training trial by the model fitted without its subject, shape ``(trials,)``.
    """

    alpha: float
    coefficients: Array
    mean: Array
    intercept: float
    held_out_scores: Array

    def scores(self, features: Array) -> Array:
        """Decision scores, about -1 for class 0 and 1 for class 1; shape ``(trials,)``."""
        return np.asarray((features - self.mean) @ self.coefficients + self.intercept)


def fit_ridge(features: Array, labels: Ints, subjects: Strings, alphas: Sequence[float]) -> Ridge:
    """Fit with the penalty whose predictions of left-out subjects have the least squared error.

    Args:
        features: shape ``(trials, features)``, scaled.
        labels: 0 or 1, shape ``(trials,)``.
        subjects: shape ``(trials,)``, at least two different ones.
        alphas: penalties to choose from, all positive.
    """
    targets = np.where(labels == 1, 1.0, -1.0)
    mean, intercept = features.mean(axis=0), float(targets.mean())
    centred = features - mean
    eigenvalues, vectors = np.linalg.eigh(centred @ centred.T)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    projected = vectors.T @ (targets - intercept)
    groups = [np.flatnonzero(subjects == name) for name in np.unique(subjects)]
    candidates = []
    for alpha in alphas:
        shrinkage = eigenvalues / (eigenvalues + alpha)
        residuals = targets - intercept - vectors @ (shrinkage * projected)
        held_out = np.empty_like(targets)
        for rows in groups:
            part = vectors[rows]
            hat = (part * shrinkage) @ part.T + 1.0 / len(targets)  # the mean is an unpenalised constant
            held_out[rows] = targets[rows] - np.linalg.solve(np.eye(len(rows)) - hat, residuals[rows])
        candidates.append((float(((targets - held_out) ** 2).mean()), alpha, held_out))
    _, alpha, held_out = min(candidates, key=lambda candidate: candidate[0])
    coefficients = centred.T @ (vectors @ (projected / (eigenvalues + alpha)))
    return Ridge(alpha, coefficients, mean, intercept, held_out)
