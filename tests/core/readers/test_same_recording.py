"""The same recording twice is found by what it holds, refused unless allowed, and then said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.load import load_source
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES, long_frame, write_folder, write_table


def _copy(frame: pd.DataFrame, which: str = "t0", **changed: Any) -> Any:
    """The study, and a trial of S1 once more under other names."""
    same = frame[(frame["subject"] == "S1") & (frame["trial"] == which)]
    return pd.concat([frame, same.assign(**changed)], ignore_index=True)


def test_files_of_two_subjects(tmp_path: Path) -> None:
    study = Path(write_folder(long_frame(), tmp_path))
    shutil.copytree(study / "participants" / "S1", study / "participants" / "S7")
    with pytest.raises(UserError) as caught:
        load_source(str(study))
    assert str(caught.value) == (
        "participants/S7/fear/t0.csv holds the same recording as participants/S1/fear/t0.csv (2 trials are copies of "
        "others); subjects 'S1', 'S7' cannot have one recording: the one who is tested would have been trained on. "
        "Remove the copy or correct its name, or keep it with duplicates=allow"
    )
    assert load_source(str(study), duplicates="allow").notes == (
        "WARNING: 2 trials hold the same recording as others, 2 of them of several subjects: "
        "participants/S1/fear/t0.csv = participants/S7/fear/t0.csv; "
        "participants/S1/fear/t1.csv = participants/S7/fear/t1.csv.",
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"trial": "t9"}, "subject 'S1', label 'fear', trial 't9' holds"),
        ({"label": "calm"}, "subject 'S1', label 'calm', trial 't0' holds"),
        ({"subject": "S4", "label": "calm", "trial": "t9"}, "subject 'S4', label 'calm', trial 't9' holds"),
        ({"subject": "K1", "label": "", "group": "control"}, "subject 'K1', trial 't0' holds"),
    ],
)
def test_rows_of_a_table(changed: dict[str, Any], name: str, suffix: str, tmp_path: Path) -> None:
    source = write_table(_copy(long_frame(), **changed), tmp_path / f"study{suffix}")
    with pytest.raises(UserError, match=f"study{suffix}: {name} the same recording as subject 'S1', label 'fear'"):
        load_source(source)
    (note,) = load_source(source, duplicates="allow").notes
    assert note.removeprefix("WARNING: ").startswith("1 trials hold the same recording as others")


def test_another_time_axis_and_more_decimals_make_no_other_recording(tmp_path: Path) -> None:
    frame = _copy(long_frame(), which="t1", subject="S4", label="calm")
    copied = frame.index[-5:]
    frame = frame[~((frame["subject"] == "S4") & (frame["trial"] == "t1")) | frame.index.isin(copied)]
    frame.loc[copied, "time"] = frame.loc[copied, "time"] * 7 + 100
    frame.loc[copied, FEATURES] = frame.loc[copied, FEATURES].astype(np.float32).astype(np.float64)
    frame = pd.concat([frame, frame.iloc[:5].assign(trial="t2", time=frame["time"].iloc[:5] * 3)])  # and resampled
    with pytest.raises(UserError, match=r"trial 't1' holds the same recording .*\(2 trials are copies of others\)"):
        load_source(write_table(frame, tmp_path / "study.csv"), timesteps=11)


def test_ends_that_are_alike_are_no_copies(tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[frame["time"].isin([0.0, 2.0]), FEATURES] = 0.0  # as after subtracting a baseline
    assert load_source(write_table(frame, tmp_path / "study.csv")).notes == ()


def test_minus_zero_is_zero(tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[0, "knee"] = 0.0
    frame = _copy(frame, subject="S2")
    frame = frame[~((frame["subject"] == "S2") & (frame["trial"] == "t0")) | (frame.index >= 40)]
    frame.loc[40, "knee"] = -0.0
    with pytest.raises(UserError, match="trial 't0' holds the same recording"):
        load_source(write_table(frame, tmp_path / "study.csv"))


def test_trials_that_never_change_are_not_called_the_same_but_said(tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[frame["trial"] == "t1", FEATURES] = 0.0
    (note,) = load_source(write_table(frame, tmp_path / "study.csv")).notes
    assert note == (
        "4 trials are alike and never change in any feature: subject 'S1', label 'fear', trial 't1', "
        "subject 'S2', label 'fear', trial 't1', subject 'S3', label 'calm', trial 't1', … (4)."
    )


def test_what_is_scored_twice_is_said(tmp_path: Path) -> None:
    source = write_table(_copy(long_frame(), subject="S9"), tmp_path / "new.csv")
    (note,) = read_source(source).notes
    assert note.startswith("WARNING: 1 trials hold the same recording as others, 1 of them of several subjects")
