"""The time axis: only what training did is done, the rest is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from steps.core.data.training_reference import TrainingReference
from steps.core.readers.model_axis import on_time_axis
from steps.core.readers.recorded import Recorded
from steps.core.readers.trials import Recording
from steps.errors import UserError


def recording(time: np.ndarray, values: np.ndarray | None = None) -> Recording:
    values = np.zeros((len(time), 6)) if values is None else values
    return Recording("N01", "", "jump", "", False, time.astype(np.float64), values)


def of(*recordings: Recording, has_time: bool = True, time_unit: str = "") -> Recorded:
    names = tuple(f"{i}" for i in range(len(recordings)))
    return Recorded("new.csv", recordings, names, tuple("abcdef"), has_time, False, time_unit=time_unit)


def test_a_time_normalised_model_normalises_as_training_did(trained: TrainingReference) -> None:
    model = trained.model_copy(update={"time_normalised": True})
    long, short = np.linspace(3, 7, 80), np.linspace(0, 1, 9)
    line = recording(long, np.repeat(long[:, None], 6, axis=1))
    values, notes = on_time_axis(of(line, recording(short)), model)
    assert values.shape == (2, 21, 6)
    np.testing.assert_allclose(values[0], np.repeat(np.linspace(3, 7, 21)[:, None], 6, axis=1), rtol=1e-6)
    assert notes == [
        "Time-normalised 2 trials of 9 to 80 time points to 21 points by linear interpolation, as the training trials "
        "were."
    ]


def test_the_same_recordings_are_prepared_and_scored_alike(trained: TrainingReference) -> None:
    """Independent path: prepare's own normalisation of the same trial gives the same numbers."""
    from steps.core.readers.common_time import common_time

    rng = np.random.default_rng(0)
    trials = [recording(np.arange(n) / 50, rng.normal(size=(n, 6))) for n in (30, 44)]
    for timesteps in (21, 40):
        expected = common_time(trials, timesteps, has_time=True)
        update = {"time_normalised": True, "time": list(expected.time), "time_unit": "%", "timing": expected.timing}
        assert expected.timing.filtered == (timesteps == 21)
        values, _ = on_time_axis(of(*trials), trained.model_copy(update=update))
        np.testing.assert_array_equal(values, expected.values)


def test_another_length_is_refused_where_training_resampled_nothing(trained: TrainingReference) -> None:
    with pytest.raises(UserError, match=r"new\.csv: trial '0' of subject 'N01' has 30 time points, expected 21"):
        on_time_axis(of(recording(np.linspace(0, 100, 30))), trained)


def test_a_prepared_dataset_is_not_interpolated_twice(trained: TrainingReference) -> None:
    model = trained.model_copy(update={"time_normalised": True})
    with pytest.raises(UserError, match=r"was prepared with 30 time points, expected 21 .*timesteps=21"):
        on_time_axis(of(recording(np.linspace(0, 100, 30)), time_unit="%"), model)


def test_another_sampling_rate_is_refused_with_both_named(trained: TrainingReference) -> None:
    recorded = of(recording(np.linspace(0, 1, 21)))
    with pytest.raises(
        UserError,
        match=r"its time runs from 0 to 1 in steps of 0\.05, expected from 0 to 100 in steps of 5 % as in the model's",
    ):
        on_time_axis(recorded, trained)


def test_rounded_times_are_the_same_axis(trained: TrainingReference) -> None:
    close = np.asarray(trained.time) + 0.04  # steps are 5
    assert on_time_axis(of(recording(close)), trained)[1] == []
    with pytest.raises(UserError, match="another sampling rate or time axis"):
        on_time_axis(of(recording(np.asarray(trained.time) + 0.06)), trained)


def test_what_cannot_be_compared_is_said(trained: TrainingReference) -> None:
    samples = of(recording(np.arange(21)), has_time=False)
    assert "sampling rate could not be compared" in on_time_axis(samples, trained)[1][0]
    model = trained.model_copy(update={"time_unit": "sample", "time": [float(i) for i in range(21)]})
    timed = replace(samples, has_time=True)
    assert "no common time axis" in on_time_axis(timed, model)[1][0]
