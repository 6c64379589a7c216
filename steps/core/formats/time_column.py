"""What columns for time are called."""

from __future__ import annotations

import re
from typing import Final

_UNIT: Final = r"(?:s|secs?|seconds?|ms|msecs?|millis|milliseconds?|us|µs|μs|ns|mins?|minutes?|h|hours?|%)"
# "Time", "timestamp", "time_s", "Time [ms]", "Time,s"; "t", "t (s)", but not "T", which is a temperature.
_TIME: Final = re.compile(rf"time(?:[ _-]?stamps?)?\s*(?:[\[(].*[\])]|(?:[ _-]|,\s*){_UNIT})?", re.IGNORECASE)
_NAMED_UNIT: Final = re.compile(r".*?[\[( _,-]\s*([a-zµμ]+)\s*[\])]?", re.IGNORECASE)
_T: Final = re.compile(rf"t(?:\s*[\[(]\s*{_UNIT}\s*[\])]|_{_UNIT})?")


def is_time(column: str) -> bool:
    """Whether a column is called as time usually is."""
    return (_TIME.fullmatch(column) or _T.fullmatch(column)) is not None


def unit_in_name(column: str) -> str:
    """What stands at the end of a column's name as units do: ``ms`` of ``Time [ms]``; "" where nothing does."""
    matched = _NAMED_UNIT.fullmatch(column)
    return matched[1] if matched else ""
