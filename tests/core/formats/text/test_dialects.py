"""The same table in whatever dialect gives the same values; a text that can be read in two ways is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from steps.core.formats.text.dialect import recognise
from steps.core.formats.text.read import read_any
from steps.errors import UserError
from tests.core.formats.text.helpers import Written, frame_of, numbers, read

WRITTEN = st.builds(
    Written,
    separator=st.sampled_from(",;\t| "),
    decimal=st.sampled_from(".,"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]),
    quote=st.sampled_from(["", "names", "all"]),
    comments=st.sampled_from(["", "#", "%", "//"]),
    preamble=st.integers(0, 12),
    units=st.booleans(),
    trailing=st.booleans(),
    blank_lines=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    sep_line=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(written=WRITTEN, rows=st.integers(4, 12), columns=st.integers(1, 4), seed=st.integers(0, 1000))
def test_a_table_is_the_same_in_every_dialect(written: Written, rows: int, columns: int, seed: int) -> None:
    assume(not (written.separator == "," and written.decimal == "," and written.quote != "all"))
    assume(written.separator != " " or (written.quote and not written.trailing))
    frame = frame_of(rows, columns, seed)
    if written.quote:
        frame = frame.rename(columns={"f1": "hip, left; a|b (x y)"})
    units = ["-", "s", *["m/s^2"] * columns]
    table, dialect = read(written.raw(frame, units))
    expected = [column for column in frame if column != "subject"]
    assert table.table.column_names[: len(frame.columns)] == list(frame.columns)
    assert table.table["subject"].to_pylist() == list(frame["subject"])
    for column in expected:
        np.testing.assert_array_equal(
            table.table[column].to_numpy(), [float(f"{value:.6g}") for value in frame[column]], strict=True
        )
    assert table.units == (dict(zip(frame.columns[1:], units[1:], strict=True)) if written.units else {})
    # What is said is what was written.
    said = table.read_as
    for mark, word in {";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}.items():
        assert (word in said) == (written.separator == mark)
    assert ("decimal commas" in said) == (written.decimal == ",")
    assert ("UTF-16" in said) == written.encoding.startswith("utf-16")
    assert ("cp1252" in said) == (written.encoding in ("cp1252", "latin-1"))
    assert ("units" in said) == written.units
    assert ("lines above" in said) == (written.preamble > 0)
    # Rows are numbered as an editor shows them.
    lines = written.text(frame, units).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    last = table.first_row + rows - 1 if table.lines is None else int(table.lines[-1])
    assert lines[last - 1].lstrip('"').startswith(frame["subject"].iloc[-1])
    assert dialect.described == said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a;b\n1,234;5,678\n2,345;6,789\n",
            r"t\.csv can be read in two ways: in row 2, '1,234' is 1\.234 .* or 1234 with",
        ),
        (
            "a,b\n1,5,2,5\n2,5,3,5\n",
            r"row 2 can be read in two ways: '1,5,2,5' is '1\.5 \| 2\.5' with decimal .* or 4 num",
        ),
        ("a\n1,5\n2,5\n3,5\n", r"row 2 can be read in two ways: '1,5' is '1\.5' with decimal commas, .* or 2 numbers"),
        ("a;b\n1,5;2.5\n2,5;3.5\n", r"decimal points \(row 2: '2\.5'\) and with decimal commas \(row 2: '1,5'\)"),
        ("a;b\n1.234,5;2\n1.234,5;3\n", r"row 2 holds '1\.234,5', with marks between thousands; expected"),
        ('a,b\n"1,234.5",2\n"1,234.5",3\n', r"row 2 holds '1,234\.5', with marks between thousands"),
    ],
)
def test_two_readings_are_refused_and_both_are_shown(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_any(text.encode(), "t.csv")


@pytest.mark.parametrize("settling", ["0,123;1", "1,23;1", "1234,5;1", "1,2345;1", "12,5e3;1"])
def test_one_number_anywhere_tells_decimal_commas(settling: str) -> None:
    text = "a;b\n" + "1,234;5,678\n" * 400 + settling + "\n"
    assert numbers(read(text.encode())[0], "a")[0][0] == 1.234


def test_what_is_nothing_known_is_left_to_others() -> None:
    for text in ("a,b\nx,y\nz,w\n", "", "\n\n", "just a line\n", "a,b\n1,2\nx,y\n3,4\n5,6\n7,8\n"):
        assert recognise(text.encode(), "t.csv") is None or read_any(text.encode(), "t.csv") is None
    dialect = recognise(b"a,b\n1,2\n3,4\n", "t.csv")
    assert dialect is not None
    assert dialect.is_plain


def test_names_of_a_headerless_file_are_given() -> None:
    text = "".join(f"{i};{i},5;{i},25\n" for i in range(5)).encode()
    assert read_any(text, "t.txt") is None
    table, _ = read(text, "t.txt", ("time", "knee", "hip"))
    assert table.first_row == 1
    assert numbers(table, "hip") == [[0.25, 1.25, 2.25, 3.25, 4.25]]
    with pytest.raises(UserError, match=r"row 1 has 3 cells, but columns has 2 names"):
        read_any(text, "t.txt", ("knee", "hip"))
    with pytest.raises(UserError, match=r"has the names of its columns in row 1"):
        read_any(b"x;y;z\n" + text, "t.txt", ("time", "knee", "hip"))
    with pytest.raises(UserError, match=r"row 1 can be read in two ways"):
        read_any(b"1,5,2,5\n2,5,3,5\n", "t.txt", ("a", "b"))


HEADERS = {
    "knee,,hip,\nx,y,x,y\n": ("knee_x", "knee_y", "hip_x", "hip_y"),
    "Study 5,,,\nknee,,hip,\nx,y,x,y\n": ("knee_x", "knee_y", "hip_x", "hip_y"),
    "S01,S01,S01,S01\ntime,a,b,c\n": ("time", "a", "b", "c"),
    "p,q,r,s\na,b,c,d\n": ("p_a", "q_b", "r_c", "s_d"),
    "time,knee,knee,hip\ntime,x,y,x\ns,deg,deg,deg\n": ("time", "knee_x", "knee_y", "hip_x"),
    "# a b c d\n": ("a", "b", "c", "d"),
    "%time,a,b,c\n": ("time", "a", "b", "c"),
    "Rate,100\na b c d\n": ("a", "b", "c", "d"),
    "Subject,S01,,\nAge,25,,\nRate,100,Hz,\na,b,c,d\n": ("a", "b", "c", "d"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_several_rows_of_names_are_joined(header: str) -> None:
    table, _ = read((header + "".join(f"{i}.5,{i},0,{i}\n" for i in range(6))).encode())
    assert tuple(table.table.column_names)[-4:] == HEADERS[header]


def test_keys_and_values_above_two_columns_are_no_names() -> None:
    rows = "".join(f"{i},5;{i}\n" for i in range(4))
    table, _ = read(f"Subject;S01\nAge;25\nSampling rate;50\nDevice;X\nFx;Fy\n{rows}".encode())
    assert table.table.column_names == ["time", "Fx", "Fy"]
    assert numbers(table, "time", "Fx")[0] == [0.0, 0.02, 0.04, 0.06]


def test_a_stated_rate_makes_time_where_there_is_none() -> None:
    rows = "".join(f"{i},{i}.5\n" for i in range(4))
    table, _ = read(f"Device X\nSampling rate: 50 Hz\na,b\n{rows}".encode())
    assert numbers(table, "time", "a") == [[0.0, 0.02, 0.04, 0.06], [0.0, 1.0, 2.0, 3.0]]
    assert "50 per second" in table.notes[0]
    with_time, _ = read(f"Device X\nSampling rate: 50 Hz\ntime,b\n{rows}".encode())
    assert numbers(with_time, "time") == [[0.0, 1.0, 2.0, 3.0]]
    two, _ = read(f"Sampling rate: 50 Hz\nSampling rate: 100 Hz\na,b\n{rows}".encode())
    assert two.table.column_names == ["a", "b"]
    filtered, _ = read(f"Cutoff frequency: 6 Hz\na,b\n{rows}".encode())
    assert filtered.table.column_names == ["a", "b"]


def test_names_with_leading_zeros_stay_text() -> None:
    table, _ = read(b"who;x\n007;1\n012;2\n")
    assert table.table["who"].to_pylist() == ["007", "012"]
    assert numbers(table, "x") == [[1.0, 2.0]]


def test_missing_numbers_and_text_among_numbers() -> None:
    rows = "".join(f"{i},5;{i}\n" for i in range(100))
    table, _ = read(f"a;b\n{rows}NaN;\n#N/A;x\n".encode())
    assert table.table["a"].null_count == 2
    assert table.table["b"].to_pylist()[-1] == "x"


def test_a_row_of_other_length_is_named() -> None:
    text = "# made by X\na;b\n" + "1,5;2,5\n" * 5 + "\n1,5;2,5;3\n"
    with pytest.raises(UserError, match=r"t\.csv, row 9 has 3 cells, expected 2 as in its header"):
        read_any(text.encode(), "t.csv")


def test_no_row_is_lost() -> None:
    """A row without numbers is a row, and so is one of somebody whose name begins as comments do."""
    rows = "".join(f"{i}.5;{i}\n" for i in range(4))
    table, _ = read(f"# made by X\na;b\n{rows};\n{rows};\n;\n".encode())
    assert table.table.num_rows == 9
    assert numbers(table, "b")[0][4] is None
    named = "subject;time;b\n" + "".join(f"{name};{i};{i},5\n" for name in ("P1", "#2", "P3") for i in range(4))
    assert read(named.encode())[0].table["subject"].to_pylist() == ["P1"] * 4 + ["#2"] * 4 + ["P3"] * 4
    assert recognise(named.replace("P1", "#1").encode(), "t.csv") is None


def test_a_row_of_empty_cells_between_tabs_is_a_sample() -> None:
    rows = [f"{i}.5\t{i}" for i in range(8)]
    table, _ = read("\n".join(["knee\thip", *rows[:4], "\t", *rows[4:]]).encode() + b"\n")
    assert numbers(table, "hip") == [[0, 1, 2, 3, None, 4, 5, 6, 7]]


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_table_is_not_passed_over_as_lines_above_another(separator: str) -> None:
    first = [separator.join(("time", "knee", "hip"))] + [separator.join((f"0.{i:02d}", "1", "2")) for i in range(30)]
    second = [separator.join(("time", "emg"))] + [separator.join((f"0.{i:02d}", "3")) for i in range(40)]
    assert read_any("\n".join([*first, "", *second, ""]).encode(), "t.csv") is None


def _rows(*cells: str) -> bytes:
    return "\n".join(["frame;adc", *(f"{i};{cell}" for i, cell in enumerate(cells)), ""]).encode()


@pytest.mark.parametrize("count", [20, 400])
def test_points_between_thousands_are_refused(count: int) -> None:
    small = [str(500 + i % 9) for i in range(count)]
    with pytest.raises(
        UserError, match=rf"two ways: in row {count + 2}, '1\.023' is 1\.023 .*or 1023 with a point bet"
    ):
        read_any(_rows(*small, "1.023", "987"), "t.csv")
    for settles in ("1.02", "0.987", "1234"):
        assert read(_rows(*small, "1.023", settles))[0].table["adc"][count].as_py() == 1.023
    assert read(_rows(*[f"{cell}.125" for cell in small]))[0].table["adc"][0].as_py() == 500.125
