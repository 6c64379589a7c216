"""The course of a feature in a few numbers, and how far one course is from those of other people.

A course is its first Legendre coefficients: level, slope, bend and so on. Distances are Mahalanobis distances, so what
people differ in anyway counts little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.polynomial import legendre
from scipy.special import fdtrc

from steps.core.quality.hits import Bools, Doubles, People

_COEFFICIENTS: Final = 6
_FAR: Final = 6.0  # robust standard deviations beyond which a course is no example of what is usual
_GAUSS: Final = 1.4826
_SOFT: Final = 1e-4  # of the mean variance, added to each: no direction is known to be without spread


def basis(timesteps: int, subjects: int) -> Doubles:
    """Orthonormal Legendre polynomials, shape ``(timesteps, coefficients)``: few where few subjects are compared."""
    count = max(1, min(_COEFFICIENTS, timesteps // 3, (subjects - 2) // 3))
    columns, _ = np.linalg.qr(legendre.legvander(np.linspace(-1, 1, timesteps), count - 1))
    signs: Doubles = np.sign(columns[-1])
    return np.asarray(columns * signs / np.sqrt(timesteps))


@dataclass(frozen=True, eq=False)
class Reference:
    """What is usual for each subject to be compared with: mean and precision of courses.

    Attributes:
        mean: shape ``(subjects, features, coefficients)``.
        covariance: shape ``(subjects, features, coefficients, coefficients)``.
        precision: its inverse.
        freedom: how many courses it is known from, shape ``(subjects, features)``.
    """

    mean: Doubles
    covariance: Doubles
    precision: Doubles
    freedom: Doubles


def squared(differences: Doubles, precision: Doubles) -> Doubles:
    """Squared Mahalanobis distances of ``differences (..., k)``."""
    distances: Doubles = np.einsum("...i,...ij,...j->...", differences, precision, differences)
    return distances


def p_values(distances: Doubles, coefficients: int, freedom: Doubles | float) -> Doubles:
    """Probability of a larger squared distance of a new course from the mean of ``freedom`` others (Hotelling 1931)."""
    n = np.asarray(freedom, dtype=np.float64)
    rest = np.maximum(n - coefficients, 1.0)
    value = distances * n * rest / ((n + 1) * np.maximum(n - 1, 1.0) * coefficients)
    tail: Doubles = fdtrc(float(coefficients), rest, value)
    return tail


def of_others(courses: Doubles) -> Reference:
    """For each subject what the courses of the other subjects are like.

    Args:
        courses: a mean course per subject, shape ``(subjects, features, coefficients)``.
    """
    kept = usual(courses)[..., np.newaxis].astype(np.float64)  # (subjects, features, 1)
    middle = np.median(courses, axis=0)
    courses = courses - middle  # a level far from zero would cost digits of the spread around it
    weighted = courses * kept
    products = np.einsum("sfi,sfj->sfij", weighted, courses)
    number = kept.sum(axis=0) - kept
    number = np.maximum(number, 2.0)
    mean = (weighted.sum(axis=0) - weighted) / number
    second = (products.sum(axis=0) - products) / number[..., np.newaxis]
    covariance = (second - np.einsum("sfi,sfj->sfij", mean, mean)) * (number / (number - 1))[..., np.newaxis]
    return Reference(mean + middle, covariance, inverse(covariance), number[..., 0])


def usual(courses: Doubles) -> Bools:
    """Which courses ``(n, features, k)`` are examples of what is usual: near the median in every coefficient."""
    off = np.abs(courses - np.median(courses, axis=0))
    spread = _GAUSS * np.median(off, axis=0)
    near: Bools = (off <= _FAR * np.where(spread > 0, spread, np.inf)).all(axis=-1)
    return near


def inverse(covariance: Doubles) -> Doubles:
    """Inverses of covariances ``(..., k, k)``, softened so that there always is one."""
    size = covariance.shape[-1]
    mean = np.trace(covariance, axis1=-2, axis2=-1)[..., np.newaxis, np.newaxis] / size
    ridge = np.where(mean > 0, _SOFT * mean, 1.0)
    return np.asarray(np.linalg.inv(covariance + ridge * np.eye(size)), dtype=np.float64)


def within(courses: Doubles, people: People) -> tuple[Doubles, Doubles, Doubles]:
    """Courses of trials less the middle one of their subject, and how these differences spread.

    Args:
        courses: shape ``(trials, features, coefficients)``.
        people: whose the trials are.

    Returns:
        Differences from the subject's median, of that shape; their covariances ``(features, coefficients,
        coefficients)``, over all subjects with several trials; and from how many differences each is known.
    """
    trials, features, size = courses.shape
    flat = courses.reshape(trials, features * size)
    differences = (flat - people.middle(flat)[people.codes]).reshape(courses.shape)
    several = people.counts >= 2
    some = differences[several[people.codes]]
    if not len(some):
        return differences, np.zeros((features, size, size)), np.ones(features)
    off = np.abs(some)
    spread = _GAUSS * np.median(off, axis=0)
    kept: Bools = np.all(off <= _FAR * np.where(spread > 0, spread, np.inf), axis=-1)
    freedom = np.maximum(kept.sum(axis=0) - several.sum(), 1).astype(np.float64)
    covariance = np.einsum("nfi,nfj->fij", some * kept[..., np.newaxis], some) / freedom[:, np.newaxis, np.newaxis]
    return differences, covariance, freedom
