"""What the command line's values become."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.data.labelling import Labelling
from steps.core.models.settings import FitSettings, balanced_weights, class_weights, process_mib
from steps.errors import UserError


def test_balanced_weights_give_both_classes_the_same_total() -> None:
    labels = np.array([0] * 30 + [1] * 10, np.int8)
    negative, positive = balanced_weights(labels)
    assert negative * 30 == pytest.approx(positive * 10)
    assert negative * 30 + positive * 10 == pytest.approx(40)


def test_memory_grows_with_the_dataset_the_network_and_the_batch() -> None:
    values = np.zeros((640, 101, 24), np.float32)
    base = process_mib(FitSettings(), values)
    assert base < process_mib(FitSettings(), np.zeros((6400, 101, 24), np.float32))
    assert base < process_mib(FitSettings(model="cnn_wide"), values)
    assert process_mib(FitSettings(model="cnn_wide"), values) < process_mib(
        FitSettings(model="cnn_wide", batch_size=512), values
    )
    assert process_mib(FitSettings(batch_size=1), values) == base, "validation has batches of its own"


def test_weights_that_users_give_are_for_two_classes_or_all_the_same() -> None:
    labelling = Labelling(kind="classes", names=("a", "b", "c"), cut_off=0)
    assert class_weights(None, labelling) is None
    assert class_weights((1.0, 2.5), None) == (1.0, 2.5)
    assert class_weights((1.0, 1.0), labelling) == (1.0, 1.0, 1.0)
    assert class_weights((1.0, 1.0), Labelling(kind="score", names=(), cut_off=3)) == ()
    with pytest.raises(UserError, match=r"class_weight=1,2\.5 is for two classes, found label_kind=classes"):
        class_weights((1.0, 2.5), labelling)
