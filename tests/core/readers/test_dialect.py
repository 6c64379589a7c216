"""Files that are no plain CSV: one line that says what they seem to be and how to save them. And blank lines."""

from __future__ import annotations

from collections.abc import Callable
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
TABLES: dict[str, tuple[Spoil, str]] = {
    "semicolons": (SEMICOLONS, r"separated by semicolons, with decimal commas, .* sep=';', decimal=','"),
    "semicolons, points": (lambda text: text.replace(",", ";"), r"by semicolons, expected commas .* sep=';'\)"),
    "tabs": (lambda text: text.replace(",", "\t"), r"separated by tabs, .* save it as 'CSV UTF-8 .* sep='\\t'\)"),
    "bars": (lambda text: text.replace(",", "|"), r"separated by bars"),
    "no header": (_without_header, r"study\.csv has no header: its first line, 'S1,fear,t0,,0\.0"),
    "no header, semicolons": (lambda text: SEMICOLONS(_without_header(text)), r"by semicolons, .* no header, either"),
    "units": (_below_header("-,-,-,-,s,deg,deg"), r"row 2.*row 2, '-,-,-,-,s,deg,deg', seems to hold units"),
    "preamble": (_above("Device X", "Start: 12:00"), r"2 lines above its header: .* row 3, 'subject,label,trial"),
    "header of three rows": (lambda text: _below_header("a,b,c,d,e,f,g")(_below_header("p,q,r,s,t,u,v")(text)),
                             r"has 3 rows above its numbers, which begin in row 4; expected one row"),
    "title with commas": (_above("Study,,,,,,"), r"has two columns named|no column 'subject'"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_no_plain_csv(case: str, tmp_path: Path) -> None:
    spoil, expected = TABLES[case]
    path = Path(write_table(long_frame(), tmp_path / "study.csv"))
    path.write_text(spoil(path.read_text()))
    with pytest.raises(UserError, match=expected) as caught:
        load_source(str(path))
    assert str(caught.value).startswith("study.csv")
    assert "\n" not in str(caught.value)


V3D = ("\tC:\\S01\\1.c3d\tC:\\S01\\1.c3d", "\tX\tY", "\tLINK\tLINK", "\tORIGINAL\tORIGINAL", "ITEM\tX\tX")
FILES: dict[str, tuple[Spoil, str]] = {
    "no header": (_without_header, r"has no header, its first line holds numbers: '0\.0,.*put a line with the names"),
    "names are numbers": (lambda text: text.replace("time,knee,hip", "0,1,2"), r"no header, .* write f0, not 0"),
    "semicolons": (SEMICOLONS, "separated by semicolons, with decimal commas"),
    "tabs": (lambda text: text.replace(",", "\t"), "separated by tabs"),
    "blanks": (lambda text: text.replace(",", "  "), r"separated by blanks, .* sep='\\s\+'"),
    "Visual3D": (lambda text: "\r\n".join([*V3D, *(f"{i}\t1.5\t{i}" for i in range(1, 9))]),
                 "separated by tabs, .* 5 rows above its numbers, expected one row"),
    "ActiGraph": (_above("--- Data File ---", "Serial Number: X1", "Start Time 17:33:00", "---"),
                  "has 4 lines above its header: .* row 5, 'time,knee,hip'; delete the lines above it"),
    "Empatica E4": (lambda text: "0.000000\n4.000000\n" + "1.5\n2.5\n1.5\n2.0\n" * 3, "no header, .* Empatica E4"),
    "Empatica E4, three axes": (lambda text: "0.0,0.0,0.0\n32.0,32.0,32.0\n" + "1,2,3\n2,2,1\n" * 4, "Empatica E4"),
    "units": (_below_header("s,deg,deg"), "row 2: column 'time' holds 's', .* seems to hold units .* delete it"),
    "decimal commas": (lambda text: text.replace("time,knee,hip", "knee,hip").replace(".", ","),
                       "row 2 has 6 cells, expected 2|row 2 has"),
    "double": (lambda text: "a,b\n" + "1,5,2,5\n" * 6, "row 2 has 4 cells, expected 2 .* decimal commas"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_trial_files_that_are_no_plain_csv(case: str, tmp_path: Path) -> None:
    spoil, expected = FILES[case]
    source = write_folder(long_frame(), tmp_path)
    for path in tmp_path.rglob("*.csv"):
        path.write_text(spoil(path.read_text()))
    with pytest.raises(UserError, match=expected) as caught:
        load_source(source)
    assert str(caught.value).startswith("participants/S1/fear/t0.csv")
    assert "\n" not in str(caught.value)


def test_a_later_file_without_a_header_loses_no_sample(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    path = trial_file(source, "S3", "calm", "t0")
    path.write_text(_without_header(path.read_text()))
    with pytest.raises(UserError, match=r"S3/calm/t0\.csv has no header, its first line holds numbers"):
        load_source(source)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8 text: it seems to be UTF-16, .* save it as 'CSV UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
        ("ä,b\n1,2\n".encode("latin-1"), "not UTF-8 text: byte 0xe4 at offset 0; save it as 'CSV UTF-8"),
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
