from __future__ import annotations

import numpy as np
import pytest

from steps.core.attribution.references import baseline_values
from steps.core.data.dataset import Floats
from steps.errors import UserError
from tests.core.attribution.conftest import make_dataset


def test_zero_is_zero_in_the_users_units(values: Floats) -> None:
    baseline = baseline_values("zero", make_dataset(values))
    assert baseline.shape == (12, 3)
    assert baseline.dtype == np.float32
    assert not baseline.any()


def test_mean_is_the_mean_trajectory_of_the_training_trials(values: Floats) -> None:
    baseline = baseline_values("mean", make_dataset(values), make_dataset(values + 1))
    assert baseline.dtype == np.float32
    np.testing.assert_allclose(baseline, values.mean(axis=0), rtol=1e-5)


def test_control_is_the_mean_trajectory_of_the_control_trials(values: Floats) -> None:
    baseline = baseline_values("control", make_dataset(values), make_dataset(values[:2] + 1))
    np.testing.assert_allclose(baseline, values[:2].mean(axis=0) + 1, rtol=1e-5)


def test_large_offsets_keep_their_precision() -> None:
    values = np.full((5000, 1, 1), 1e5 + 0.125, dtype=np.float32)
    assert baseline_values("mean", make_dataset(values))[0, 0] == values[0, 0, 0]


def test_control_without_controls_says_what_to_do(values: Floats) -> None:
    dataset = make_dataset(values)
    for controls in (None, dataset.select(dataset.is_control)):
        with pytest.raises(UserError, match=r"attribution_baseline=control needs .* choose attribution_baseline=mean"):
            baseline_values("control", dataset, controls)


def test_other_baselines_and_empty_training_are_bugs(values: Floats) -> None:
    dataset = make_dataset(values)
    with pytest.raises(ValueError, match="baseline is 'median'"):
        baseline_values("median", dataset)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no trials to average"):
        baseline_values("mean", dataset.select(dataset.is_control))
