"""In which unit time is, by a row of units or the name of its column."""

from __future__ import annotations

from typing import Final

from steps.core.formats.time_column import unit_in_name
from steps.core.readers.columns import Parsed

_SECONDS: Final = {"ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
                   "ns": 1e-9, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0}  # fmt: skip
_MILLISECONDS: Final = (0.9e12, 2.5e12)  # since 1970, in the years 1998 to 2049
_LONGEST_STEP: Final = 1e5


def unit_of_time(parsed: Parsed) -> float:
    """How many seconds one unit of time is: as the file says beside the name, or in it: ``Time [ms]``.

    Where nothing is said, times that count milliseconds since 1970 tell by their size; nanoseconds since a phone was
    switched on may be as large, but are further apart.
    """
    column = next((column for column, name in parsed.columns.taken.items() if name == "time"), "")
    unit = (parsed.time_unit or unit_in_name(column)).lower()
    if said := _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s")):
        return said
    time = parsed.table["time"].slice(0, 2).to_pylist() if "time" in parsed.table.column_names else []
    is_clock = len(time) == len(list(filter(None, time))) == 2
    if is_clock and _MILLISECONDS[0] < time[0] < time[1] < min(_MILLISECONDS[1], time[0] + _LONGEST_STEP):
        return 1e-3
    return 1.0
