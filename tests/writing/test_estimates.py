from __future__ import annotations

import pytest

from steps.writing.estimates import estimate_in, estimate_text, flat


@pytest.mark.parametrize("estimate", [{"value": 0.5}, {"value": 0.5, "low": 0.25, "high": 0.75, "p_value": 0.01}])
def test_what_was_written_is_read(estimate: dict[str, float]) -> None:
    metrics = flat("subject/auc", estimate) | flat("subject/auc_of_others", {"value": 1.0})
    assert estimate_in(metrics, "subject/auc") == estimate
    assert estimate_in(metrics, "pooled/auc") is None


def test_an_estimate_is_said_with_its_interval() -> None:
    estimate = {"value": 0.9171, "low": 0.77, "high": 1.0, "p_value": 0.01}
    assert estimate_text(estimate) == "0.917 [0.770, 1.000]"
    assert estimate_text(estimate, 2) == "0.92 [0.77, 1.00]"
    assert estimate_text({"value": 0.0}, sign="+") == "+0.000"
