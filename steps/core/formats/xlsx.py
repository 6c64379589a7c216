"""Excel workbooks: the sheet that holds the table, its cells as text and numbers.

calamine lays a sheet out as one rectangle up to its last cell, and repeats a text for every cell that has it; both are
worked out from the XML first, because a cell far away, or a text of megabytes, would fill the memory.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from steps.core.formats.archive import unpacked
from steps.core.formats.cells import Row, is_table, table_of
from steps.core.formats.file_table import FileTable, RawFile
from steps.errors import UserError, listed, shown
from steps.system.untrusted_files import check_memory

_TITLE: Final = "Excel"
_AGAIN: Final = "save it again as .xlsx"
_CELL: Final = 40  # bytes that a cell takes
_SPREAD: Final = 1000  # how many times as many cells a sheet may span as it holds
_SMALL: Final = 1 << 20
_TEXT: Final = 64 << 20
_MOST_ROWS, _MOST_COLUMNS = 1 << 20, 1 << 14
_WIDE: Final = re.compile(rb"""\br\s*=\s*["']\s*[A-Za-z]{3}""")
_COLUMN: Final = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]+)\d""")
_ROW: Final = re.compile(rb"""\br\s*=\s*["']\s*[A-Za-z]*(\d+)""")
_TWO_LETTERS: Final = 26 * 27
# A cell with a formula and no value; that of a formula of text may be empty.
_NO_VALUE: Final = re.compile(
    rb"""<(?:\w+:)?c\b(?![^>]*\bt\s*=\s*["']str)([^>]*)>\s*"""
    rb"""<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"""
    rb"""(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]+\d+)""")
_SHARED: Final = re.compile(rb"""\bt\s*=\s*["']\s*s\s*["']""")
_END_OF_TEXT: Final = re.compile(rb"</(?:\w+:)?si\s*>")


def read_xlsx(file: RawFile) -> FileTable:
    """The only sheet of a workbook that holds a table; where several do, the only one of them with a column for time.

    Hidden sheets count only where no other holds a table.

    Raises:
        UserError: it is damaged or locked, no sheet or several hold a table, or the table has formulas without values,
            or merged cells.
    """
    import python_calamine as calamine

    if not file.raw.startswith(b"PK"):
        what = (
            "locked with a password, or an old workbook (.xls)" if file.raw.startswith(b"\xd0\xcf") else "no workbook"
        )
        raise UserError(f"{file.name} is not a readable {_TITLE} file: it is {what}; {_AGAIN} without a password")
    members = unpacked(file, _TITLE, _AGAIN, lambda name: name.lower().endswith((".xml", ".rels")))
    _check(members, file)
    try:
        with calamine.CalamineWorkbook.from_filelike(_stored(members)) as workbook:
            found = [one for one in workbook.sheets_metadata if one.typ == calamine.SheetTypeEnum.WorkSheet]
            sheets = {one.name: workbook.get_sheet_by_name(one.name) for one in found}
            heads = {name: list(_rows(sheet, 40)) for name, sheet in sheets.items()}
            seen = {one.name for one in found if one.visible == calamine.SheetVisibleEnum.Visible}
            if any(is_table(heads[name]) for name in seen):
                heads = {name: rows for name, rows in heads.items() if name in seen}
            name = _choose(heads, file)
            sheet = sheets[name]
            if merged := sheet.merged_cell_ranges:
                (top, left), (bottom, right) = merged[0]
                cells = f"{_cell(top, left)}:{_cell(bottom, right)}"
                raise UserError(
                    f"{file.name}: the sheet {shown(name)} has merged cells ({cells}), expected a value of its own in "
                    "every cell; unmerge them"
                )
            where = f"the sheet {shown(name)}" if len(sheets) > 1 else ""
            return table_of(_rows(sheet), file, _TITLE, where)
    except (calamine.CalamineError, calamine.XmlError, calamine.ZipError) as error:
        raise UserError(f"{file.name} is not a readable {_TITLE} file: {error}; {_AGAIN}") from error


def _rows(sheet: Any, most: int | None = None) -> Iterator[Row]:
    """Rows of a sheet with their numbers, from 1; of the first ``most`` only."""
    if sheet.start is None:
        return
    top = sheet.start[0]
    for i, cells in enumerate(sheet.iter_rows()):
        if most is not None and i >= most:
            return
        yield top + i + 1, cells


def _choose(heads: dict[str, list[Row]], file: RawFile) -> str:
    tables = [name for name, rows in heads.items() if is_table(rows)]
    timed = [name for name in tables if is_table(heads[name], with_time=True)]
    found = tables if len(tables) == 1 else timed
    if len(found) == 1:
        return found[0]
    if not tables:
        raise UserError(
            f"{file.name} has no sheet with a table (its sheets: {listed(list(heads))}), expected a row with the names "
            "of the columns and numbers below it"
        )
    raise UserError(
        f"{file.name} has tables in the sheets {listed(found or tables)}, expected one; keep one, and save the "
        "others in a workbook of their own"
    )


def _check(members: Mapping[str, bytes], file: RawFile) -> None:
    """Refuse what would take far more memory laid out than it has bytes, and formulas that were never worked out."""
    longest = texts = 0
    for name, xml in members.items():
        if b"\0" in xml or b"<!DOCTYPE" in xml:
            raise UserError(f"{file.name} is not a readable {_TITLE} file: {shown(name)} is no XML in UTF-8; {_AGAIN}")
        if b"sheetData" in xml:
            _check_extent(xml, file)
            _check_formulas(xml, name, file)
            texts += len(_SHARED.findall(xml))
        ends = [found.end() for found in _END_OF_TEXT.finditer(xml)]
        longest = max([longest, *(stop - start for start, stop in pairwise([0, *ends]))])
    if longest * texts > _TEXT:
        check_memory(longest * texts, f"{file.name} has texts of up to {longest:,} bytes in {texts:,} cells")


def _check_extent(xml: bytes, file: RawFile) -> None:
    cells = sum(xml.count(begin) for begin in (b"<c ", b":c ", b"<c>", b":c>"))
    rows = max((int(one[:12]) for one in set(_ROW.findall(xml))), default=1)
    columns = _TWO_LETTERS
    if rows * columns > _SMALL or _WIDE.search(xml):
        columns = max((_number(one[:4]) for one in set(_COLUMN.findall(xml))), default=1)
    extent, what = rows * columns, f"{rows:,} rows and {columns:,} columns"
    if rows > _MOST_ROWS or columns > _MOST_COLUMNS or extent > max(_SMALL, _SPREAD * cells):
        raise UserError(f"{file.name}: a sheet holds {cells:,} cells, but spans {what}: a cell lies far off; delete it")
    if extent > _SMALL:
        check_memory(_CELL * extent, f"{file.name} has a sheet of {what}")


def _check_formulas(xml: bytes, name: str, file: RawFile) -> None:
    if (b"<f" in xml or b":f" in xml) and (missing := _NO_VALUE.search(xml)):
        place = _REFERENCE.search(missing[1])
        raise UserError(
            f"{file.name} has formulas without values (in {place[1].decode() if place else 'a cell'} of "
            f"{shown(name.rpartition('/')[2])}), as programs write that cannot work them out: open it in Excel and "
            "save it, or put values in their place"
        )


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - 64
    return number


def _cell(row: int, column: int) -> str:
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _stored(members: dict[str, bytes]) -> io.BytesIO:
    """The same members as an archive that needs no unpacking: what was looked at is what is read."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(zipfile.ZipInfo(name), content)
    archive.seek(0)
    return archive
