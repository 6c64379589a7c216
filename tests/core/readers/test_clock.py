"""Clocks that go back, gaps that are none, recordings sorted into one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.readers.clock import stamp
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES, long_frame, trial_file, write_folder, write_table


def _load(frame: pd.DataFrame, path: Path, **options: object) -> Dataset:
    return load_source(write_table(frame, path / "study.csv"), **options)  # type: ignore[arg-type]


def _refused(frame: pd.DataFrame, path: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        _load(frame, path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_recordings_under_one_name_are_refused(tmp_path: Path) -> None:
    frame = long_frame()
    other = frame.assign(time=frame["time"] + 0.2, knee=frame["knee"] + 5)
    both = pd.concat([frame, other]).sort_values(["subject", "label", "trial"], kind="stable")
    said = _refused(both, tmp_path)
    assert said.startswith(
        "study.csv, row 7 (subject 'S1', label 'fear', trial 't0'): time goes back to 0.2, after 2 in row 6"
    )
    assert "give each a trial name of its own" in said


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [0, 1, 3, 2, 4], [1, 2, 3, 4, 0]])
def test_reversed_and_shuffled_rows_are_refused_in_tables_and_folders(order: list[int], tmp_path: Path) -> None:
    frame = long_frame()
    said = _refused(frame.iloc[[*order, *range(5, 40)]], tmp_path)
    assert "study.csv, row " in said
    assert "time goes back to" in said
    assert "sort its rows by time" in said
    source = write_folder(frame, tmp_path / "study")
    path = trial_file(source, "S4", "calm", "t1")
    pd.read_csv(path).iloc[order].to_csv(path, index=False)
    with pytest.raises(UserError, match=r"^participants/S4/calm/t1\.csv, row \d: time goes back to .* in row \d;"):
        load_source(source)


def test_a_table_in_order_of_time_over_all_trials_is_fine(tmp_path: Path) -> None:
    frame = long_frame()
    expected = _load(frame, tmp_path).digest()
    assert _load(frame.sort_values("time", kind="stable"), tmp_path).digest() == expected


def test_digits_that_tell_two_times_of_a_long_clock_apart_are_shown(tmp_path: Path) -> None:
    frame = long_frame()
    time = 1593335798138 + 10 * np.arange(len(frame))
    time[3] -= 15
    frame["time"] = time
    assert "time goes back to 1593335798153, after 1593335798158 in row 4" in _refused(frame, tmp_path)
    assert stamp(2.0**53 - 1) == "9.00719925474099e+15"


def test_times_beyond_any_clock_are_refused(tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[4, "time"] = 1e300
    assert "row 6" in (said := _refused(frame, tmp_path))
    assert "time is 1e+300, expected up to 1e+20" in said


def _alternating_labels(own_names: bool = False) -> pd.DataFrame:
    """One recording of 6 s per subject: baseline, stress from 2 s to 4 s, baseline."""
    frame = long_frame(trials=1, timesteps=12)
    within = frame["time"].between(2.0, 3.5)
    trial = np.where(within, 2, np.where(frame["time"] < 2, 1, 3)) if own_names else 1
    return frame.assign(label=np.where(within, "stress", "baseline"), trial=trial)


@pytest.mark.parametrize("max_gap", [0, 100])
def test_a_gap_that_another_condition_fills_is_not_bridged(max_gap: int, tmp_path: Path) -> None:
    said = _refused(_alternating_labels(), tmp_path, max_gap=max_gap)
    assert said == (
        "study.csv (subject 'S1', label 'baseline', trial '1'): between time 1.5 and 4 the subject was recorded as "
        "label 'stress' (row 6) (the label changes within the trial), so the stretches before and after are no single "
        "trial; give each stretch a trial name of its own"
    )
    other_trial = _alternating_labels()
    other_trial["trial"] = other_trial["label"].map({"baseline": 1, "stress": 2})
    said = _refused(other_trial.assign(label=long_frame(trials=1, timesteps=12)["label"]), tmp_path, max_gap=max_gap)
    assert "between time 1.5 and 4 the subject was recorded as trial '2' (row 6), so" in said


def test_what_that_line_advises_works(tmp_path: Path) -> None:
    dataset = _load(_alternating_labels(own_names=True), tmp_path)
    assert dataset.trials.tolist() == ["1", "2", "3"] * 4
    assert dataset.time == (0.0, 0.5, 1.0, 1.5)


def test_clocks_that_begin_anew_with_every_trial_do_not_fill_a_gap(tmp_path: Path) -> None:
    frame = long_frame(timesteps=7).drop(index=[2, 3])
    assert _load(frame, tmp_path, max_gap=2).notes == (
        "Interpolated 2 missing time points and 0 missing values in 1 trials (gaps of up to 2 samples).",
    )


def test_recordings_sorted_into_one_another_are_noticed(tmp_path: Path) -> None:
    frame = long_frame(timesteps=20)
    frame["knee"] = np.sin(frame["time"])
    other = frame.assign(time=frame["time"] + 0.25, knee=frame["knee"] + 5)
    both = pd.concat([frame, other]).sort_values(["subject", "trial", "time"], kind="stable")
    (note,) = _load(both, tmp_path).notes
    assert note.startswith("WARNING: in 8 of 8 trials successive samples jump between two levels (first in study.csv, ")
    assert "give each a trial name of its own" in note
    smooth_and_noise = _load(frame, tmp_path)
    assert smooth_and_noise.notes == ()


def test_trim_cuts_the_ends_and_says_so(tmp_path: Path) -> None:
    frame = long_frame(timesteps=9)
    frame.loc[[0, 17], "knee"] = np.nan  # the first sample of the first trial, the last of the second
    frame.loc[16, "hip"] = np.inf
    frame.loc[4, "hip"] = np.nan
    assert "trim=true" in (said := _refused(frame, tmp_path, max_gap=100))
    assert "which max_gap cannot fill" in said
    dataset = _load(frame, tmp_path, max_gap=1, trim=True, timesteps=9)
    assert dataset.notes[:2] == (
        "Cut 3 samples with missing values at the start or end of 2 trials (trim).",
        "Interpolated 0 missing time points and 1 missing values in 1 trials (gaps of up to 1 samples).",
    )
    assert not any("WARNING" in note for note in dataset.notes)
    first = dataset.subjects == "S1"
    np.testing.assert_array_equal(dataset.values[first][:, 0], frame[FEATURES].to_numpy(np.float32)[[1, 9]])
    np.testing.assert_array_equal(dataset.values[first][:, -1], frame[FEATURES].to_numpy(np.float32)[[8, 15]])
    whole = _load(long_frame(), tmp_path, trim=True)
    assert (whole.digest(), whole.notes) == (_load(long_frame(), tmp_path).digest(), ())


def test_trim_that_cuts_much_of_a_trial_is_a_warning(tmp_path: Path) -> None:
    frame = long_frame(timesteps=9)
    row = frame.groupby(["subject", "label", "trial"]).cumcount()
    frame.loc[row > 3, "knee"] = np.nan  # as a signal of half the rate ends half way
    assert "5 of 9 are missing there; a column of another sampling rate needs" in _refused(frame, tmp_path)
    note = _load(frame, tmp_path, trim=True).notes[1]
    assert note.startswith("WARNING: trim cut 56% of one trial: a column that begins late or ends early")


def test_trim_leaves_two_samples_or_refuses(tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[:3, "knee"] = np.nan
    said = _refused(frame, tmp_path, trim=True)
    assert "study.csv (subject 'S1', label 'fear', trial 't0'): 1 of 5 samples have a number in every column" in said
    frame.loc[:4, "knee"] = np.nan
    assert "like all of the trial; expected a number; remove" in _refused(frame, tmp_path)
