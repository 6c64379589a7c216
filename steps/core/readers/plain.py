"""Many plain CSV files with one header, parsed at once: parsing each for itself costs several times as much.

Plain is what programs write: the very same header, then numbers, commas and line ends; no quotes, no blank lines.
Whatever is not so, or cannot be parsed, is left to `read.parse_csv`, which knows what to say about it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv

from steps.core.readers.parse import Header, arrow_csv, is_blank


def is_plain(raw: bytes, header: Header) -> bool:
    """Whether a CSV file has exactly this header and, below it, one line per row."""
    start = len(header.line)
    if not raw.startswith(header.line) or is_blank(raw, start) or raw.find(b'"', start) >= 0:
        return False
    # Arrow ends a row at a carriage return, too; so it may stand before a line feed only.
    return raw.find(b"\r", start) < 0 or raw.count(b"\r", start) == raw.count(b"\r\n", start)


def parse_together(raws: Sequence[bytes], header: Header) -> tuple[pa.Table, list[int]] | None:
    """Plain CSV files as one table, and the number of rows of each; None if any of them needs a closer look.

    Args:
        raws: contents of files that are plain (`is_plain`).
        header: their header; no column that is taken holds text.
    """
    bodies: list[bytes | memoryview] = []
    rows = []
    for raw in raws:
        end = len(raw)
        if raw.endswith((b"\n\n", b"\n\r\n")):
            end = len(raw.rstrip(b"\r\n"))
        bodies.append(memoryview(raw)[len(header.line) : end])
        is_ended = raw.endswith(b"\n", 0, end)
        if not is_ended:
            bodies.append(b"\n")
        rows.append(raw.count(b"\n", len(header.line), end) + (not is_ended))
    try:
        table = arrow_csv(b"".join(bodies), header)
    except pa.ArrowInvalid:
        return None
    # Arrow passes over blank lines: then it is not known which rows are whose.
    return (table, rows) if table.num_rows == sum(rows) else None
