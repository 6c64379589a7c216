"""Times of day as seconds: ``17:33:00.125``, with a date before it or not; or ``33:00.1``, minutes and seconds."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_TIME_OF_DAY: Final = (
    r"^\s*(?:(?P<date>\d[\d./-]*)[T ]\s*)?"
    r"(?:(?P<hours>\d{1,2}):)?(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]\d(?:[.,]\d+)?)"
    r"\s*(?P<half>[AaPp][Mm])?(?P<zone>Z|[+-]\d\d:?\d\d)?\s*$"
)
_ISO: Final = r"^\d{4}-\d\d-\d\d$"
_DAY: Final = 86_400.0


def seconds_of(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Times of day in seconds, from midnight of the first day on; None where they are none, or it is not clear which.

    Several dates are understood as year-month-day only: 3/4/2020 may be in March or in April.
    """
    cells = column.combine_chunks()
    first = next((cell for cell in cells.slice(0, 64).to_pylist() if cell), "")
    if ":" not in first:
        return None
    parts = pc.extract_regex(cells, _TIME_OF_DAY)
    if parts.null_count > pc.sum(pc.or_kleene(pc.is_null(cells), pc.equal(cells, ""))).as_py():
        return None
    part = {name: pc.struct_field(parts, name) for name in ("date", "hours", "minutes", "seconds", "half", "zone")}
    if len(pc.unique(part["zone"].drop_null())) > 1 or len(pc.unique(pc.equal(part["half"], "").drop_null())) > 1:
        return None
    without_hours = pc.equal(part["hours"], "")
    if pc.any(pc.and_(without_hours, pc.invert(pc.match_substring_regex(part["seconds"], "[.,]")))).as_py():
        return None  # 17:33 may be hours and minutes
    dates = pc.unique(part["date"].drop_null())
    days: pa.Array | float = 0.0
    if len(dates) > 1:
        if not pc.all(pc.match_substring_regex(dates, _ISO)).as_py():
            return None
        try:
            numbers = part["date"].cast(pa.date32()).cast(pa.int32()).cast(pa.float64())
        except pa.ArrowInvalid:
            return None
        days = pc.subtract(numbers, pc.min(numbers))
    hours = pc.if_else(without_hours, "0", part["hours"]).cast(pa.float64())
    half = pc.utf8_lower(part["half"])
    noon = pc.if_else(pc.equal(half, "pm"), 12.0, 0.0)
    hours = pc.if_else(pc.equal(half, ""), hours, pc.add(pc.if_else(pc.equal(hours, 12.0), 0.0, hours), noon))
    minutes = part["minutes"].cast(pa.float64())
    seconds = pc.replace_substring(part["seconds"], ",", ".").cast(pa.float64())
    whole = pc.add(pc.multiply(hours, 3600.0), pc.multiply(minutes, 60.0))
    return pa.chunked_array([pc.add(pc.add(whole, seconds), pc.multiply(days, _DAY))])
