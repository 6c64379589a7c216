"""How a text is to be read: recognised by its beginning, described in a few words, and compared with that of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from steps.core.formats.text.decimal_marks import decimal_mark
from steps.core.formats.text.encoding import decoded
from steps.core.formats.text.head import COMMENT_LINES, Row, head_of, split
from steps.core.formats.text.header import find_layout
from steps.core.formats.text.known.table import known_layout
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import COMMA, POINT
from steps.core.formats.text.separators import SEPARATORS, Separation, find_separation
from steps.errors import UserError, shown

_MARKS: Final = {POINT: "decimal points", COMMA: "decimal commas"}


@dataclass(frozen=True)
class Dialect:
    """How a text is to be read.

    Attributes:
        layout: where its table lies.
        encoding: what it is in, None for ASCII, "" for UTF-8.
        has_comments: whether lines that begin with ``#``, ``%`` or ``//`` are comments.
        has_times: whether times are written as times of day.
        is_wide: whether a row was a trial, with its samples side by side.
    """

    layout: Layout
    encoding: str | None = None
    has_comments: bool = False
    has_times: bool = False
    is_wide: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is what CSV files are by themselves: commas, points, UTF-8, one row of names at the top."""
        return not self.described

    @property
    def is_like_its_header(self) -> bool:
        """Whether another text with the very same lines above its numbers is read in the same way."""
        layout = self.layout
        return bool(layout.header_rows) and not layout.more and layout.rows is None and layout.end is None

    @property
    def described(self) -> str:
        """In a few words, without what may differ from file to file; "" for a plain CSV file."""
        layout = self.layout
        encoding = f"in {self.encoding}" if self.encoding else ""
        marks = [
            SEPARATORS[layout.separator] if layout.separator not in (COMMA, "") else "",
            _MARKS[COMMA] if layout.decimal == COMMA else "",
        ]
        times = "times of day" if self.has_times else ""
        if layout.kind:
            usual = layout.separator == "\t" or layout.kind == "OpenSim"
            parts = (layout.kind, layout.about, encoding, *marks[1 if usual else 0 :], times)
            return ", ".join(filter(None, parts))
        names = f"names in {layout.header_rows} rows" if layout.header_rows else "names from columns"
        if layout.header_rows == 1:
            names = "lines above its names" if layout.has_block else ""
        features = (
            *marks,
            names,
            "a row of units" if layout.units else "",
            "names of rows" if layout.left_out else "",
            times,
            "a row per trial" if self.is_wide else "",
            "comments" if self.has_comments else "",
        )
        told = ", ".join(filter(None, features))
        return " ".join(filter(None, ("text", encoding, f"with {told}" if told else ""))) if encoding or told else ""

    @property
    def shown(self) -> str:
        """In a few words, for an error that compares two."""
        return self.described or "plain CSV"


PLAIN: Final = Dialect(Layout(COMMA, (), 1, decimal=POINT))


def recognise(raw: bytes, name: str, columns: Sequence[str] = ()) -> Dialect | None:
    """How a text is to be read; None where it is nothing that is known, or damaged.

    Args:
        raw: the bytes of the file.
        name: what messages call it.
        columns: names of its columns, if it has none.

    Raises:
        UserError: it is no text, can be read in two ways, or its numbers are written in two ways.
    """
    text, encoding = decoded(raw, name)
    return recognise_text(text, encoding, name, columns)


def recognise_text(text: bytes, encoding: str | None, name: str, columns: Sequence[str] = ()) -> Dialect | None:
    """As `recognise`, of a text that is in UTF-8 and was in ``encoding``."""
    head = head_of(text)
    layout = known_layout(head, name, columns)
    if layout is None:
        rows = head.rows()
        separation = find_separation(rows, head.separator)
        layout = find_layout(head, rows, separation) if separation else None
        if layout is None or separation is None:
            return None
        _check_decimal_commas(rows, layout, separation, name, columns)
        numbers = [row for row in rows if row.line >= layout.first]
        layout = replace(layout, decimal=decimal_mark(text, numbers, separation, name))
        if not layout.names and columns:
            layout = _called(layout, columns, separation.width, name)
        elif layout.names and columns:
            raise UserError(
                f"{name} has the names of its columns in row {layout.header + 1}, so columns=none is expected; columns "
                "is for files without names"
            )
    if len(set(layout.names)) < len(layout.names):
        twice = next(column for column in layout.names if layout.names.count(column) > 1)
        raise UserError(f"{name} has two columns named {shown(twice)}, expected different names")
    has_comments = COMMENT_LINES.search(b"\n" + text) is not None
    return Dialect(layout, encoding, has_comments)


def alike(one: Dialect, other: Dialect) -> bool:
    """Whether two files are read in the same way; what one of them says nothing of makes no difference."""

    def essence(dialect: Dialect, like: Dialect) -> tuple[object, ...]:
        layout = dialect.layout
        return (
            layout.kind,
            layout.about,
            layout.separator or like.layout.separator,
            layout.decimal or like.layout.decimal,
            like.encoding if dialect.encoding is None else dialect.encoding,
            layout.header_rows,
            dict(layout.units),
        )

    return essence(one, other) == essence(other, one)


def merged(one: Dialect, other: Dialect) -> Dialect:
    """What two files that are read in the same way say together."""
    layout = replace(
        one.layout,
        separator=one.layout.separator or other.layout.separator,
        decimal=one.layout.decimal or other.layout.decimal,
    )
    encoding = other.encoding if one.encoding is None else one.encoding
    return Dialect(layout, encoding, one.has_comments or other.has_comments, one.has_times or other.has_times)


def _called(layout: Layout, columns: Sequence[str], width: int, name: str) -> Layout:
    if len(columns) != width:
        raise UserError(
            f"{name}, row {layout.first + 1} has {width} cells, but columns has {len(columns)} names; expected a name "
            "for each column of the file"
        )
    return replace(layout, names=tuple(columns))


def _check_decimal_commas(
    rows: Sequence[Row], layout: Layout, separation: Separation, name: str, columns: Sequence[str]
) -> None:
    """Refuse 1,5,2,5 below two names: two numbers with decimal commas, or four."""
    if separation.separator != COMMA or separation.width % 2:
        return
    above = [row for row in rows if row.line < layout.first]
    count = len(columns) if columns else len(split(above[-1].text, COMMA)) if above else 0
    row = next(row for row in rows if row.line == layout.first)
    cells = split(row.text, COMMA)
    if 2 * count != separation.width or not all(cell.isdigit() for cell in cells[1::2]):
        return
    as_commas = " | ".join(f"{whole}.{part}" for whole, part in zip(cells[::2], cells[1::2], strict=True))
    raise UserError(
        f"{name}, row {row.line + 1} can be read in two ways: {shown(row.text)} is {shown(as_commas)} with decimal "
        f"commas, of {count} columns as there are names, or {separation.width} numbers; save it with decimal points, "
        "or with semicolons between the columns"
    )
