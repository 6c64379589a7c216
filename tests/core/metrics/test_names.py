from __future__ import annotations

import pytest

from steps.core.metrics.names import (
    IN_FOLD,
    at_level,
    estimate_in,
    estimate_text,
    flat,
    prediction_column,
    rule_name,
    statistic_name,
    vote_column,
)


def test_a_threshold_is_written_in_full() -> None:
    assert [rule_name(rule) for rule in (0.43, 0.5, IN_FOLD)] == [
        "threshold_0.43",
        "threshold_0.5",
        "threshold_in_fold",
    ]
    assert (prediction_column(0.5), vote_column(0.43)) == ("prediction_0.5", "vote_0.43")
    assert at_level("subject", statistic_name("f1", 0.43)) == "subject/threshold_0.43/f1"
    assert statistic_name("auc") == "auc"


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
