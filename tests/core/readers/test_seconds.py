"""In which unit time is: as files say; milliseconds since 1970 by their size, nothing else by itself."""

from __future__ import annotations

import pyarrow as pa
import pytest

from steps.core.readers.columns import Columns, Parsed
from steps.core.readers.seconds import unit_of_time


@pytest.mark.parametrize(
    ("column", "unit", "times", "expected"),
    [
        ("time", "", [0.0, 0.01], 1.0),
        ("Time [ms]", "", [0.0, 10.0], 1e-3),
        ("Time,ms", "", [0.0, 10.0], 1e-3),
        ("time", "ms", [0.0, 10.0], 1e-3),
        ("t", "min", [0.0, 0.1], 60.0),
        ("timestamp", "", [1.7e12, 1.7e12 + 10], 1e-3),  # milliseconds since 1970
        ("timestamp", "", [1.7e9, 1.7e9 + 0.01], 1.0),  # seconds
        ("timestamp", "", [1.7e12, 1.7e12 + 1e7], 1.0),  # a phone's nanoseconds
        ("timestamp", "", [None, 1.7e12], 1.0),
    ],
)
def test_the_unit_of_time(column: str, unit: str, times: list[float | None], expected: float) -> None:
    parsed = Parsed(pa.table({"time": times}), (column,), Columns({column: "time"}), time_unit=unit)
    assert unit_of_time(parsed) == expected
