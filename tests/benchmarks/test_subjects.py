"""What a fold costs, from a step with few folds and one with more."""

from __future__ import annotations

import pytest

from benchmarks.measure import Finished
from benchmarks.subjects import FEW, MORE, cost


def test_a_fold_costs_what_more_folds_take_longer() -> None:
    few, more = (Finished(9.0, 5.0 + 0.3 * folds, peak, "") for folds, peak in ((FEW, 7), (MORE, 9)))
    found = cost(few, more)
    assert found.fold == pytest.approx(0.3)
    assert found.without == pytest.approx(5.0)
    assert found.peak == 9
