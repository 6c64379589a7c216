from __future__ import annotations

import pytest

from steps.core.attribution.quadrature import gauss_legendre


@pytest.mark.parametrize("points", [1, 2, 3, 32, 512, 4096])
def test_weights_sum_to_one_and_integrate_x(points: int) -> None:
    nodes, weights = gauss_legendre(points)
    assert nodes.shape == weights.shape == (points,)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    assert weights @ nodes == pytest.approx(0.5, abs=1e-14)
    assert (weights > 0).all()
    assert nodes.min() > 0
    assert nodes.max() < 1


@pytest.mark.parametrize("points", [1, 2, 5])
def test_polynomials_are_exact_up_to_their_degree(points: int) -> None:
    nodes, weights = gauss_legendre(points)
    for degree in range(2 * points):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-14)
    assert weights @ nodes ** (2 * points) != pytest.approx(1 / (2 * points + 1), abs=1e-6)


def test_no_points_integrate_nothing() -> None:
    with pytest.raises(ValueError, match="points is 0"):
        gauss_legendre(0)


def test_the_cached_rule_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gauss_legendre(4)[0][0] = 1.0
