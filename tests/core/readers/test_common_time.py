"""Which time axis trials get, what is said about their sampling rates, and what the manifest keeps of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import MANIFEST_FILE
from steps.core.readers.load import load_source
from steps.core.readers.resample import interpolate
from tests.core.readers.helpers import FEATURES, long_frame, write_table


def _load(frame: pd.DataFrame, path: Path, **options: object) -> Dataset:
    return load_source(write_table(frame, path / "study.parquet"), **options)  # type: ignore[arg-type]


def _of_lengths(lengths: list[int], rate: float = 100.0) -> pd.DataFrame:
    """Two trials of each length for four subjects."""
    whole = long_frame(trials=2 * len(lengths), timesteps=max(lengths))
    number = whole["trial"].str[1:].astype(int).to_numpy() // 2
    sample = np.tile(np.arange(max(lengths)), len(whole) // max(lengths))
    return whole.assign(time=sample / rate)[sample < np.array(lengths)[number]]


def _rates(dataset: Dataset) -> dict[float, int]:
    assert dataset.timing is not None
    return {one.rate: one.trials for one in dataset.timing.rates}


def test_rounding_errors_do_not_cost_the_recorded_axis(tmp_path: Path) -> None:
    frame = long_frame(timesteps=12)
    summed = np.cumsum([0] + [0.01] * 11)
    exact = np.arange(12) * 0.01
    assert not np.array_equal(summed, exact)
    for first in (summed, exact):
        frame["time"] = np.concatenate([first] * 2 + [summed, exact] * 3)
        dataset = _load(frame, tmp_path)
        assert dataset.time_unit == "recorded"
        np.testing.assert_allclose(dataset.time, exact, rtol=0, atol=1e-12)
        assert dataset.time[-1] == 0.11
        assert dataset.notes == ()
        assert _rates(dataset) == {100.0: 8}


@pytest.mark.parametrize(
    ("start", "step"),
    [
        (1593335798138, 10),  # milliseconds since 1970
        (1593335798138123, 10_000),  # microseconds
        (1593335798138123456, 10_000_000),  # nanoseconds, more digits than a double has
        (1593335798.138, 0.01),  # seconds
    ],
)
def test_clocks_since_1970_give_the_time_since_each_trials_start(start: float, step: float, tmp_path: Path) -> None:
    frame = long_frame()
    frame["time"] = start + np.arange(len(frame)) * step
    dataset = _load(frame, tmp_path)
    assert list(dataset.time) == [i * step for i in range(5)]
    assert dataset.time_unit == "recorded"
    assert dataset.timing is not None
    assert dataset.timing.relative
    assert dataset.notes == (
        "The clock starts at another time in every trial; the time axis counts from each trial's start.",
    )
    np.testing.assert_array_equal(dataset.values.reshape(-1, 2), frame[FEATURES].to_numpy(np.float32))


def test_uneven_clocks_of_one_rate_share_an_even_axis(tmp_path: Path) -> None:
    frame = long_frame(timesteps=100)
    even = np.tile(np.arange(100) / 60, 8)
    start = np.repeat(np.arange(8) * 7.1234, 100)
    dataset = _load(frame.assign(time=np.round(start + even, 3)), tmp_path)
    np.testing.assert_allclose(dataset.time, np.arange(100) / 60, rtol=1e-3)
    assert dataset.timing is not None
    assert dataset.timing.relative
    assert 0.01 < dataset.timing.unevenness < 0.07
    assert "Clocks are uneven: samples lie up to 0.0" in dataset.notes[1]


@pytest.mark.parametrize("digits", [3, 8])
def test_clocks_that_start_nearly_together_keep_their_zero(digits: int, tmp_path: Path) -> None:
    frame = long_frame(timesteps=100)
    time = np.tile(np.arange(100) / 60, 8) + np.repeat(np.arange(8) * 3e-4, 100) - 0.2
    dataset = _load(frame.assign(time=np.round(time, digits)), tmp_path)
    assert dataset.timing is not None
    assert not dataset.timing.relative
    assert dataset.time[0] == -0.2
    assert 0.1 < dataset.timing.unevenness < 0.2
    assert dataset.notes[0].startswith("Clocks are uneven: samples lie up to 0.1")


def test_mixed_sampling_rates_of_equal_length_are_put_on_percent_and_said(tmp_path: Path) -> None:
    frame = long_frame(timesteps=12)
    twice = np.where(frame["subject"].isin(["S1", "S3"]), 2, 1)
    dataset = _load(frame.assign(time=frame["time"] * twice / 50), tmp_path)
    assert (dataset.time_unit, dataset.time[0], dataset.time[-1]) == ("%", 0.0, 100.0)
    assert dataset.time_normalised
    assert _rates(dataset) == {50.0: 4, 100.0: 4}
    assert dataset.notes[1] == (
        "WARNING: trials have different sampling rates: 4 at 50, 4 at 100 per unit of time. They share no time axis, "
        "so each is taken from 0 to 100 % of its own duration (0.11 to 0.22); where time itself matters, resample the "
        "recordings to one rate first."
    )
    np.testing.assert_allclose(dataset.values.reshape(-1, 2), frame[FEATURES], rtol=1e-6)


def test_mixed_sampling_rates_are_said_where_lengths_differ_too(tmp_path: Path) -> None:
    frame = _of_lengths([80, 120])
    frame["time"] *= np.where(frame["subject"] == "S4", 2, 1)
    assert "12 at 100" in _load(frame, tmp_path).notes[-1]
    assert len(_load(_of_lengths([80, 120]), tmp_path).notes) == 1
    in_percent = _of_lengths([80, 120])
    longest = in_percent.groupby(["subject", "trial"])["time"].transform("max")
    assert len(_load(in_percent.assign(time=in_percent["time"] / longest * 100), tmp_path).notes) == 1


def test_many_rates_are_said_as_a_range(tmp_path: Path) -> None:
    frame = long_frame(timesteps=101)
    duration = np.repeat(np.linspace(0.6, 0.95, 8), 101)
    dataset = _load(frame.assign(time=frame["time"] / 50 * duration), tmp_path)
    assert "8 rates from 105.263 to 166.667 per unit of time" in dataset.notes[1]
    assert "(0.6 to 0.95)" in dataset.notes[1]


def test_trials_of_up_to_half_again_the_points_are_interpolated_as_ever(tmp_path: Path) -> None:
    frame = _of_lengths([80, 101, 151])
    dataset = _load(frame, tmp_path)
    assert dataset.notes == (
        "Time-normalised 24 trials of 80 to 151 time points to 101 points by linear interpolation.",
    )
    for i, (_, trial) in enumerate(frame.groupby(["subject", "trial"])):
        time = trial["time"].to_numpy()
        at = time[-1] * np.arange(101) / 100
        expected = interpolate(np.minimum(at, time[-1]), time, trial[FEATURES].to_numpy()).astype(np.float32)
        np.testing.assert_array_equal(dataset.values[i], expected)


def test_one_longer_trial_has_all_of_the_study_filtered(tmp_path: Path) -> None:
    frame = _of_lengths([80, 130, 160])
    dataset = _load(frame, tmp_path)
    linear = _load(frame[frame["time"] < 1.5], tmp_path)
    assert dataset.timing is not None
    assert dataset.timing.filtered
    same = (dataset.values == linear.values).all(axis=(1, 2))
    assert same.reshape(4, 3, 2).all(axis=(0, 2)).tolist() == [True, False, False]  # 80 samples need no filter
    assert not dataset.notes[1].startswith("WARNING")
    assert "faster ones, 37% of the recorded frequencies, were removed" in dataset.notes[1]


def test_tones_that_would_alias_are_gone_and_it_is_said_loudly(tmp_path: Path) -> None:
    """40 Hz against 50 Hz at 500 Hz, of 10 s each, would be told apart on 101 points by what is not there."""
    frame = _of_lengths([5000, 5001], rate=500.0)
    tone = np.where(frame["label"] == "fear", 50.0, 40.0)
    phase = np.repeat(np.random.default_rng(0).uniform(0, 6.28, 16), [5000, 5000, 5001, 5001] * 4)
    frame["knee"] = np.sin(2 * np.pi * tone * frame["time"] + phase)
    frame["hip"] = np.sin(2 * np.pi * frame["time"])
    dataset = _load(frame, tmp_path)
    assert np.abs(dataset.values[:, 3:-3, 0]).max() < 0.05
    expected = np.sin(2 * np.pi * np.linspace(0, 10, 101))
    assert np.abs(dataset.values[:, 5:-5, 1] - expected[5:-5]).max() < 0.02
    assert dataset.notes == (
        "Time-normalised 16 trials of 5000 to 5001 time points to 101 points through a low-pass filter against "
        "aliasing.",
        "WARNING: 101 points hold oscillations of up to 50 per trial; faster ones, 98% of the recorded frequencies, "
        "were removed, and with them this much of the variance within trials: 100% of 'knee'. To keep them, set "
        "timesteps higher (trials have 5000 to 5001 time points).",
    )
    kept = _load(frame, tmp_path, timesteps=5000)
    assert len(kept.notes) == 1
    assert np.abs(kept.values[..., 0]).max() > 0.99


def test_the_manifest_keeps_rates_and_older_ones_are_still_read(tmp_path: Path) -> None:
    dataset = _load(_of_lengths([80, 160]), tmp_path)
    write_artifact(dataset, tmp_path / "dataset")
    document = json.loads((tmp_path / "dataset" / MANIFEST_FILE).read_text())
    assert document["time_normalised"] is True
    assert document["timing"] == {
        "rates": [{"rate": 100.0, "trials": 16}],
        "durations": [0.79, 1.59],
        "relative": False,
        "unevenness": 0.0,
        "filtered": True,
    }
    loaded = read_artifact(tmp_path / "dataset")
    assert loaded.timing == dataset.timing
    del document["time_normalised"], document["timing"]  # as it was before
    (tmp_path / "dataset" / MANIFEST_FILE).write_text(json.dumps(document))
    old = read_artifact(tmp_path / "dataset")
    assert (old.timing, old.time_normalised, old.digest()) == (None, True, dataset.digest())
