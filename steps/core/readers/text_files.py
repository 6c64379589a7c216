"""CSV files, and texts of any other dialect: plain CSV is tried first, and read as ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from steps.core.formats.file_table import FileTable
from steps.core.formats.text.dialect import PLAIN, Dialect, alike, merged
from steps.core.formats.text.encoding import decoded, is_text
from steps.core.formats.text.marks import without_marks
from steps.core.formats.text.read import header_of, read_any, read_text
from steps.core.formats.wide import unfolded
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.columns import Parsed
from steps.core.readers.csv_file import parse_csv
from steps.core.readers.file_tables import Told, parse_file_table
from steps.errors import UserError

_HEAD: Final = 1 << 17
_LINES: Final = 30  # that tell


@dataclass
class Texts:
    """Reads the texts of one source, all of them in the same way.

    Attributes:
        told: receives what they say about themselves.
        choice: which columns are wanted, and what they are called where files do not say.
        required: columns that must be there.
        dialect: how they are read; None before the first.
        first: what messages call the first.
    """

    told: Told
    choice: Choice = EVERYTHING
    required: Sequence[str] = ()
    dialect: Dialect | None = None
    first: str = ""
    _before: tuple[bytes, Dialect] | None = None

    def parse(self, raw: bytes, name: str) -> Parsed:
        """The columns of a file that are wanted.

        Raises:
            UserError: it is no table, can be read in two ways, is not read as the first file was, or holds columns that
                are refused.
        """
        raw = self.told.unpacked(raw, name)
        before = (self.dialect, self.first, self._before)
        try:
            return self._parsed(raw, name)
        except UserError as error:
            mended, marks = without_marks(raw)
            if not marks:
                raise
            self.dialect, self.first, self._before = before
            try:
                parsed = self._parsed(mended, name)
            except UserError:
                raise error from error.__cause__
            if any(mark.lower() == "none" for mark in marks) and _lacks(parsed, "label"):
                raise  # None may be a label
            self.told.marks += marks
            return parsed

    def _parsed(self, raw: bytes, name: str) -> Parsed:
        read = self._as_before(raw, name)
        if read is None and self.choice.columns:
            if (read := read_any(raw, name, self.choice.columns)) is None:
                raise UserError(f"{name} holds no rows of numbers that columns could name, one like the other")
        elif read is None:
            try:
                parsed = parse_csv(raw, name, self.required, self.choice)
            except UserError as plain:
                read = read_any(raw, name) if is_text(raw) else None
                if read and self.required and (wide := unfolded(read[0], name)):
                    read = (wide, replace(read[1], is_wide=True))
                if read is None or read[1].is_plain:
                    raise plain from plain.__cause__
            else:
                self._take(name, PLAIN)
                return parsed
        table, dialect = read
        self._take(name, dialect)
        self._before = (header_of(raw, name, dialect), dialect) if dialect.is_like_its_header else None
        parsed = parse_file_table(table, name, self.required, self.choice)
        self.told.read_as = self.dialect.described if self.dialect else ""
        self.told.add(name, replace(table, read_as=self.told.read_as), parsed.columns)
        return parsed

    def _as_before(self, raw: bytes, name: str) -> tuple[FileTable, Dialect] | None:
        """A file with the very header of the one before, read in the same way; None where that does not work."""
        if self._before is None:
            return None
        header, dialect = self._before
        try:
            text, encoding = decoded(raw, name)
            if not text.startswith(header) or encoding not in (None, dialect.encoding):
                return None
            return read_text(text, dialect, name), dialect
        except UserError:
            return None  # what is wrong is said after a closer look

    def _take(self, name: str, dialect: Dialect) -> None:
        """Read a file in this way, if the files before it were read in the same."""
        if self.dialect is None:
            self.dialect, self.first = dialect, name
        elif dialect is not self.dialect:
            if not alike(self.dialect, dialect):
                raise UserError(
                    f"{name} is read as {dialect.shown}, but {self.first} as {self.dialect.shown}; expected files of "
                    "one kind: write all of them in the same way"
                )
            self.dialect = merged(self.dialect, dialect)


def _lacks(parsed: Parsed, column: str) -> bool:
    names = parsed.table.column_names
    return column in names and any(cell in (None, "") for cell in parsed.table[column].unique().to_pylist())


def check_unnamed(choice: Choice, name: str, what: str) -> None:
    """Check that nobody names the columns of a file that is no text, and names its columns itself.

    Raises:
        UserError: somebody does.
    """
    if choice.columns:
        raise UserError(
            f"columns names those of text files that have no names, but {name} is {what}; leave columns out"
        )


def is_plain_csv(raw: bytes, name: str, choice: Choice) -> bool:
    """Whether the beginning of a file is plain CSV with columns that can be read, or nothing else that is known.

    Raises:
        UserError: it can be read in two ways.
    """
    if choice.columns:
        return False
    end = _HEAD
    while end < len(raw) and raw.count(b"\n", 0, end) < _LINES:
        end *= 2
    end = raw.rfind(b"\n", 0, end) + 1
    head = raw if len(raw) <= _HEAD or b"\0" in raw[:_HEAD] else raw[: end or len(raw)]
    try:
        parse_csv(head, name, choice=choice)
    except UserError as error:
        try:
            Texts(Told(), choice).parse(head, name)
        except UserError as other:
            return str(other) == str(error)
        return False
    return True
