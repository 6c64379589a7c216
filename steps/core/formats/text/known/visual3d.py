"""Visual3D's ASCII export: five rows above the numbers say file, signal, type, folder and component of each column.

Described in the Visual3D documentation, "ASCII Files": tabs, and the number of the frame in the first column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.header import different
from steps.core.formats.text.known.common import decimal_below, spread, widened
from steps.core.formats.text.layout import Layout
from steps.errors import UserError, shown

_FILE, _SIGNAL, _TYPE, _FOLDER, _COMPONENT = range(5)
_ITEM: Final = "item"
_SCALAR: Final = ("", "0", "1")


def visual3d(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of such a file; a column is called by its signal and component, and by more where that is not "
    "enough."""
    lines = head.lines
    if len(lines) < 6:
        return None
    separator = "\t" if lines[_COMPONENT].count("\t") else ","
    rows = [split(line, separator) for line in lines[:5]]
    if rows[_COMPONENT][0].lower() != _ITEM or any(row[0] for row in rows[:_COMPONENT]):
        return None
    if re.match(r"\s*$", lines[5]):
        raise UserError(f"{name} ends with its header, expected rows of numbers from row 6 on")
    width = len(rows[_COMPONENT]) if rows[_COMPONENT][-1] else len(rows[_COMPONENT]) - 1
    titles = [spread(widened(row, width))[1:] for row in rows[:_COMPONENT]]
    components = widened(rows[_COMPONENT], width)[1:]
    # Without what is the same for all; a file's name says which trial it was, and is wanted where there are several.
    parts = [titles[_SIGNAL]]
    names = _names(parts, components)
    for more in (titles[_TYPE], titles[_FOLDER]):
        if not different(names) and len(set(more)) > 1:
            parts.insert(0, more)
            names = _names(parts, components)
    files = list(dict.fromkeys(file for file in titles[_FILE] if file))
    if not different(names) and len(files) > 1:
        raise UserError(
            f"{name} holds several recordings side by side ({shown(files[0])}, "
            f"{shown(files[1])}{f' and {len(files) - 2} more' if len(files) > 2 else ''}), expected one; export each "
            "to a file of its own"
        )
    return Layout(
        separator,
        ("ITEM", *("time" if one.casefold() in ("time", "time_x") else one for one in names)),
        5,
        kind="Visual3D",
        header_rows=5,
        header=4,
        left_out=("ITEM",),
        decimal=decimal_below(head, 5, separator),
        notes=("Left out the numbers of frames.",),
    )


def _names(parts: Sequence[Sequence[str]], components: Sequence[str]) -> list[str]:
    return [
        "_".join([*(dict.fromkeys(part for part in column if part)), *([] if component in _SCALAR else [component])])
        for *column, component in zip(*parts, components, strict=True)
    ]
