"""Small tables written as people's programs write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from steps.core.formats.file_table import FileTable
from steps.core.formats.text.dialect import Dialect
from steps.core.formats.text.read import read_any


@dataclass(frozen=True)
class Written:
    """How a table is written: every choice that a program may make."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    quote: str = ""  # "", "names" or "all"
    comments: str = ""
    preamble: int = 0
    units: bool = False
    trailing: bool = False
    blank_lines: bool = False
    line_end: str = "\n"
    header: bool = True
    sep_line: bool = False

    def text(self, frame: pd.DataFrame, units: Sequence[str] = ()) -> str:
        """The table as text."""
        separator = "  " if self.separator == " " else self.separator

        def line(cells: Sequence[str], quoted: bool) -> str:
            written = [f'"{cell}"' if quoted else cell for cell in cells]
            return separator.join(written) + (self.separator if self.trailing else "")

        def cell(value: object) -> str:
            text = value if isinstance(value, str) else f"{value:.6g}"
            return text if isinstance(value, str) else text.replace(".", self.decimal)

        rows = [line([cell(value) for value in row], self.quote == "all") for row in frame.itertuples(index=False)]
        lines = [f"sep={self.separator}"] if self.sep_line else []
        lines += [f"Recorded by device {i} on Tuesday" for i in range(self.preamble)]
        lines += [f"{self.comments} a comment, with: {number};5" for number in (1, 2)] if self.comments else []
        lines += [line(list(frame.columns), self.quote != "")] if self.header else []
        lines += [line(list(units), self.quote == "all")] if self.units else []
        half = len(rows) // 2
        between = ([f"{self.comments} in the middle"] if self.comments else []) + ([""] if self.blank_lines else [])
        return self.line_end.join(
            [*lines, *rows[:half], *between, *rows[half:], *(["", ""] if self.blank_lines else [""])]
        )

    def raw(self, frame: pd.DataFrame, units: Sequence[str] = ()) -> bytes:
        """The file."""
        return self.text(frame, units).encode(self.encoding)


def frame_of(rows: int = 9, columns: int = 3, seed: int = 0) -> pd.DataFrame:
    """Subjects, a column with letters beyond ASCII in its name, and numbers of six digits."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"subject": [f"00{i // 4}" for i in range(rows)], "time": np.arange(rows) / 8})
    for i in range(columns):
        frame[f"Größe {i}" if i == 0 else f"f{i}"] = rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4)
    return frame


def read(raw: bytes, name: str = "t.csv", columns: Sequence[str] = ()) -> tuple[FileTable, Dialect]:
    """What a text holds; it must be recognised."""
    read = read_any(raw, name, columns)
    assert read, raw[:200]
    return read


def numbers(table: FileTable, *columns: str) -> list[list[float]]:
    """Columns of numbers as lists."""
    return [table.table[column].to_pylist() for column in columns]
