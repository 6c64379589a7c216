"""Attribution of scored trials: it adds up, in every table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steps.core.attribution import scored
from steps.core.attribution.integrated_gradients import Attribution
from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.errors import UserError


@pytest.fixture(scope="module")
def attributions(final_network: Any, unseen: Unseen, trained: TrainingReference) -> Attribution:
    return scored.attribute(final_network, unseen, scored.baseline_values("mean", trained), steps=32)


def test_features_add_up_to_the_change_from_the_baseline(
    attributions: Attribution, final_network: Any, unseen: Unseen, trained: TrainingReference
) -> None:
    sums = scored.by_feature(unseen, attributions, trained)
    whole = scored.completeness(unseen, attributions)
    assert sums[["subject", "trial"]].equals(whole[["subject", "trial"]])
    left = sums[list(trained.features)].sum(axis=1) - (whole["output"] - whole["baseline_output"])
    np.testing.assert_allclose(left.abs(), whole["completeness_error"], atol=1e-6)
    assert whole["relative_error"].max() < scored.TOLERANCE
    np.testing.assert_allclose(whole["output"], final_network(unseen.values).numpy()[:, 0], rtol=1e-5)
    at_mean = final_network(np.asarray([trained.mean], np.float32)).numpy()[0, 0]
    np.testing.assert_allclose(whole["baseline_output"], at_mean, rtol=1e-5)


def test_the_long_table_holds_every_value(
    attributions: Attribution, unseen: Unseen, trained: TrainingReference
) -> None:
    table = scored.attribution_table(unseen, attributions, trained).to_pandas()
    assert list(table.columns) == ["subject", "trial", "time", *trained.features]
    subject, trial = unseen.subjects[4], unseen.trials[4]
    one = table[(table["subject"] == subject) & (table["trial"] == trial)]
    assert one["time"].tolist() == trained.time
    np.testing.assert_array_equal(one[list(trained.features)], attributions.attributions[4])


def test_every_subject_counts_the_same(attributions: Attribution, unseen: Unseen, trained: TrainingReference) -> None:
    per_subject = [
        np.abs(attributions.attributions[unseen.subjects == name]).mean(axis=0) for name in set(unseen.subjects)
    ]
    expected = np.mean(per_subject, axis=0)
    np.testing.assert_allclose(scored.mean_absolute(unseen, attributions), expected.T, rtol=1e-5)
    table = scored.importance(unseen, attributions, trained).set_index("feature")
    np.testing.assert_allclose(table.loc[trained.features, "importance"], expected.mean(axis=0), rtol=1e-5)
    assert sorted(table["rank"]) == [1, 2, 3, 4, 5, 6]


def test_baselines_are_those_stored_with_the_model(small_study: Dataset, trained: TrainingReference) -> None:
    patients = small_study.values[~small_study.is_control]
    controls = small_study.values[small_study.is_control]
    np.testing.assert_allclose(scored.baseline_values("mean", trained), patients.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scored.baseline_values("control", trained), controls.mean(axis=0), rtol=1e-5)
    assert not scored.baseline_values("zero", trained).any()


def test_a_baseline_that_is_not_there_is_refused(trained: TrainingReference) -> None:
    without = trained.model_copy(update={"control_mean": None})
    with pytest.raises(UserError, match="attribution_baseline=control, but the model's training had no control group"):
        scored.baseline_values("control", without)
    with pytest.raises(
        UserError, match="attribution_baseline=median is not stored with the model, expected mean, control or zero"
    ):
        scored.baseline_values("median", trained)
