from __future__ import annotations

import pytest

from steps.core.metrics.thresholds import parse_thresholds
from steps.errors import UserError


def test_thresholds_keep_the_order_given() -> None:
    assert parse_thresholds("0.5, 0.43,0.35") == (0.5, 0.43, 0.35)


@pytest.mark.parametrize("text", ["", " ", "0.5,", "0", "1", "1.0", "-0.1", "nan", "inf", "half", "0.5;0.4", "50%"])
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a number between 0 and 1"):
        parse_thresholds(text)


def test_a_threshold_given_twice_is_refused() -> None:
    with pytest.raises(UserError, match=r"'0\.50' is there twice"):
        parse_thresholds("0.5,0.50")
