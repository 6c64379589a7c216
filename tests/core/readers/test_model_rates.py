"""New recordings at another sampling rate than the training's; models made before rates were kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.timing import SamplingRate, Timing
from steps.core.data.training_reference import TrainingReference
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.load import load_source
from steps.core.readers.model_axis import on_time_axis
from steps.core.readers.new_recordings import read_source
from steps.core.readers.recorded import Recorded
from steps.core.readers.resample import normalise
from steps.core.readers.trials import Recording
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_table
from tests.new_people import long_table

POINTS = 21


def of(*times: np.ndarray, has_time: bool = True) -> Recorded:
    rng = np.random.default_rng(0)
    recordings = tuple(
        Recording("N01", "", "jump", "", False, time.astype(np.float64), rng.normal(size=(len(time), 6)))
        for time in times
    )
    return Recorded("new.csv", recordings, tuple(map(str, range(len(recordings)))), tuple("abcdef"), has_time, False)


def timing(rate: float, **more: object) -> Timing:
    return Timing(rates=[SamplingRate(rate=rate, trials=8)], durations=(0.2, 0.2), **more)  # type: ignore[arg-type]


@pytest.fixture
def of_clocks(trained: TrainingReference) -> TrainingReference:
    """A model whose training trials were on clocks since 1970, in milliseconds, at 100 Hz."""
    time = [10.0 * i for i in range(POINTS)]
    return trained.model_copy(update={"time": time, "time_unit": "recorded", "timing": timing(0.1, relative=True)})


@pytest.fixture
def normalised(trained: TrainingReference) -> TrainingReference:
    return trained.model_copy(update={"time_normalised": True, "timing": timing(100)})


def test_clock_times_are_compared_by_their_rate(of_clocks: TrainingReference) -> None:
    samples = np.arange(POINTS)
    start = 1693335798138
    assert on_time_axis(of(start + 10 * samples, samples * 10, 7 + 10.01 * samples), of_clocks)[1] == []
    with pytest.raises(UserError) as caught:
        on_time_axis(of(start + 10 * samples, start + 5 * samples), of_clocks)
    assert str(caught.value) == (
        "new.csv: trial '1' of subject 'N01' has another sampling rate: 0.2 per unit of time, expected 0.1 as in the "
        "model's training, which resampled nothing; resample it to that rate"
    )
    with pytest.raises(UserError, match=r"another sampling rate: 100 per unit of time, expected 0\.1"):
        on_time_axis(of(samples * 0.01), of_clocks)  # seconds
    assert "could not be compared" in on_time_axis(of(samples, has_time=False), of_clocks)[1][0]


def test_clocks_may_be_as_uneven_as_the_trainings(trained: TrainingReference) -> None:
    axis = np.asarray(trained.time)
    wobbly = axis + np.where(np.arange(POINTS) % 2, 0.2, 0.0)  # 4% of a step
    with pytest.raises(UserError, match="another sampling rate or time axis"):
        on_time_axis(of(wobbly), trained.model_copy(update={"timing": timing(0.2)}))
    assert on_time_axis(of(wobbly), trained.model_copy(update={"timing": timing(0.2, unevenness=0.05)}))[1] == []


def test_another_rate_than_the_trainings_is_flagged_where_trials_are_time_normalised(
    normalised: TrainingReference,
) -> None:
    same, other = np.arange(25) / 100, np.arange(25) / 50
    assert len(on_time_axis(of(same, same[:15]), normalised)[1]) == 1
    note = on_time_axis(of(same, other), normalised)[1][1]
    assert note == (
        "WARNING: 1 of 2 recordings have a sampling rate unlike the training trials': 1 at 50 per unit of time, in "
        "training 8 at 100; check the unit of time and the device, or record at the training's rate."
    )
    assert "have no time" in on_time_axis(of(np.arange(25), has_time=False), normalised)[1][1]


def test_a_recording_is_filtered_by_its_own_length_whatever_comes_with_it(normalised: TrainingReference) -> None:
    short, long = np.arange(28) / 100, np.arange(400) / 100
    alone, both = of(short), of(short, long)
    values, notes = on_time_axis(both, normalised)
    np.testing.assert_array_equal(values[0], on_time_axis(alone, normalised)[0][0])
    linear = normalise(short, alone.recordings[0].values, POINTS).astype(np.float32)
    np.testing.assert_array_equal(values[0], linear)
    assert not np.array_equal(values[1], normalise(long, both.recordings[1].values, POINTS).astype(np.float32))
    assert "through a low-pass filter against aliasing." in notes[0]
    filtered = normalised.model_copy(update={"timing": timing(100, filtered=True)})
    assert not np.array_equal(on_time_axis(alone, filtered)[0][0], linear)  # as the training trials were


def test_a_prepared_dataset_of_another_rate_or_without_the_filter_is_flagged(normalised: TrainingReference) -> None:
    axis = np.asarray(normalised.time)
    prepared = replace(of(axis, axis), time_unit="%")
    assert on_time_axis(replace(prepared, timing=timing(100)), normalised)[1] == []
    assert on_time_axis(prepared, normalised)[1] == []  # written before timing was kept
    (note,) = on_time_axis(replace(prepared, timing=timing(50)), normalised)[1]
    assert note.startswith("WARNING: 8 of 8 recordings have a sampling rate unlike the training trials': 8 at 50 per")
    (note,) = on_time_axis(replace(prepared, timing=timing(100, filtered=True)), normalised)[1]
    assert "through a low-pass filter, the training trials without a low-pass filter" in note


def test_the_model_keeps_how_its_trials_were_sampled(small_study: Dataset) -> None:
    dataset = replace(small_study, timing=timing(100, filtered=True), time_normalised=True)
    summary = training_summary(dataset, refit_fold(dataset, "exclude", seed=0))
    trained = TrainingReference.model_validate_json(json.dumps(summary))
    assert (trained.timing, trained.time_normalised) == (dataset.timing, True)
    assert (
        TrainingReference.model_validate({name: value for name, value in summary.items() if name != "timing"}).timing
        is None
    )


def test_from_prepare_to_predict_on_clocks_since_1970(tmp_path: Path) -> None:
    def written(step: int, start: int) -> str:
        frame = long_frame(timesteps=POINTS)
        frame = frame.assign(time=start + step * np.arange(len(frame)))
        return write_table(frame, tmp_path / f"{step}-{start}.csv")

    dataset = load_source(written(10, 1593335798138))
    trained = TrainingReference.model_validate(training_summary(dataset, refit_fold(dataset, "exclude", seed=0)))
    later = fit_to_model(read_source(written(10, 1693335798138)), trained)
    np.testing.assert_array_equal(later.values, dataset.values)
    with pytest.raises(UserError, match=r"another sampling rate: 0\.2 per unit of time, expected 0\.1"):
        fit_to_model(read_source(written(5, 1593335798138)), trained)
    write_artifact(dataset, tmp_path / "dataset")
    again = fit_to_model(read_source(str(tmp_path / "dataset")), trained)
    np.testing.assert_array_equal(again.values, dataset.values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", [0.0]),
        ("time", [float(-i) for i in range(POINTS)]),
        ("timing", {"rates": [{"rate": 0, "trials": 1}]}),
        ("timing", {"rates": [{"rate": 1e999, "trials": 1}]}),
    ],
)
def test_clocks_that_cannot_be_are_refused_when_a_model_is_read(
    field: str, value: object, training_json: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        TrainingReference.model_validate({**training_json, field: value})


def test_trim_is_for_new_recordings_too(tmp_path: Path, new_people: Dataset) -> None:
    table = long_table(new_people, labels=False)
    table.loc[0, new_people.features[0]] = np.nan
    table.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UserError, match="trim=true"):
        read_source(str(tmp_path / "new.csv"))
    recorded = read_source(str(tmp_path / "new.csv"), trim=True)
    assert [len(one.time) for one in recorded.recordings][:2] == [POINTS - 1, POINTS]
    assert recorded.notes == ("Cut 1 samples with missing values at the start or end of 1 trials (trim).",)


def test_models_of_before_are_served_as_before(normalised: TrainingReference) -> None:
    long = of(np.arange(400) / 100)
    values, notes = on_time_axis(long, normalised.model_copy(update={"timing": None}))
    linear = normalise(long.recordings[0].time, long.recordings[0].values, POINTS).astype(np.float32)
    np.testing.assert_array_equal(values[0], linear)
    assert notes == [
        "Time-normalised 1 trials of 400 time points to 21 points by linear interpolation, as the training trials were."
    ]
