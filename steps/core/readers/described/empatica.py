"""Files of an Empatica E4 wristband: the first row is the time at the start, the second the rate, no header."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import FileTable

_RATES: Final = (1.0, 4.0, 32.0, 64.0)
_AXES: Final = ("x", "y", "z")
_LOOK: Final = 400


def is_empatica(raw: bytes) -> bool:
    """Whether a file begins as those of an E4 do: equal times, then one of its rates."""
    lines = raw[:_LOOK].splitlines()[:2]
    try:
        start, rate = ([float(cell) for cell in line.split(b",")] for line in lines)
    except ValueError:
        return False
    return len(set(start)) == len(set(rate)) == 1 and len(start) == len(rate) and rate[0] in _RATES


def read_empatica(raw: bytes, name: str) -> FileTable:
    """An E4 file as ``time``, in seconds of its own clock, and its signal, called as the file is (``ACC_x``)."""
    ...
