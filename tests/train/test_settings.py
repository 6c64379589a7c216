"""What the command line's values become."""

from __future__ import annotations

import numpy as np
import pytest

from steps.errors import UserError
from steps.train.settings import class_weights


def test_balanced_weights_give_both_classes_the_same_total() -> None:
    labels = np.array([0] * 30 + [1] * 10, np.int8)
    negative, positive = class_weights("balanced", labels)
    assert negative * 30 == pytest.approx(positive * 10)
    assert negative * 30 + positive * 10 == pytest.approx(40)


def test_none_and_given_weights() -> None:
    labels = np.array([0, 1, 1], np.int8)
    assert class_weights("none", labels) == (1.0, 1.0)
    assert class_weights("1,2.5", labels) == (1.0, 2.5)


@pytest.mark.parametrize("rule", ["", "even", "1", "1,2,3", "1,-2", "0,0", "1,nan", "inf,1"])
def test_bad_weights_are_quoted(rule: str) -> None:
    with pytest.raises(UserError, match=r"class_weight=.*expected"):
        class_weights(rule, np.array([0, 1], np.int8))
