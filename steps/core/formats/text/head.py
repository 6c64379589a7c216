"""The beginning of a text: what is looked at to recognise how the rest is to be read."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LOOK_BYTES: Final = 1 << 17
_MOST_BYTES: Final = 1 << 22
_LONGEST_LINE: Final = 1 << 20
LOOK_LINES: Final = 250
_FEWEST_LINES: Final = 16
# "#N/A" is no comment, but a number that is missing.
COMMENT_LINES: Final = re.compile(rb"\n[ \t]*(?:#(?!N/?A)|%|//)")
COMMENT: Final = re.compile(r"\s*(#(?!N/?A)|%|//)")
_SEPARATOR_LINE: Final = re.compile(r"\s*\"?sep=([,;|\t ]|\\t)\"?[,;\s]*", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A line that is neither blank nor a comment.

    Attributes:
        line: its number in the file, from 0.
        text: as it stands there.
    """

    line: int
    text: str


@dataclass(frozen=True)
class Head:
    """The first lines of a text.

    Attributes:
        lines: as they stand in the file, without line ends.
        is_whole: whether the text ends with them.
        text: all of it, in UTF-8.
    """

    lines: list[str]
    is_whole: bool
    text: bytes = b""

    @property
    def separator(self) -> str:
        """What a first line ``sep=;`` says, as spreadsheets write it; else ""."""
        matched = _SEPARATOR_LINE.fullmatch(self.lines[0]) if self.lines else None
        return matched[1].replace("\\t", "\t") if matched else ""

    def rows(self) -> list[Row]:
        """Lines that are neither blank, nor a comment, nor ``sep=``."""
        start = 1 if self.separator else 0
        return [
            Row(number, line)
            for number, line in enumerate(self.lines)
            if number >= start and line.strip(" \t,;") and not COMMENT.match(line)
        ]

    def comments(self) -> list[Row]:
        """Lines that are comments."""
        return [Row(number, line) for number, line in enumerate(self.lines) if COMMENT.match(line)]


def head_of(text: bytes) -> Head:
    """The head of a text in UTF-8 with ``\\n`` at the ends of lines: long enough for the longest headers.

    It is empty where a line is longer than those of recordings.
    """
    end = LOOK_BYTES
    while end < len(text) and text.count(b"\n", 0, end) < _FEWEST_LINES and end < _MOST_BYTES:
        end *= 2
    lines = text[:end].decode("utf-8", "replace").split("\n")
    is_whole = end >= len(text) and len(lines) <= LOOK_LINES + 1
    if (end < len(text) and len(lines) > 1) or (lines and not lines[-1]):
        lines.pop()
    if max(map(len, lines), default=0) > _LONGEST_LINE:
        lines = []  # no recording has so many columns
    return Head(lines[:LOOK_LINES], is_whole, text)


def split(line: str, separator: str) -> list[str]:
    """The cells of a line, without blanks around them. A blank as separator means any number of blanks and tabs."""
    if not separator:
        return [line.strip().strip('"')]
    if separator == " ":
        line = " ".join(line.split())
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator)]
    try:
        (cells,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
    except (csv.Error, ValueError):
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def split_all(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The cells of lines."""
    return [split(line, separator) for line in lines]
