"""DeepLabCut: rows ``scorer``, perhaps ``individuals``, ``bodyparts`` and ``coords``; frames in the first column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.known.common import decimal_below, widened
from steps.core.formats.text.layout import Layout

_ROWS: Final = (("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords"))


def deeplabcut(head: Head, _name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of such a file: a column is called ``snout_x``, after its body part and coordinate."""
    for titles in _ROWS:
        rows = [split(line, ",") for line in head.lines[: len(titles)]]
        if tuple(row[0].lower() for row in rows) == titles:
            break
    else:
        return None
    width = len(rows[-1])
    parts = [widened(row, width)[1:] for row in rows[1:]]
    if len(titles) == 4 and len(set(parts[0])) == 1:
        parts = parts[1:]
    return Layout(
        ",",
        ("frame", *("_".join(filter(None, column)) for column in zip(*parts, strict=True))),
        len(titles),
        kind="DeepLabCut",
        header_rows=len(titles),
        header=len(titles) - 1,
        left_out=("frame",),
        decimal=decimal_below(head, len(titles), ","),
        notes=("Left out the numbers of frames.",),
    )
