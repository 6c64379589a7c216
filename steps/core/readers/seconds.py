"""In which unit time is, by the name of its column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SECONDS: Final = {"ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
                   "ns": 1e-9, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}  # fmt: skip
_UNIT = re.compile(r".*?[\[( _-]\s*([a-zµμ]+)\s*[\])]?", re.IGNORECASE)


def unit_of_time(taken: Mapping[str, str]) -> float:
    """How many seconds one unit of time is, by the column that was taken as time: ``Time [ms]``.

    Args:
        taken: column of the file -> its name in the study.
    """
    column = next((column for column, name in taken.items() if name == "time"), "")
    found = _UNIT.fullmatch(column)
    unit = found[1].lower() if found else ""
    return _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"), 1.0)
