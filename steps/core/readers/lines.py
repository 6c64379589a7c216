"""Blank lines in CSV files: they hold no row, but they count when rows are numbered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Lines = npt.NDArray[np.int64]
_MARK = b"\xef\xbb\xbf"
# What stands where a line is blank, or may be: a blank at the beginning is looked at more closely.
_SIGNS = (b"\n\n", b"\n\r", b"\n ", b"\n\t")


def without_blank_lines(raw: bytes) -> tuple[bytes, Lines | None]:
    """CSV text without the lines that hold nothing but white space.

    Returns:
        The text, with ``\\n`` at the end of lines where it had ``\\r`` alone, and the number of the line that each line
        left had, or None where they are still 1, 2, 3 and so on.
    """
    if b"\r" in raw and raw.count(b"\r") != raw.count(b"\r\n"):  # line ends of old Macintosh programs
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = raw[: len(_MARK) + 1].removeprefix(_MARK)[:1]
    if not start.isspace() and not any(sign in raw for sign in _SIGNS):
        return raw, None
    mark = _MARK if raw.startswith(_MARK) else b""
    lines = raw.removeprefix(mark).split(b"\n")
    kept = [number for number, line in enumerate(lines) if line and not line.isspace()]
    text = mark + b"\n".join([lines[number] for number in kept]) + b"\n"
    if kept == list(range(len(kept))):
        return text if kept else b"", None
    return text, np.array(kept, dtype=np.int64) + 1
