"""What columns for time are called."""

from __future__ import annotations

import re
from typing import Final

_UNIT: Final = r"(?:s|secs?|seconds?|ms|msecs?|millis|milliseconds?|us|µs|μs|ns|mins?|minutes?|h|hours?|%)"
# "Time", "timestamp", "time_s", "Time [ms]"; "t", "t (s)", but not "T", which is a temperature.
_TIME: Final = re.compile(rf"time(?:[ _-]?stamps?)?\s*(?:[\[(].*[\])]|[ _-]{_UNIT})?", re.IGNORECASE)
_T: Final = re.compile(rf"t(?:\s*[\[(]\s*{_UNIT}\s*[\])]|_{_UNIT})?")


def is_time(column: str) -> bool:
    """Whether a column is called as time usually is."""
    return (_TIME.fullmatch(column) or _T.fullmatch(column)) is not None
