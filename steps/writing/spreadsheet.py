"""CSV that a spreadsheet shows as it is: a name that begins like a formula gets an apostrophe before it.

Names of features come from files; ``=HYPERLINK(…)`` as one would be a formula to whoever opens a table of results.
`read_csv` takes the apostrophe away again, so nothing that reads these tables through it ever sees it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

_MARK = "'"
# Also their full-width forms, and the mark itself, so that every text can be had back.
_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠']")
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|nan)", re.IGNORECASE)


def to_csv(table: pd.DataFrame, *, index: bool = False) -> str:
    """A table as CSV; names that a spreadsheet would compute are marked, numbers are left alone."""
    marked = _renamed(_changed(table, _marked), _marked)
    return str(marked.to_csv(index=index, lineterminator="\n"))


def read_csv(text: str, **options: Any) -> pd.DataFrame:
    """What `to_csv` wrote.

    Args:
        text: the CSV.
        options: of `pandas.read_csv`; names of columns in them are those in the file.

    Raises:
        ValueError: it is no such table.
    """
    table = pd.read_csv(io.StringIO(text), **options)
    return _renamed(_changed(table, _unmarked), _unmarked)


def _marked(text: str) -> str:
    return _MARK + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _unmarked(text: str) -> str:
    return text.removeprefix(_MARK)


def _changed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with its texts changed, or the same table where no text changes."""
    changed = {}
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            continue
        texts = {value: change(value) for value in column.unique() if isinstance(value, str)}
        if any(old != new for old, new in texts.items()):
            changed[name] = [texts.get(value, value) if isinstance(value, str) else value for value in column]
    return table.assign(**changed) if changed else table


def _renamed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    return table.rename(columns=lambda name: change(name) if isinstance(name, str) else name)
