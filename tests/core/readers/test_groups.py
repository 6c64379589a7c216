"""A control group under another name is still one; a group that nobody knows is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_table

STUDY = {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm", "K1": ""}


@pytest.mark.parametrize("name", ["controls", "HC", "Healthy", "healthy controls", "ctrl", "Control group"])
def test_usual_names_of_a_control_group(name: str, tmp_path: Path) -> None:
    frame = long_frame(STUDY)
    expected = load_source(write_table(frame, tmp_path / "study.csv"))
    assert expected.notes == ()
    frame["group"] = frame["group"].replace({"control": name, "": "patients"})
    dataset = load_source(write_table(frame, tmp_path / "study.csv"))
    assert dataset.digest() == expected.digest()
    assert dataset.notes == (f"Group {name!r} is the control group, 1 subject.",)


@pytest.mark.parametrize("name", ["A", "1", "exercise", "control_2", "not control"])
def test_a_group_that_nobody_knows(name: str, tmp_path: Path) -> None:
    frame = long_frame(STUDY)
    frame.loc[frame["subject"] == "S3", "group"] = name
    source = write_table(frame, tmp_path / "study.csv")
    with pytest.raises(UserError, match=rf"study\.csv, row 22 .*: group is '{name}', expected 'control' for"):
        load_source(source)


@pytest.mark.parametrize("name", ["", "patient", "Patients", "case"])
def test_usual_names_of_patients(name: str, tmp_path: Path) -> None:
    frame = long_frame(STUDY)
    frame["group"] = frame["group"].replace("", name)
    assert load_source(write_table(frame, tmp_path / "study.csv")).notes == ()
