"""Times of day become seconds; what can be read in two ways stays text."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps.core.formats.text.times import seconds_of
from tests.core.formats.text.helpers import numbers, read

START = datetime(2015, 2, 27, 10, 59, 58)
FORMS = {
    "ISO": lambda at: at.isoformat(sep="T", timespec="milliseconds"),
    "with a blank": lambda at: at.isoformat(sep=" ", timespec="milliseconds"),
    "in UTC": lambda at: at.isoformat(timespec="milliseconds") + "Z",
    "decimal comma": lambda at: at.strftime("%H:%M:%S,%f")[:-3],
    "no date": lambda at: at.strftime("%H:%M:%S.%f"),
    "one date": lambda at: at.strftime("27/02/2015 %H:%M:%S.%f"),
    "afternoon": lambda at: at.strftime("2/27/2015 %I:%M:%S.%f %p"),
}


@pytest.mark.parametrize("form", FORMS)
@given(steps=st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_differences_are_those_of_the_times(form: str, steps: list[int]) -> None:
    times = [START]
    for step in steps:
        times.append(times[-1] + timedelta(milliseconds=step))
    seconds = seconds_of(pa.chunked_array([[FORMS[form](at) for at in times]]))
    assert seconds is not None
    told = seconds.to_pylist()
    assert told[0] == 10 * 3600 + 59 * 60 + 58
    assert [b - told[0] for b in told] == pytest.approx([(at - START).total_seconds() for at in times], abs=1e-9)


def test_minutes_and_seconds_with_a_fraction_as_spreadsheets_show_them() -> None:
    seconds = seconds_of(pa.chunked_array([["59:58.5", "59:59,0", "1:02:03.5"]]))
    assert seconds is not None
    assert seconds.to_pylist() == [3598.5, 3599.0, 3723.5]


def test_days_are_counted_where_dates_are_clear() -> None:
    iso = pa.chunked_array([["2015-02-28 23:59:59", "2015-03-01 00:00:01", None]])
    seconds = seconds_of(iso)
    assert seconds is not None
    assert seconds.to_pylist() == [86_399.0, 86_401.0, None]


@pytest.mark.parametrize(
    "cells",
    [
        ["3/4/2020 10:00:00", "4/4/2020 10:00:01"],  # March or April
        ["2020-01-01T10:00:00+01:00", "2020-01-01T10:00:01+02:00"],
        ["10:00:00", "later"],
        ["10:00", "10:01"],  # minutes or seconds
        ["10:00.5", "10:01"],
        ["10:00:00 AM", "10:00:01"],
        ["2020-13-01 10:00:00", "2020-13-02 10:00:00"],
        ["fear", "calm"],
    ],
)
def test_what_is_not_clear_stays_text(cells: list[str]) -> None:
    assert seconds_of(pa.chunked_array([cells])) is None


def test_a_column_for_time_is_read_in_seconds() -> None:
    text = "Timestamp,knee,note\n" + "".join(f"2015-02-27T10:00:0{i}.5Z,{i}.5,10:00:00\n" for i in range(5))
    table, dialect = read(text.encode())
    assert numbers(table, "Timestamp") == [[36_000.5, 36_001.5, 36_002.5, 36_003.5, 36_004.5]]
    assert table.table["note"].to_pylist()[0] == "10:00:00"
    assert dialect.described == table.read_as == "text with times of day"
