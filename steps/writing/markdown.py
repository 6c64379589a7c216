"""Markdown that shows text as it is: names come from the user and are neither Markdown nor HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

# What Markdown might take for its own; an underscore inside a word is one.
_SPECIAL = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
# Square brackets of intervals stay as they are, unless they would become a link or the definition of one.
_INTERVAL = re.compile(r"\\\[([-+]?\d[-+\d.,e ]*)\\\](?![(\[:]|\\\[)")
# At the start of a line these would begin a heading or a list.
_START = re.compile(r"^([#+-]+|\d+(?=[.)]))(?=[.)]?(?:\s|$))")


def plain(text: str) -> str:
    """A text as one line of Markdown that shows it as it is, also in a cell of a table."""
    one_line = " ".join(text.split())
    escaped = _SPECIAL.sub(r"\\\g<0>", html.escape(one_line, quote=False)).replace("|", "&#124;")
    return _START.sub(_escape_start, _INTERVAL.sub(r"[\1]", escaped))


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(plain, cells))} |"


def table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    return "\n".join([row(columns), "|" + "---|" * len(columns), *map(row, rows)])


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {plain(item)}" for item in items)


def code_block(text: str) -> str:
    """Commands for a shell, in a block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{text}\n{fence}"


def _escape_start(match: re.Match[str]) -> str:
    return f"{match[1]}\\" if match[1].isdigit() else f"\\{match[1]}"
