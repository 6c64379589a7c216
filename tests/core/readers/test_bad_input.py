"""Every rule of the readers, broken once: the message must name the place, what was found and what was expected."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES, long_frame, trial_file, write_folder, write_table

Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def _fails(source: str, *expected: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        load_source(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message, message
    return message


def _set(column: str, row: int, value: str | float | None) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        if isinstance(value, str):
            frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return spoil


def _rename_subject(name: str) -> Spoil:
    return lambda frame: frame.assign(subject=frame["subject"].replace("S1", name))


def _label_first_trial(label: str) -> Spoil:
    return lambda frame: frame.assign(label=[label] * 5 + frame["label"].tolist()[5:])


TABLE_CASES: dict[str, tuple[Spoil, dict[str, Any], list[str]]] = {
    "text cell": (_set("knee", 3, "high"), {}, ["study.csv", "row 5", "'knee'", "'high'", "number"]),
    "blank cell": (_set("knee", 3, "  "), {}, ["study.csv", "row 5", "'knee' holds blanks only", "nothing at all"]),
    "empty cell": (_set("knee", 3, np.nan), {}, ["study.csv", "row 5", "'knee'", "'S1'", "'t0'", "time 1.5"]),
    "infinite cell": (_set("hip", 3, np.inf), {}, ["row 5", "'hip'", "inf"]),
    "gap too long": (
        lambda f: f.assign(knee=f["knee"].where(~f.index.isin([1, 2]))),
        {"max_gap": 1},
        ["row 3", "'knee'", "gap of 2 samples", "it is 1"],
    ),
    "gap at the end": (_set("knee", 4, np.nan), {"max_gap": 3}, ["row 6", "'knee'", "time 2", "end"]),
    "float32 overflow": (_set("hip", 7, 1e39), {}, ["row 9", "hip is 1e+39", "float32"]),
    "time missing": (_set("time", 7, np.nan), {}, ["row 9", "time is nan", "number"]),
    "time infinite": (_set("time", 7, np.inf), {}, ["row 9", "time is inf", "number"]),
    "time as text": (_set("time", 7, "noon"), {}, ["row 9", "'time'", "'noon'"]),
    "time twice": (_set("time", 1, 0.0), {}, ["row 3", "time 0", "row 2", "'S1'", "'t0'", "duplicate"]),
    "duplicate trial": (lambda f: pd.concat([f, f.iloc[:5]]), {}, ["row 42", "row 2", "duplicate trial", "'t0'"]),
    "ragged time": (lambda f: f.drop(index=[7]), {}, ["'t1'", "ragged", "after time 0.5", "1 samples", "max_gap"]),
    "ragged beyond max_gap": (lambda f: f.drop(index=[22, 23]), {"max_gap": 1}, ["2 samples", "it is 1"]),
    "one time point": (lambda f: f.drop(index=[1, 2, 3, 4]), {}, ["row 2", "'S1'", "1 time point", "at least 2"]),
    "slash": (_rename_subject("a/b"), {}, ["row 2", "subject is 'a/b'", "letters"]),
    "dots": (_rename_subject("a..b"), {}, ["subject is 'a..b'"]),
    "parent folder": (_rename_subject(".."), {}, ["subject is '..'"]),
    "quotes": (_rename_subject("a'b"), {}, ['subject is "a\'b"']),
    "html": (_rename_subject("<b>S1</b>"), {}, ["subject is '<b>S1</b>'"]),
    "control character": (_rename_subject("a\x1b[2J"), {}, [r"subject is 'a\x1b[2J'"]),
    "leading dash": (_rename_subject("-rf"), {}, ["subject is '-rf'"]),
    "long name": (_rename_subject("a" * 65), {}, ["subject is 'aaaa", "64"]),
    "no subject": (_set("subject", 3, None), {}, ["row 5", "subject is ''"]),
    "trial name": (_set("trial", 3, "a\\b"), {}, ["row 5", "trial is"]),
    "label name": (_set("label", 3, "a;b"), {}, ["row 5", "label is 'a;b'"]),
    "no label": (_set("label", 3, ""), {}, ["row 5", "label is ''", "label"]),
    "test number": (lambda f: f.assign(test_number="?"), {}, ["row 2", "test_number is '?'"]),
    "both groups": (_set("group", 3, "control"), {}, ["'S1'", "row 2", "row 5", "control"]),
    "one class": (lambda f: f.assign(label="fear"), {}, ["one class", "'fear'"]),
    "one subject in a class": (lambda f: f[f["subject"] != "S2"], {}, ["class 'fear'", "'S1'", "2 subjects"]),
    "three classes": (_label_first_trial("panic"), {}, ["3 labels, 'calm', 'fear', 'panic'"]),
    "spelling of a class": (_label_first_trial("Fear"), {}, ["'Fear'", "case"]),
    "label not in the data": (lambda f: f, {"positive_label": "x<y"}, ["'x<y'", "'calm', 'fear'"]),
    "controls only": (lambda f: f.assign(group="control"), {}, ["control"]),
    "no numeric feature": (lambda f: f.drop(columns=FEATURES), {}, ["study.csv", "no numeric feature", "'subject',"]),
    "no subject column": (lambda f: f.drop(columns="subject"), {}, ["study.csv", "no column 'subject'"]),
    "no time column": (lambda f: f.drop(columns="time"), {}, ["no column 'time'"]),
    "feature name": (lambda f: f.rename(columns={"hip": "<i>"}), {}, ["study.csv", "'<i>'", "without < >"]),
    "unnamed feature": (lambda f: f.rename(columns={"hip": ""}), {}, ["'Unnamed: 6' (has no name", "ignore="]),
    "feature name too long": (lambda f: f.rename(columns={"hip": "h" * 129}), {}, ["'hhhh", "1 to 128"]),
    "saved index": (lambda f: f.assign(__index_level_0__=1), {}, ["'__index_level_0__'", "index=False"]),
    "duplicate column": (
        lambda f: f.rename(columns={"hip": "knee"}),
        {},
        ["study.csv", "two columns named 'knee'"],
    ),
    "timesteps": (lambda f: f, {"timesteps": 1}, ["timesteps is 1", "at least 2"]),
    "negative timesteps": (lambda f: f, {"timesteps": -3}, ["timesteps is -3"]),
    "max_gap": (lambda f: f, {"max_gap": -1}, ["max_gap is -1"]),
    "names that collide": (
        lambda f: pd.concat([f.assign(test_number=1), f.assign(test_number=2), f.assign(trial="t0_t1", test_number=1)])
        .drop_duplicates(["subject", "trial", "test_number", "time"]),
        {"duplicates": "allow"},
        ["'S1'", "2 trials called 't0_t1_fear'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE_CASES)
def test_bad_table(case: str, tmp_path: Path) -> None:
    spoil, options, expected = TABLE_CASES[case]
    frame = spoil(long_frame(timesteps=7) if "max_gap" in case else long_frame())
    _fails(write_table(frame, tmp_path / "study.csv"), *expected, **options)


RAW_CASES: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["bad.csv", "is empty"]),
    "blank": (b" \n\n", ["bad.csv", "is empty"]),
    "header only": (b"subject,label,trial,time,knee\n", ["bad.csv", "header only"]),
    "not UTF-8": (
        "subject,label,trial,time,knee\nJürgen,a,1,0,1\n".encode() + b"\xfc",
        ["not UTF-8", "0xfc", "offset 46"],
    ),
    "UTF-16": ("subject,label,trial,time,knee\n".encode("utf-16"), ["not UTF-8"]),
    "decimal commas": (b"subject;label;trial;time;knee\nS;a;1;0;1,5\nS;a;1;1;x\n", ["row 3", "'knee'", "'x'"]),
    "too many cells": (b"subject,label,trial,time,knee\nS,a,1,0,1\nS,a,1,1,2,3\n", ["row 3", "6 cells", "expected 5"]),
    "too few cells": (b"subject,label,trial,time,knee\nS,a,1,0\n", ["row 2", "4 cells", "expected 5"]),
    "semicolons": (
        b"subject;label;trial;time;knee\nS;a;1;0;1,5\nS;a;1;1;2,5;6\nS;a;1;2;1,5\nS;a;1;3;2\n",
        ["row 3", "6 cells", "expected 5"],
    ),
    "decimal comma": (
        b'subject,label,trial,time,knee\nS,a,1,0,1.5\nS,a,1,1,"1,5"\n',
        ["row 3", "decimal commas", "'1,5'"],
    ),
    "line break in a cell": (b'subject,label,trial,time,knee\nS,a,1,0,"1\nx"\n', ["row 2", "'knee'", r"'1\nx'"]),
}


@pytest.mark.parametrize("case", RAW_CASES)
def test_bad_csv_bytes(case: str, tmp_path: Path) -> None:
    raw, expected = RAW_CASES[case]
    (tmp_path / "bad.csv").write_bytes(raw)
    _fails(str(tmp_path / "bad.csv"), "bad.csv", *expected)


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"")
    _fails(str(path), "bad.parquet", "is empty")
    path.write_bytes(b"PAR1 no")
    _fails(str(path), "bad.parquet", "not a readable Parquet file")
    _fails(write_table(long_frame().iloc[:0], path), "bad.parquet", "no rows")
    _fails(write_table(long_frame().assign(hip="x"), path), "row 1", "'hip'", "'x'", "number")
    _fails(write_table(long_frame().assign(time=pd.Timestamp("2024-01-01")), path), "'time'", "timestamp")
    _fails(write_table(long_frame().assign(trial=pd.Timestamp("2024-01-01")), path), "'trial'", "timestamp", "text")
    _fails(write_table(_set("knee", 3, np.nan)(long_frame()), path), "row 4", "'knee'")


def test_missing_source_and_unknown_suffix(tmp_path: Path) -> None:
    for source in (str(tmp_path / "no"), str(tmp_path / "no.csv")):
        _fails(source, "does not exist", "'simulated'")
        with pytest.raises(UserError, match="does not exist"):
            source_fingerprint(source)
    (tmp_path / "study.xls").write_bytes(b"x")
    _fails(str(tmp_path / "study.xls"), "study.xls' is an older spreadsheet", "save it as .xlsx", ".csv, .parquet")
    (tmp_path / "study.abc").write_bytes(b"x")
    _fails(str(tmp_path / "study.abc"), "'.abc'", ".csv, .parquet")


def test_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_table(long_frame(), tmp_path / "study.csv")

    def refuse(path: Path, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    _fails(source, "study.csv", "Permission denied")


def _write(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


FOLDER_CASES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "feature missing": (_write("time,knee\n0,1\n1,2\n"), ["S1/fear/t1.csv", "no feature 'hip'", "S1/fear/t0.csv"]),
    "feature too many": (_write("time,knee,hip,toe\n0,1,2,3\n"), ["S1/fear/t1.csv", "additional feature 'toe'"]),
    "time missing": (_write("knee,hip\n0,1\n"), ["S1/fear/t1.csv", "no column 'time'"]),
    "reserved column": (_write("time,knee,hip,label\n0,1,2,3\n"), ["S1/fear/t1.csv", "'label'"]),
    "text cell": (_write("time,knee,hip\n0,1,2\n1,2,abc\n"), ["S1/fear/t1.csv", "row 3", "'hip'", "'abc'"]),
    "NaN": (_write("time,knee,hip\n0,1,2\n1,2,nan\n2,3,4\n"), ["S1/fear/t1.csv", "row 3", "'hip'", "time 1"]),
    "time twice": (_write("time,knee,hip\n0,1,2\n0,2,3\n"), ["S1/fear/t1.csv", "row 3", "time 0"]),
    "ragged time": (_write("time,knee,hip\n0,1,2\n1,2,2\n2,1,1\n9,1,1\n"), ["S1/fear/t1.csv", "after time 2"]),
    "one time point": (_write("time,knee,hip\n0,1,2\n"), ["S1/fear/t1.csv", "1 time point"]),
    "overflow": (_write("time,knee,hip\n0,1,-1e300\n1,1,1\n"), ["S1/fear/t1.csv", "row 2", "hip is -1e+300"]),
    "empty": (_write(""), ["S1/fear/t1.csv", "is empty"]),
    "header only": (_write("time,knee,hip\n"), ["S1/fear/t1.csv", "header only"]),
    "no numeric feature": (_write("time\n0\n"), ["S1/fear/t1.csv", "no numeric feature"]),
    "too shallow": (lambda path: path.rename(path.parents[1] / "t1.csv"), ["S1/t1.csv", "out of place"]),
    "too deep": (lambda path: shutil.move(path.parent, path.parents[1] / "x" / "fear"), ["x/fear/t", "place"]),
    "label name": (lambda path: path.parent.rename(path.parents[1] / "<b>"), ["label is '<b>'", "S1/<b>/t0.csv"]),
    "trial name": (lambda path: path.rename(path.parent / "a'b.csv"), ['trial is "a\'b"']),
    "subject name": (lambda path: path.parents[1].rename(path.parents[2] / "S\x07"), [r"is 'S\x07'", r"S\x07/fear"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDER_CASES)
def test_bad_folder(case: str, tmp_path: Path) -> None:
    spoil, expected = FOLDER_CASES[case]
    source = write_folder(long_frame(), tmp_path)
    spoil(trial_file(source, trial="t1"))
    assert "\x07" not in _fails(source, "participants/", *expected)


def test_folder_without_trials(tmp_path: Path) -> None:
    _fails(str(tmp_path), "no folder participants/")
    (tmp_path / "participants" / "S1").mkdir(parents=True)
    _fails(str(tmp_path), "no .csv file", "<subject>/<label>/<trial>.csv")
    with pytest.raises(UserError, match=re.escape("no .csv file")):
        source_fingerprint(str(tmp_path))


def test_one_control_trial_in_two_files(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    for folder in ("control_data/A/B", "control_data/A_B"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(trial_file(source), tmp_path / folder / "t0.csv")
    _fails(source, "control_data/A/B/t0.csv", "control_data/A_B/t0.csv", "duplicate trial", "'A_B'")


def test_the_simulated_study_has_its_own_labels() -> None:
    _fails("simulated", "'calm'", "'fear' or 'auto'", positive_label="calm")


def _table(*subjects: tuple[str, str]) -> str:
    """A long table of one trial of two time points per subject and label."""
    rows = [f"{subject},{label},1,{time},{time + i}" for i, (subject, label) in enumerate(subjects) for time in (0, 1)]
    return "subject,label,trial,time,x\n" + "\n".join(rows) + "\n"


def test_a_stray_space_does_not_make_two_people_of_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        _table(("A", "fear"), ("A ", "calm"), ("B", "fear"), ("C ", "calm"), ("D", " calm"))
    )
    dataset = load_source(str(tmp_path / "t.csv"))
    assert sorted(set(dataset.subjects)) == ["A", "B", "C", "D"]
    assert dataset.label_names == ("calm", "fear")


def test_subjects_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(_table(("a", "fear"), ("A", "fear"), ("b", "calm"), ("c", "calm")))
    with pytest.raises(UserError, match="subjects 'A' and 'a' differ only in upper and lower case"):
        load_source(str(tmp_path / "t.csv"))


def test_old_line_ends_are_read(tmp_path: Path) -> None:
    text = _table(("a", "fear"), ("b", "fear"), ("c", "calm"), ("d", "calm"))
    (tmp_path / "new.csv").write_text(text)
    (tmp_path / "old.csv").write_bytes(text.replace("\n", "\r").encode())
    assert load_source(str(tmp_path / "old.csv")).digest() == load_source(str(tmp_path / "new.csv")).digest()


def test_folder_links_are_followed_and_broken_ones_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "fear"
    elsewhere.mkdir(parents=True)
    (elsewhere / "1.csv").write_text("x\n1\n0\n")
    study = tmp_path / "study"
    for subject, label in (("a", "fear"), ("b", "calm"), ("c", "calm")):
        (study / "participants" / subject / label).mkdir(parents=True)
        (study / "participants" / subject / label / "1.csv").write_text(f"x\n1\n{ord(subject)}\n")
    (study / "participants" / "linked").symlink_to(elsewhere.parent)
    assert "linked" in load_source(str(study)).subjects
    (study / "participants" / "a" / "fear" / "2.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=r"participants/a/fear/2\.csv cannot be read: No such file"):
        load_source(str(study))


def test_a_name_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "participants" / os.fsdecode(b"S\xff") / "fear"
    folder.mkdir(parents=True)
    (folder / "1.csv").write_text("x\n1\n2\n")
    with pytest.raises(UserError, match="is not UTF-8"):
        load_source(str(tmp_path))


def test_a_misspelt_column_is_missed_before_it_is_taken_for_a_feature(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("person,label,trial,time,x\nA,fear,1,0,1\n")
    with pytest.raises(UserError, match=r"t\.csv has no column 'subject', expected subject, label, trial, time"):
        load_source(str(tmp_path / "t.csv"))
