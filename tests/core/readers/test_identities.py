"""Two spellings of what looks like one person are one person, or an error; what is missing is no name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.identities import comparable
from steps.core.readers.load import load_source
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder, write_table


def _with(column: str, old: str, new: str, trial: str = "t1") -> pd.DataFrame:
    """The second trial of everybody called ``old`` is of ``new``."""
    frame = long_frame()
    changed = (frame[column] == old) & (frame["trial"] == trial)
    frame.loc[changed, column] = new
    return frame


ALIKE = [
    ("7", "007", "leading zeros"),
    ("S1", "S01", "leading zeros"),
    ("S1", "s1", "upper and lower case"),
    ("S1", "S 1", "blanks"),
    ("S1", "Ｓ1", "how characters are written (Unicode)"),
    ("7", "７", "how characters are written (Unicode)"),
    ("Straße", "STRASSE", "upper and lower case"),
    ("S1", "s０１", "how they are written"),
]


@pytest.mark.parametrize(("one", "other", "how"), ALIKE)
def test_two_spellings_of_a_subject_are_refused(one: str, other: str, how: str, tmp_path: Path) -> None:
    frame = _with("subject", "S1", other).replace({"subject": {"S1": one}})
    source = write_table(frame, tmp_path / "study.csv")
    with pytest.raises(UserError) as caught:
        load_source(source)
    message = str(caught.value)
    assert f"differ only in {how} (study.csv, row " in message
    assert all(part in message for part in (repr(one), repr(other), "row 2", "row 7", "look like one subject"))
    with pytest.raises(UserError, match="look like one subject"):
        read_source(source)


@pytest.mark.parametrize(
    ("one", "other"),
    [("S1", "S10"), ("1", "-1"), ("1 1", "11"), ("0.5", "0.05"), ("1.1", "1.10"), ("A1", "A_1"), ("1", "1.5")],
)
def test_different_names_are_different(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize("other", ["S\u200b1", "S\u00ad1", "\ufeffS1", " S1 ", "S\u00a01", "\u202aS1"])
def test_what_cannot_be_seen_makes_no_difference(other: str) -> None:
    assert comparable(other) == comparable("S1")


def test_two_spellings_of_a_label_are_refused_but_not_of_controls(tmp_path: Path) -> None:
    frame = _with("label", "fear", "Fear")
    with pytest.raises(UserError, match=r"labels 'Fear' and 'fear' differ only in upper .* row \d+ and .* row \d+\)"):
        load_source(write_table(frame, tmp_path / "study.csv"))
    controls = long_frame({"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm", "K": ""})
    controls.loc[controls["subject"] == "K", "label"] = "Fear"
    assert load_source(write_table(controls, tmp_path / "study.csv")).label_names == ("calm", "fear")


def test_two_spellings_of_a_trial_of_one_subject_are_refused(tmp_path: Path) -> None:
    frame = long_frame()
    frame["trial"] = frame["trial"].where(frame["subject"] != "S1", frame["trial"].map({"t0": "T 1", "t1": "t01"}))
    with pytest.raises(
        UserError, match=r"trials 'T 1' and 't01' differ only in how they are written .*row 2 and .*row 7"
    ):
        load_source(write_table(frame, tmp_path / "study.csv"))
    frame = long_frame()  # of two subjects, who may call theirs what they like
    frame["trial"] = frame["trial"].where(frame["subject"] != "S1", frame["trial"].str.upper())
    assert load_source(write_table(frame, tmp_path / "study.csv")).trials[:2].tolist() == ["T0", "T1"]


def test_folders_are_compared_too(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    trial_file(source, "S1", "fear", "t1").parents[1].joinpath("x").mkdir()
    (tmp_path / "participants" / "s1" / "fear").mkdir(parents=True)
    trial_file(source, "S1", "fear", "t1").rename(tmp_path / "participants" / "s1" / "fear" / "t1.csv")
    with pytest.raises(
        UserError, match=r"'S1' and 's1' .*participants/S1/fear/t0\.csv, row 2 and participants/s1/fear"
    ):
        load_source(source)


MISSING = ["NA", "N/A", "null", "NULL", "NaN", "nan", "<NA>", "#N/A", "", "  "]


@pytest.mark.parametrize("word", MISSING)
@pytest.mark.parametrize("column", ["subject", "trial", "label"])
def test_what_is_missing_is_no_name(word: str, column: str, tmp_path: Path) -> None:
    frame = long_frame()
    frame.loc[frame["subject"] == "S3", column] = word
    with pytest.raises(UserError, match=rf"study\.csv, row 22.*: {column} is '' \(missing: empty, NA, "):
        load_source(write_table(frame, tmp_path / "study.csv"))


def test_the_second_class_is_not_na(tmp_path: Path) -> None:
    frame = long_frame()
    frame["label"] = frame["label"].where(frame["label"] == "fear", np.nan)
    frame.to_csv(tmp_path / "study.csv", index=False, na_rep="NA")
    with pytest.raises(UserError, match=r"label is '' \(missing"):
        load_source(str(tmp_path / "study.csv"))


def test_a_group_that_is_missing_is_none_and_control_is_control_however_written(tmp_path: Path) -> None:
    frame = long_frame({"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm", "K": ""})
    frame["group"] = frame["group"].map({"": "NA", "control": " Ｃontrol "})
    dataset = load_source(write_table(frame, tmp_path / "study.csv"))
    assert sorted(set(dataset.subjects[dataset.is_control].tolist())) == ["K"]


def test_a_folder_called_na_is_one_line(tmp_path: Path) -> None:
    source = write_folder(long_frame({"S1": "fear", "S2": "fear", "NA": "calm", "S4": "calm"}), tmp_path)
    with pytest.raises(UserError, match=r"participants/NA/calm/t0\.csv, row 2: subject is '' \(missing"):
        load_source(source)


def test_none_is_a_label_and_no_subject(tmp_path: Path) -> None:
    frame = long_frame().replace({"label": {"calm": "None"}})
    assert load_source(write_table(frame, tmp_path / "study.csv")).label_names == ("None", "fear")
    with pytest.raises(UserError, match=r"subject is '' \(missing"):
        load_source(write_table(frame.replace({"subject": {"S3": "None"}}), tmp_path / "study.csv"))


def test_spellings_that_are_made_one_are_said(tmp_path: Path) -> None:
    frame = _with("subject", "S1", " S1")
    dataset = load_source(write_table(frame, tmp_path / "study.csv"))
    assert dataset.notes == ("Took ' S1' and 'S1' for one subject.",)
    assert dataset.digest() == load_source(write_table(long_frame(), tmp_path / "study.csv")).digest()


@pytest.mark.parametrize("labels", [("-1", "1"), ("-1", "+1"), ("-0.5", "0.5")])
def test_labels_may_be_signed_numbers(labels: tuple[str, str], tmp_path: Path) -> None:
    frame = long_frame().replace({"label": {"calm": labels[0], "fear": labels[1]}})
    for source in (write_table(frame, tmp_path / "study.csv"), write_folder(frame, tmp_path / "study")):
        dataset = load_source(source, positive_label=labels[1])
        assert dataset.label_names == labels
        assert dataset.labels.tolist() == [1] * 4 + [0] * 4
    with pytest.raises(UserError, match="label is '-rf'"):
        load_source(write_table(frame.replace({"label": {labels[0]: "-rf"}}), tmp_path / "study.csv"))
