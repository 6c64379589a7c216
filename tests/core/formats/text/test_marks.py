"""Marks of missing values and minus signs: taken in columns of numbers, said with counts, nothing else touched."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from steps.core.formats.text.marks import described, without_marks
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_folder, write_table


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "mark", ["-", "--", ".", "...", "None", "#NV", "?", "n.a.", "-nan(ind)", "\u2013", " - ", '"-"']
)
def test_a_mark_is_a_missing_value_in_rows_of_numbers_only(separator: str, mark: str) -> None:
    rows = [["t - s", "-", "knee"], ["s", "-", "deg"], ["0.5", mark, "-1.5"], [mark, "3", mark], [mark, mark, mark]]
    text = "\r\n".join(separator.join(row) for row in rows)
    mended, found = without_marks(text.encode())
    lines = [line.split(separator) for line in mended.decode().split("\r\n")]
    assert lines[:2] == rows[:2]
    assert lines[2:4] == [["0.5", "", "-1.5"], ["", "3", ""]]
    assert lines[4] == rows[4]
    assert found == {mark.strip(' "'): 3}


def test_between_blanks_a_mark_stays_a_cell() -> None:
    mended, found = without_marks(b"1.0  -  2.0\n2.0 3.0 .\n")
    assert mended == b"1.0  NaN  2.0\n2.0 3.0 NaN\n"
    assert found == {"-": 1, ".": 1}


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a;b\n-1;-2,5\n.5;-.5\n", "note - this\n1 2\n", "x\n1-2\n"])
def test_what_has_no_marks_is_the_very_same(text: str) -> None:
    assert without_marks(text.encode()) == (text.encode(), {})


def test_other_encodings() -> None:
    text = "t;x\n1;-\n2;\u22123,5\n"
    mended, found = without_marks(text.encode("utf-16"))
    assert mended.decode("utf-16") == "t;x\n1;\n2;-3,5\n"
    assert found == {"-": 1, "\u2212": 1}
    assert without_marks("\xe4;x\n1;-\n".encode("cp1252"))[0].decode("cp1252") == "\xe4;x\n1;\n"
    assert described(found) == [
        "Took '-' (1 cell) for missing values.",
        "Took the sign '\u2212' (U+2212) of 1 number for a minus.",
    ]


def _marked(text: str) -> str:
    lines = text.splitlines()
    for row, mark in ((3, "-"), (8, "#NV"), (12, "None")):
        cells = lines[row].split(",")
        lines[row] = ",".join([*cells[:-1], mark])
    return "\n".join(line.replace(",-", ",\u2212") if i % 2 else line for i, line in enumerate(lines)) + "\n"


@pytest.mark.parametrize("dialect", ["plain", "semicolons", "gz"])
def test_a_table_with_marks_is_that_with_missing_values(dialect: str, tmp_path: Path) -> None:
    frame = long_frame(timesteps=6)
    # Inside of trials: rows 2, 7 and 11 below the header.
    expected = frame.copy()
    expected.loc[[2, 7, 11], "hip"] = np.nan
    expected = expected.drop(columns="group")
    text = _marked(frame.drop(columns="group").to_csv(index=False))
    path = tmp_path / "study.csv"
    if dialect == "semicolons":
        text = text.replace(",", ";").replace(".", ",")
    path.write_text(text)
    if dialect == "gz":
        path = tmp_path / "study.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    read = load_source(str(path), max_gap=1, trim=True)
    same = load_source(write_table(expected, tmp_path / "other.csv"), max_gap=1, trim=True)
    assert read.digest() == same.digest()
    assert "Took '-' (1 cell), '#NV' (1 cell), 'None' (1 cell) for missing values." in read.notes
    assert any("(U+2212)" in note for note in read.notes)
    assert ("Unpacked one file (.gz)." in read.notes) == (dialect == "gz")


def test_marks_of_a_folder_are_counted_together(tmp_path: Path) -> None:
    folder = Path(write_folder(long_frame(timesteps=8), tmp_path / "study"))
    files = sorted(folder.rglob("*.csv"))
    for path in files[1:4]:
        lines = path.read_text().splitlines()
        lines[4] = f"{lines[4].rpartition(',')[0]},-"
        path.write_text("\n".join(lines))
    notes = load_source(str(folder), max_gap=1).notes
    assert "Took '-' (3 cells) for missing values." in notes


def test_none_stays_a_label_and_words_stay_errors(tmp_path: Path) -> None:
    frame = long_frame({"S1": "None", "S2": "None", "S3": "some", "S4": "some"}).drop(columns="group")
    assert load_source(write_table(frame, tmp_path / "a.csv")).label_names == ("None", "some")
    text = (tmp_path / "a.csv").read_text().splitlines()
    text[3] = text[3].rpartition(",")[0] + ",None"
    (tmp_path / "b.csv").write_text("\n".join(text))
    with pytest.raises(UserError, match=r"b\.csv, row 4: column 'hip' holds 'None', expected a number"):
        load_source(str(tmp_path / "b.csv"), max_gap=1)
    text[3] = text[3].rpartition(",")[0] + ",twelve"
    text[5] = text[5].rpartition(",")[0] + ",-"
    (tmp_path / "c.csv").write_text("\n".join(text))
    with pytest.raises(UserError, match=r"c\.csv, row 4: column 'hip' holds 'twelve', expected a number"):
        load_source(str(tmp_path / "c.csv"), max_gap=1)
