"""Numerical integration over [0, 1], apart from what is integrated."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@lru_cache(maxsize=32)
def gauss_legendre(points: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre quadrature on [0, 1].

    Both are float64 of shape ``(points,)`` and read-only. Exact for polynomials up to degree ``2 * points -
    1``; the weights are positive and sum to one.

    Raises:
        ValueError: ``points`` is less than 1.
    """
    if points < 1:
        raise ValueError(f"points is {points}, expected at least 1")
    from scipy.special import roots_legendre  # thousands of points in milliseconds; NumPy's takes many seconds

    nodes, weights = roots_legendre(points)
    nodes, weights = (nodes + 1) / 2, weights / 2
    nodes.flags.writeable = weights.flags.writeable = False  # they are cached
    return nodes, weights
