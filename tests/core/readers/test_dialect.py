"""Files that are no plain CSV: read as what they are, or one line that says what is the matter. And blank lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder, write_table

Spoil = Callable[[str], str]


def _above(*lines: str) -> Spoil:
    return lambda text: "\n".join(lines) + "\n" + text


def _below_header(line: str) -> Spoil:
    return lambda text: text.replace("\n", f"\n{line}\n", 1)


def _without_header(text: str) -> str:
    return text.partition("\n")[2]


SEMICOLONS: Spoil = lambda text: text.replace(",", ";").replace(".", ",")  # noqa: E731
READ: dict[str, tuple[Spoil, str]] = {
    "semicolons": (SEMICOLONS, "text with semicolons, decimal commas"),
    "semicolons, points": (lambda text: text.replace(",", ";"), "text with semicolons"),
    "tabs": (lambda text: text.replace(",", "\t"), "text with tabs"),
    "bars": (lambda text: text.replace(",", "|"), "text with bars"),
    "blanks": (lambda text: text.replace(",,", ",-,").replace(",", "  "), "text with blanks"),
    "units": (_below_header("-,-,-,-,s,deg,deg"), "text with a row of units"),
    "lines above": (_above("Device X", "Start: 12:00"), "text with lines above its names"),
    "a title with commas": (_above("Study,,,,,,"), "text with lines above its names"),
    "comments": (_above("# Device X", "#"), "text with comments"),
    "quoted decimal commas": (
        lambda text: "\n".join(f'"{line}"'.replace(",", '","') for line in text.splitlines()).replace(".", ","),
        "text with decimal commas",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_a_table_in_another_dialect_is_read_as_the_plain_one(case: str, tmp_path: Path) -> None:
    spoil, said = READ[case]
    path = Path(write_table(long_frame(), tmp_path / "study.csv"))
    plain = load_source(str(path))
    path.write_text(spoil(path.read_text()))
    dataset = load_source(str(path))
    assert dataset.notes[0] == f"Read as {said}."
    assert dataset.units == ({"knee": "deg", "hip": "deg"} if case == "units" else {})
    assert replace(dataset, units={}).digest() == plain.digest()


@pytest.mark.parametrize("case", READ)
def test_trial_files_in_another_dialect_are_read_as_plain_ones(case: str, tmp_path: Path) -> None:
    spoil, said = READ[case]
    spoil = {"units": _below_header("s,deg,deg"), "a title with commas": _above("Study,,")}.get(case, spoil)
    source = write_folder(long_frame(), tmp_path)
    plain = load_source(source)
    for path in tmp_path.rglob("*.csv"):
        path.write_text(spoil(path.read_text()))
    dataset = load_source(source)
    assert dataset.notes[0] == f"Read 8 files as {said}."
    assert replace(dataset, units={}).digest() == plain.digest()


def test_files_of_one_study_are_read_in_the_same_way(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    path = trial_file(source, "S2", "fear", "t1")
    plain = path.read_text()
    path.write_text(SEMICOLONS(plain))
    first, other = "participants/S1/fear/t0.csv", "participants/S2/fear/t1.csv"
    with pytest.raises(UserError, match=f"{other} is read as text with semicolons, .*, but {first} as plain CSV;"):
        load_source(source)
    for one in tmp_path.rglob("*.csv"):
        one.write_text(SEMICOLONS(one.read_text()) if one != path else plain)
    with pytest.raises(UserError, match=f"{other} is read as plain CSV, but {first} as text with semicolons, decimal"):
        load_source(source)
    path.write_text(plain.replace(",", ";"))
    with pytest.raises(
        UserError, match=f"{other} is read as text with semicolons, but {first} as text with semicolons, d"
    ):
        load_source(source)


def test_what_a_file_does_not_say_makes_no_difference(tmp_path: Path) -> None:
    """Whole numbers have no decimal mark, and a file in ASCII no encoding."""
    frame = long_frame().rename(columns={"knee": "Knie"})
    frame["hip"] = (10 * frame["hip"]).round()
    source = write_folder(frame.rename(columns={"Knie": "knee"}), tmp_path)
    expected = load_source(source).digest()
    for number, path in enumerate(sorted(tmp_path.rglob("*.csv"))):
        text = "# gemessen am Gerät\n" if number == 3 else "# measured\n"
        path.write_bytes((text + SEMICOLONS(path.read_text())).encode("cp1252"))
    dataset = load_source(source)
    assert dataset.digest() == expected
    assert dataset.notes[0] == "Read 8 files as text in cp1252 with semicolons, decimal commas, comments."


def test_several_rows_of_names_are_joined(tmp_path: Path) -> None:
    path = Path(write_table(long_frame(), tmp_path / "study.csv"))
    path.write_text(_below_header("a,b,c,d,e,f,g")(path.read_text()))
    assert load_source(str(path)).features == ("knee_f", "hip_g")


TABLES: dict[str, tuple[Spoil, str]] = {
    "no header": (_without_header, r"study\.csv has no header: its first line, 'S1,fear,t0,,0\.0"),
    "no header, semicolons": (lambda text: SEMICOLONS(_without_header(text)),
                              r"has no header: .*'S1;fear;t0;;0,0.*columns="),
    "marks between thousands": (lambda text: SEMICOLONS(text).replace("0,0", "1.000,5", 1), r"row 2 holds '1\.000,5'"),
    "two decimal marks": (lambda text: SEMICOLONS(text).replace(",", ".", 4), r"decimal points .* and with decimal co"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_read(case: str, tmp_path: Path) -> None:
    spoil, expected = TABLES[case]
    path = Path(write_table(long_frame(trials=1, subjects={"S1": "fear"}), tmp_path / "study.csv"))
    path.write_text(spoil(path.read_text()))
    with pytest.raises(UserError, match=expected) as caught:
        load_source(str(path))
    assert str(caught.value).startswith("study.csv")
    assert "\n" not in str(caught.value)


FILES: dict[str, tuple[Spoil, str]] = {
    "no header": (_without_header, r"has no header, its first line holds numbers: '0\.0,.*put a line with the names"),
    "names are numbers": (lambda text: text.replace("time,knee,hip", "0,1,2"), r"no header, .* write f0, not 0"),
    "Empatica E4": (lambda text: "0.000000\n4.000000\n" + "1.5\n2.5\n1.5\n2.0\n" * 3, "an Empatica E4 .* columns=EDA"),
    "decimal commas": (lambda text: text.replace("time,knee,hip", "knee,hip").replace(".", ","),
                       "row 2 has 6 cells, expected 2|row 2 has"),
    "decimal commas, not in all cells": (lambda _: "a,b\n1,2,5\n" + "1,5,2,5\n" * 6, "3 cells, .* decimal commas"),
    "double": (lambda text: "a,b\n" + "1,5,2,5\n" * 6, r"row 2 can be read in two ways: '1,5,2,5' is '1\.5 \| 2\.5'"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_trial_files_that_cannot_be_read(case: str, tmp_path: Path) -> None:
    spoil, expected = FILES[case]
    source = write_folder(long_frame(), tmp_path)
    for path in tmp_path.rglob("*.csv"):
        path.write_text(spoil(path.read_text()))
    with pytest.raises(UserError, match=expected) as caught:
        load_source(source)
    assert str(caught.value).startswith("participants/S1/fear/t0.csv")
    assert "\n" not in str(caught.value)


def test_columns_name_those_of_headerless_files(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path / "folder")
    table = Path(write_table(long_frame(), tmp_path / "study.csv"))
    expected = load_source(source).digest()
    for path in (table, *tmp_path.rglob("t*.csv")):
        path.write_text(_without_header(path.read_text()))
    with pytest.raises(UserError, match="no header"):
        load_source(source)
    assert load_source(source, choice=Choice.of(columns="time,knee,hip")).digest() == expected
    columns = "subject,label,trial,group,time,knee,hip"
    dataset = load_source(str(table), choice=Choice.of(columns=columns))
    assert dataset.digest() == expected
    assert dataset.notes[0] == "Read as text with names from columns."
    with pytest.raises(UserError, match="row 1 has 3 cells, but columns has 2 names"):
        load_source(source, choice=Choice.of(columns="time,knee"))
    with pytest.raises(UserError, match="columns is 'a,a', expected different names"):
        Choice.of(columns="a,a")
    named = write_table(long_frame(), tmp_path / "study.parquet")
    with pytest.raises(UserError, match=r"columns names those of text files .* but study\.parquet is \.parquet"):
        load_source(named, choice=Choice.of(columns=columns))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "latin-1"])
def test_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    frame = long_frame().rename(columns={"knee": "Größe"})
    path = Path(write_table(frame, tmp_path / "study.csv"))
    expected = load_source(str(path)).digest()
    path.write_bytes(path.read_text().encode(encoding))
    assert load_source(str(path)).digest() == expected


def test_a_later_file_without_a_header_loses_no_sample(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    path = trial_file(source, "S3", "calm", "t0")
    path.write_text(_without_header(path.read_text()))
    with pytest.raises(UserError, match=r"S3/calm/t0\.csv has no header, its first line holds numbers"):
        load_source(source)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16")[:-1], "not UTF-8 text: it seems to be UTF-16, .* save it as 'CSV UTF-8"),
        ("ä,b\n1,2\n".encode() + b"\xe4", "not UTF-8 text: byte 0xe4 at offset 9; save it as 'CSV UTF-8"),
        (b"PK\x03\x04rest", "no.* CSV file: it seems to be an Excel workbook or a zip archive"),
        (b"\x1f\x8brest", "compressed with gzip"),
        (b"PAR1rest", "a Parquet file"),
    ],
)
def test_bytes_that_are_no_text(raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_bytes(raw)
    with pytest.raises(UserError, match=message):
        load_source(str(tmp_path / "study.csv"))


def test_names_with_separators_in_them_are_names(tmp_path: Path) -> None:
    frame = long_frame().rename(columns={"knee": "a&b; c", "hip": "x | y (1 2)"})
    assert load_source(write_table(frame, tmp_path / "study.csv")).features == ("a&b; c", "x | y (1 2)")


def test_columns_of_several_levels_are_one_line(tmp_path: Path) -> None:
    frame = long_frame()
    frame.columns = pd.MultiIndex.from_tuples([(name, "") for name in frame.columns[:5]] + [("leg", "a"), ("leg", "b")])
    frame.to_parquet(tmp_path / "study.parquet")
    with pytest.raises(UserError, match=r"column names of several levels, as .*subject.* df\.columns = "):
        load_source(str(tmp_path / "study.parquet"))


@pytest.mark.parametrize("blank", ["", "  ", "\t", "\r"])
def test_blank_lines_hold_no_row_but_count(blank: str, tmp_path: Path) -> None:
    path = Path(write_table(long_frame(), tmp_path / "study.csv"))
    expected = load_source(str(path)).digest()
    lines = path.read_text().splitlines()
    spoiled = [blank, blank, *lines[:9], blank, *lines[9:], blank, blank]
    path.write_text("\n".join(spoiled) + "\n")
    assert load_source(str(path)).digest() == expected
    bad = [line.replace(lines[12], lines[12].rpartition(",")[0] + ",x") for line in spoiled]
    path.write_text("\n".join(bad))
    with pytest.raises(
        UserError, match=rf"row {bad.index(lines[12].rpartition(',')[0] + ',x') + 1}: column 'hip' holds 'x'"
    ):
        load_source(str(path))
    empty = [line.replace(lines[12], lines[12].rpartition(",")[0] + ",") for line in spoiled]
    path.write_text("\n".join(empty))
    with pytest.raises(UserError, match=r"study\.csv, row 16 \(.*column 'hip' holds no number"):
        load_source(str(path))


def test_blank_lines_in_trial_files(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    expected = load_source(source).digest()
    path = trial_file(source, "S2", "calm" if not trial_file(source, "S2").exists() else "fear", "t1")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["", *lines[:3], " ", *lines[3:], ""]))
    assert load_source(source).digest() == expected
    path.write_text("\n".join(["", *lines[:3], " ", "1.0,,1", *lines[4:], ""]))
    with pytest.raises(UserError, match=r"S2/fear/t1\.csv, row 6.*column 'knee' holds no number"):
        load_source(source)


def test_a_blank_line_in_a_file_of_one_column_may_be_a_missing_value(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path, with_time=False)
    for path in tmp_path.rglob("*.csv"):
        pd.read_csv(path)[["knee"]].to_csv(path, index=False)
    path = trial_file(source)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "", ""]))
    assert load_source(source).features == ("knee",)
    path.write_text("\n".join([*lines[:2], "", *lines[3:]]))
    with pytest.raises(UserError, match=r"S1/fear/t0\.csv, row 3 is empty: .* missing value; write NaN"):
        load_source(source)


def test_a_comma_at_the_end_of_lines_makes_no_feature(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path / "folder")
    table = Path(write_table(long_frame(), tmp_path / "study.csv"))
    expected = load_source(str(table)).digest()
    for path in tmp_path.rglob("*.csv"):
        path.write_text("".join(f"{line},\n" for line in path.read_text().splitlines()))
    for dataset in (load_source(source), load_source(str(table))):
        assert dataset.digest() == expected
        assert dataset.notes == ("Dropped an empty column without a name.",)
    table.write_text(table.read_text().replace(",\n", ",1\n").replace("hip,1", "hip,", 1))
    with pytest.raises(UserError, match=r"'Unnamed: 7' \(.*ignore='Unnamed: 7'"):
        load_source(str(table))
    assert load_source(str(table), choice=Choice.of(ignore="Unnamed: 7")).digest() == expected


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_mean_below_the_samples_is_no_sample(separator: str, tmp_path: Path) -> None:
    def spoil(text: str, below: str) -> str:
        rows = [line.split(",")[1:] for line in text.splitlines()]  # without time
        return "\n".join([*(separator.join(row) for row in rows), *below.split("|"), ""])

    text = long_frame(timesteps=20)
    for below, is_refused in ((f"|1.5{separator}2.5", True), ("", False), (f"1.5{separator}2.5", False)):
        source = write_folder(text, tmp_path / f"study{len(below)}")
        for path in Path(source).rglob("*.csv"):
            path.write_text(spoil(path.read_text(), below))
        if is_refused:
            with pytest.raises(UserError, match=r"row 23 stands apart, below a blank line or a comment: is it a samp"):
                load_source(source)
        else:
            assert load_source(source).timesteps == 20 + bool(below)
    time = write_folder(text, tmp_path / "time")
    for path in Path(time).rglob("*.csv"):
        path.write_text(path.read_text().replace("\n9.5,", "\n\n9.5,"))
    load_source(time)
