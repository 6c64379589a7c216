"""What a file that is no plain CSV seems to be, and how to save it so that it is one.

Nothing here reads recordings: it is asked when a file could not be read, or when its first line is no header.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence

from steps.core.readers.columns import Lines
from steps.errors import UserError, shown

_LOOK_BYTES, _LOOK_LINES = 1 << 16, 60
_MAGIC = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 or MATLAB file",
    b"MATLAB 5": "a MATLAB file",
}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}
_NAME_THEM = "name them: columns=time,knee,hip"
_SAVE = "save it as 'CSV UTF-8 (comma delimited)'"
_E4_RATES = {1.0, 4.0, 32.0, 64.0}


def check_encoding(raw: bytes, name: str) -> None:
    """Check that a file holds text in UTF-8.

    Raises:
        UserError: it is something else; the message says what it seems to be.
    """
    for magic, what in _MAGIC.items():
        if raw.startswith(magic):
            raise UserError(f"{name} is not a CSV file: it seems to be {what}; {_SAVE} with the program that wrote it")
    if raw.startswith(_UTF_16) or b"\0" in raw[:64]:
        raise UserError(
            f"{name} is not UTF-8 text: it seems to be UTF-16, as the 'Unicode text' of Excel is; {_SAVE} instead"
        )
    try:
        if not raw.isascii():
            raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 text: byte 0x{raw[error.start]:02x} at offset {error.start}; {_SAVE}"
        ) from error


def check_header(names: Sequence[str], raw: bytes, name: str) -> None:
    """Check that the first line of a CSV file names something: numbers are the first sample.

    Raises:
        UserError: it holds numbers only.
    """
    if not all(_is_number(cell) for cell in names):
        return
    rows = [[_number(cell) for cell in row] for row in _split(_first_lines(raw)[:2], ",")]
    first, second = rows if len(rows) == 2 else (rows[0], [])
    if len(set(first)) == 1 and len(set(second)) == 1 and second[0] in _E4_RATES and len(first) == len(second):
        hint = (
            "if it comes from an Empatica E4, whose first two lines are the start time and the sampling rate, call it "
            "as its signal is called: EDA.csv, TEMP.csv, BVP.csv, HR.csv or ACC.csv"
        )
    else:
        hint = (
            "put a line with the names of the columns above it (numbers alone are no names: write f0, not 0), or "
            f"{_NAME_THEM}"
        )
    raise UserError(f"{name} has no header, its first line holds numbers: {shown(','.join(names))}; {hint}")


def explain(error: str, raw: bytes, name: str, lines: Lines | None = None) -> str:
    """What seems to be the matter with a CSV file that could not be read, and what to do; else ``error``.

    Args:
        error: why it could not be read.
        raw: its text, without blank lines.
        name: what messages call it.
        lines: number of each line in the file, if blank ones were left out.
    """
    text = _first_lines(raw)
    separator = _separator(text)
    if separator is None:
        return error
    rows = _split(text, separator)
    width = _usual_width(rows[len(rows) // 2 :])[0]
    above = _rows_above_numbers(rows, width)
    number = [int(lines[i]) if lines is not None else i + 1 for i in range(len(rows))]
    if separator != ",":
        return _otherwise_separated(text, name, separator, rows, above, number)
    if above is None:
        return error
    if above == 0:
        return (
            f"{name} has no header: its first line, {shown(text[0])}, is like those below; put a line with the names "
            f"of the columns above it, or {_NAME_THEM}"
        )
    if above == 1:
        if width == 2 * len(rows[0]):
            return f"{error}; twice as many look like decimal commas: {_SAVE} with decimal points"
        return error
    if len(rows[0]) < width and all(map(_is_number, rows[above - 1])):
        return f"{error}; more cells than names look like decimal commas: {_SAVE} with decimal points"
    if len(rows[0]) != width:
        return (
            f"{name} has {above - 1} lines above its header: the names of the columns seem to stand in row "
            f"{number[above - 1]}, {shown(text[above - 1])}; delete the lines above it"
        )
    if above == 2:
        return (
            f"{error}; row {number[1]}, {shown(text[1])}, seems to hold units or to be a second header: delete it (a "
            "unit may follow the name of its column, as in 'knee_x [deg]')"
        )
    return (
        f"{name} has {above} rows above its numbers, which begin in row {number[above]}; expected one row with the "
        "names of the columns"
    )


def is_text(raw: bytes, column: int) -> bool:
    """Whether a column of a CSV file, by its place, holds no number as far as a look goes."""
    rows = _split(_first_lines(raw), ",")[1:]
    return len(rows) > 1 and not any(_is_number(row[column]) for row in rows if len(row) > column)


def _otherwise_separated(
    text: Sequence[str],
    name: str,
    separator: str,
    rows: Sequence[Sequence[str]],
    above: int | None,
    number: Sequence[int],
) -> str:
    """What is the matter with a text that is separated by something else than commas, and could not be read."""
    word = _SEPARATORS[separator]
    width = _usual_width(rows[len(rows) // 2 :])[0]
    odd = next((i for i, row in enumerate(rows) if i > (above or 0) and len(row) != width), None)
    if above == 0:
        return (
            f"{name} has no header: its first line, {shown(text[0])}, is like those below; put a line with the names "
            f"of the columns above it, or {_NAME_THEM}"
        )
    if odd is not None:
        return f"{name}, row {number[odd]} has {len(rows[odd])} cells, expected {width} as in most of its rows"
    return (
        f"{name} is separated by {word}, but is no table that can be read: expected a row with the names of the "
        "columns above rows of numbers that are alike"
    )


def _first_lines(raw: bytes) -> list[str]:
    text = [line.rstrip("\r") for line in raw[:_LOOK_BYTES].decode("utf-8-sig", "replace").rstrip("\n").split("\n")]
    return text[:_LOOK_LINES] if len(raw) <= _LOOK_BYTES or len(text) == 1 else text[:-1][:_LOOK_LINES]


def _split(text: Sequence[str], separator: str) -> list[list[str]]:
    if separator == " ":
        return [line.split() for line in text]
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(text, delimiter=separator)]
    except csv.Error:
        return [line.split(separator) for line in text]


def _separator(text: Sequence[str]) -> str | None:
    """What separates most of the lines that are surely below a header; a comma where nothing does."""
    below = text[len(text) // 2 :]

    def fits(separator: str) -> bool:
        width, share = _usual_width(_split(below, separator))
        return width > 1 and share > 0.6

    def fits_header(separator: str) -> bool:
        return _usual_width(_split(below, separator))[0] == len(_split(text[:1], separator)[0])

    commas = fits(",") and fits_header(",")
    for separator in _SEPARATORS:
        if fits(separator) and (not commas or fits_header(separator)):  # comments may hold any separator
            return separator
    return "," if all(len(row) == 1 for row in _split(below, ",")) else None


def _usual_width(rows: Sequence[Sequence[str]]) -> tuple[int, float]:
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    return width, count / len(rows)


def _rows_above_numbers(rows: Sequence[Sequence[str]], width: int) -> int | None:
    """How many rows stand above the first row of numbers; None where there seem to be no numbers."""
    below = [row for row in rows[len(rows) // 2 :] if len(row) == width]
    numeric = [i for i in range(width) if all(_is_number(row[i]) for row in below)]
    if not numeric:
        return None
    for above, row in enumerate(rows):
        cells = [row[i] for i in numeric if row[i]] if len(row) == width else []
        numeric_cells = [_is_number(cell) for cell in cells]
        if (above > 0 and len(row) == width and not cells) or (
            numeric_cells and (all if above == 0 else any)(numeric_cells)
        ):
            return above
    return None


def _number(cell: str) -> float | None:
    try:
        return float(cell.strip().replace(",", ".", 1))
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    # "nan" and "inf" may be names, and so may "1_0".
    return _number(cell) is not None and "_" not in cell and not cell.strip().isalpha()
