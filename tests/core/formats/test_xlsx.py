"""Excel workbooks: the study that CSV is, names as text, one table, and whatever cannot be taken for one."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.load import load_source
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.formats.helpers import read, values, write_study
from tests.core.readers.helpers import long_frame, write_folder, write_table

openpyxl = pytest.importorskip("openpyxl")
pytest.importorskip("python_calamine")
Rows = list[list[Any]]
PLAIN: Rows = [["time", "knee", "hip"], [0.0, 1.5, 2], [0.5, 2.5, -3], [1.0, 3.5, 1e-7]]


def write_xlsx(frame: pd.DataFrame, path: Path) -> None:
    """A sheet with a header."""
    book(path, {"Sheet": [list(frame.columns), *frame.to_numpy().tolist()]})


def book(path: Path, sheets: dict[str, Rows], change: Callable[[Any], None] = lambda _: None) -> Path:
    """A workbook of these rows."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(workbook)
    workbook.save(path)
    return path


def test_a_folder_and_a_table_are_the_study_that_csv_is(tmp_path: Path) -> None:
    frame = long_frame()
    folder = load_source(write_study(frame, tmp_path / "xlsx", ".xlsx", write_xlsx))
    assert folder.digest() == load_source(write_folder(frame, tmp_path / "csv")).digest()
    assert folder.notes[0] == "Read 8 files as Excel."
    write_xlsx(frame, tmp_path / "study.xlsx")
    table = load_source(str(tmp_path / "study.xlsx"))
    assert table.digest() == load_source(write_table(frame, tmp_path / "study.csv")).digest()


def test_names_stay_as_they_are_written(tmp_path: Path) -> None:
    rows: Rows = [["subject", "trial", "knee"], ["007", 7, 0.5], ["08", 8.5, None], [9, "x", 2]]
    table = read(book(tmp_path / "a.xlsx", {"S": rows})).table
    assert table["subject"].to_pylist() == ["007", "08", "9"]
    assert table["trial"].to_pylist() == ["7", "8.5", "x"]
    np.testing.assert_array_equal(table["knee"].to_numpy(), [0.5, np.nan, 2.0])


def test_rows_above_the_header_units_and_blank_rows(tmp_path: Path) -> None:
    rows: Rows = [
        ["Gait laboratory"],
        [],
        [None, "time", "knee", "EMG", None],
        [None, "s", "[deg]", None, None],
        *([None, i / 10, i, 2 * i, None] for i in range(4)),
        [],
        *([None, i / 10, i, 2 * i, None] for i in range(4, 6)),
    ]
    table = read(book(tmp_path / "a.xlsx", {"S": rows}))
    assert table.table.column_names == ["time", "knee", "EMG"]
    np.testing.assert_array_equal(values(table, "knee")[:, 0], range(6))
    assert table.units == {"time": "s", "knee": "deg"}
    assert table.notes == ("Passed over 1 row above the header.",)
    assert table.lines is not None
    assert table.lines.tolist() == [5, 6, 7, 8, 10, 11]


def test_the_sheet_with_the_table_is_found(tmp_path: Path) -> None:
    people: Rows = [["subject", "age"], ["S1", 30], ["S2", 31]]
    path = book(tmp_path / "a.xlsx", {"Read me": [["Made in 2024"]], "People": people, "Data": PLAIN, "Empty": []})
    table = read(path)
    assert table.table.column_names == PLAIN[0]
    assert table.notes == ("Took the sheet 'Data'.",)
    book(path, {"A": PLAIN, "B": PLAIN, "C": people})
    with pytest.raises(UserError, match=r"a\.xlsx has tables in the sheets 'A', 'B', expected one; keep one"):
        read(path)
    book(path, {"A": [["only text"], ["more"]], "B": []})
    with pytest.raises(UserError, match=r"a\.xlsx has no sheet with a table \(its sheets: 'A', 'B'\)"):
        read(path)


def test_a_hidden_sheet_is_not_taken_for_one_that_is_seen(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Data": [row[1:] for row in PLAIN], "Raw": PLAIN})
    assert read(path).notes == ("Took the sheet 'Raw'.",)  # which has time
    workbook = openpyxl.load_workbook(path)
    workbook["Raw"].sheet_state = "hidden"
    workbook.save(path)
    assert read(path).notes == ("Took the sheet 'Data'.",)
    workbook["Data"].delete_rows(1, 50)
    workbook.save(path)
    assert read(path).notes == ("Took the sheet 'Raw'.",)


def test_numbers_that_are_stored_as_text_are_numbers(tmp_path: Path) -> None:
    rows: Rows = [["time", "knee"], *([str(i / 2), f"{i}.25"] for i in range(5))]
    path = tmp_path / "study" / "participants" / "S1" / "t.xlsx"
    path.parent.mkdir(parents=True)
    book(path, {"S": rows})
    recorded = read_source(str(tmp_path / "study"))
    assert recorded.recordings[0].values[:, 0].tolist() == [0.25, 1.25, 2.25, 3.25, 4.25]
    book(path, {"S": [rows[0], *([0.5 * i, f"{i},25"] for i in range(5))]})
    with pytest.raises(UserError, match=r"t\.xlsx, row 2: column 'knee' holds '0,25', expected a number"):
        read_source(str(tmp_path / "study"))


def test_times_of_day_become_seconds_and_dates_elsewhere_are_refused(tmp_path: Path) -> None:
    start = datetime.datetime(2024, 5, 1, 10, 0, 0)
    rows: Rows = [["Time", "knee"], *([start + datetime.timedelta(seconds=i / 2), i] for i in range(4))]
    table = read(book(tmp_path / "a.xlsx", {"S": rows}))
    np.testing.assert_allclose(np.diff(values(table, "Time")[:, 0]), 0.5, atol=2e-3)
    assert table.notes == ("Dates and times in 'Time' are taken in seconds.",)
    rows = [["trial", "knee"], [datetime.date(2024, 2, 1), 1.0], ["x", 2.0]]
    path = book(tmp_path / "b.xlsx", {"S": rows})
    with pytest.raises(UserError, match=r"b\.xlsx, row 2: column 'trial' holds the date or time 2024-02-01"):
        read(path)
    assert read(path, ("trial",)).table.column_names == ["trial", "knee"]


def _formula(workbook: Any) -> None:
    workbook["S"]["C3"] = "=B3*2"


def _merged(workbook: Any) -> None:
    workbook["S"].merge_cells("A2:A4")


def _far(workbook: Any) -> None:
    workbook["S"]["XFD900000"] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_formula, r"has formulas without values \(in C3 of 'sheet1\.xml'\), .*: open it in Excel and save it"),
        (_merged, r"the sheet 'S' has merged cells \(A2:A4\), .*; unmerge them"),
        (_far, r"a sheet holds 13 cells, but spans 900,000 rows and 16,384 columns: a cell lies far"),
    ],
)
def test_what_has_no_value_of_its_own_is_refused(change: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"a\.xlsx:? {message}"):
        read(book(tmp_path / "a.xlsx", {"S": PLAIN}, change))


def _changed(raw: bytes, member: str, old: bytes, new: bytes) -> bytes:
    """A workbook with a member changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            assert name != member or old in content
            after.writestr(name, content.replace(old, new) if name == member else content)
    return changed.getvalue()


def test_formulas_with_values_are_values(tmp_path: Path) -> None:
    path, sheet = book(tmp_path / "a.xlsx", {"S": PLAIN}, _formula), "xl/worksheets/sheet1.xml"
    raw = path.read_bytes()
    path.write_bytes(_changed(raw, sheet, b"<f>B3*2</f><v />", b"<f>B3*2</f><v>5</v>"))
    assert values(read(path), "hip")[:, 0].tolist() == [2, 5, 1e-7]
    path.write_bytes(_changed(raw, sheet, b"<f>B3*2</f><v />", b"<f>B3*2</f>"))
    with pytest.raises(UserError, match=r"formulas without values \(in C3"):
        read(path)


def test_texts_that_cells_share_are_read_as_excel_writes_them(tmp_path: Path) -> None:
    """openpyxl writes texts into cells; Excel numbers them, and keeps them in a part of their own."""
    rows: Rows = [["subject", "time", "knee"], ["007", 0.0, 1.5], ["007", 0.5, 2.5], ["a & b", 1.0, 3.5]]
    raw = book(tmp_path / "a.xlsx", {"S": rows}).read_bytes()
    texts = ["subject", "time", "knee", "007", "a &amp; b"]
    for i, text in enumerate(texts):
        old = f't="inlineStr"><is><t>{text}</t></is></c>'.encode()
        raw = _changed(raw, "xl/worksheets/sheet1.xml", old, f't="s"><v>{i}</v></c>'.encode())
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    link = f'<Relationship Id="rId99" Type="{kind}" Target="sharedStrings.xml"/></Relationships>'.encode()
    raw = _changed(raw, "xl/_rels/workbook.xml.rels", b"</Relationships>", link)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as after, zipfile.ZipFile(io.BytesIO(raw)) as before:
        for name in before.namelist():
            after.writestr(name, before.read(name))
        items = "".join(f"<si><t>{text}</t></si>" for text in texts)
        space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        after.writestr("xl/sharedStrings.xml", f'<?xml version="1.0"?><sst {space}>{items}</sst>')
        after.writestr("xl/printerSettings/printerSettings1.bin", b"\0\1")
    table = read(tmp_path / "a.xlsx").table
    assert table.to_pydict() == {"subject": ["007", "007", "a & b"], "time": [0.0, 0.5, 1.0], "knee": [1.5, 2.5, 3.5]}


def test_parts_that_hide_what_they_are_are_not_read(tmp_path: Path) -> None:
    raw = book(tmp_path / "a.xlsx", {"S": PLAIN}, _far).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as after, zipfile.ZipFile(io.BytesIO(raw)) as before:
        for name in before.namelist():
            content = before.read(name)
            hidden = name.endswith("sheet1.xml")
            content = content.decode().encode("utf-16") if hidden else content.replace(b"sheet1.xml", b"sheet1.bin")
            after.writestr(name.replace("sheet1.xml", "sheet1.bin"), content)
    with pytest.raises(UserError, match=r"a\.xlsx (is not a readable Excel file|has no sheet with a table)"):
        read(tmp_path / "a.xlsx")


def test_texts_that_repeat_without_end_are_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"S": PLAIN})
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (i, i) for i in range(5, 100_000))
    raw = _changed(path.read_bytes(), "xl/worksheets/sheet1.xml", b"</sheetData>", cells + b"</sheetData>")
    text = b"<si><t>" + b"x" * 10_000_000 + b"</t></si>"
    raw = _changed(raw, "xl/workbook.xml", b"</workbook>", b"</workbook>" + text)
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"a\.xlsx has texts of up to 10,000,.* bytes in 99,995 cells"):
        read(path)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"hello", "it is no workbook"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "it is locked with a password, or an old workbook"),
        (b"PK\x03\x04" + b"\0" * 600, "not a readable Excel file"),
    ],
)
def test_what_is_no_workbook(raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(raw)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "a.xlsx")


def test_a_truncated_workbook_is_one_line(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"S": PLAIN})
    raw = path.read_bytes()
    for end in range(4, len(raw), 311):
        path.write_bytes(raw[:end])
        with pytest.raises(UserError, match=r"a\.xlsx is not a readable Excel file"):
            read(path)


@pytest.mark.slow
def test_many_rows_take_seconds(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("S")
    sheet.append(["subject", "label", "trial", "time", *(f"f{i}" for i in range(8))])
    cells = np.random.default_rng(0).normal(size=(200_000, 8)).tolist()
    for i, row in enumerate(cells):
        sheet.append([f"S{i // 20_000}", "fear", i // 1000, (i % 1000) / 100, *row])
    workbook.save(tmp_path / "a.xlsx")
    start = datetime.datetime.now()
    assert read(tmp_path / "a.xlsx").table.num_rows == 200_000
    print(datetime.datetime.now() - start)
    assert (datetime.datetime.now() - start).total_seconds() < 60
