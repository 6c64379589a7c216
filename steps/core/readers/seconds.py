"""In which unit time is, by a row of units or the name of its column."""

from __future__ import annotations

from typing import Final

from steps.core.formats.time_column import unit_in_name
from steps.core.readers.columns import Parsed

_SECONDS: Final = {"ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
                   "ns": 1e-9, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0}  # fmt: skip


def unit_of_time(parsed: Parsed) -> float:
    """How many seconds one unit of time is: as the file says beside the name, or in it: ``Time [ms]``."""
    column = next((column for column, name in parsed.columns.taken.items() if name == "time"), "")
    unit = (parsed.time_unit or unit_in_name(column)).lower()
    return _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"), 1.0)
