"""What the command line's values become."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.models.class_weights import parse_class_weight
from steps.core.models.settings import FitSettings, balanced_weights, process_mib
from steps.errors import UserError


def test_balanced_weights_give_both_classes_the_same_total() -> None:
    labels = np.array([0] * 30 + [1] * 10, np.int8)
    negative, positive = balanced_weights(labels)
    assert negative * 30 == pytest.approx(positive * 10)
    assert negative * 30 + positive * 10 == pytest.approx(40)


def test_none_and_given_weights() -> None:
    assert parse_class_weight("balanced") is None
    assert parse_class_weight("none") == (1.0, 1.0)
    assert parse_class_weight("1,2.5") == (1.0, 2.5)


@pytest.mark.parametrize("rule", ["", "even", "1", "1,2,3", "1,-2", "0,0", "1,nan", "inf,1"])
def test_bad_weights_are_quoted(rule: str) -> None:
    with pytest.raises(UserError, match=r"class_weight=.*expected"):
        parse_class_weight(rule)


def test_memory_grows_with_the_dataset_the_network_and_the_batch() -> None:
    values = np.zeros((640, 101, 24), np.float32)
    base = process_mib(FitSettings(), values)
    assert base < process_mib(FitSettings(), np.zeros((6400, 101, 24), np.float32))
    assert base < process_mib(FitSettings(model="cnn_wide"), values)
    assert process_mib(FitSettings(model="cnn_wide"), values) < process_mib(
        FitSettings(model="cnn_wide", batch_size=512), values
    )
    assert process_mib(FitSettings(batch_size=1), values) == base, "validation has batches of its own"
