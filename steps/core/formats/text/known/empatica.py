"""Files of an Empatica E4: row 1 is the start time, row 2 the sampling rate, the name says which signal it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import POINT, is_number
from steps.errors import UserError

_RATES: Final = (1.0, 4.0, 32.0, 64.0)
_YEAR_2001: Final = 1e9  # in seconds since 1970; the wristband is younger
_YEAR_5138: Final = 1e11
_SIGNALS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "ACC": (("ACC_x", "ACC_y", "ACC_z"), "1/64 g"),
    "BVP": (("BVP",), ""),
    "EDA": (("EDA",), "µS"),
    "HR": (("HR",), "1/min"),
    "TEMP": (("TEMP",), "°C"),
}
_WRITTEN: Final = re.compile(r"\d+\.0{6}")  # as the device's own export writes both


def empatica(head: Head, name: str, columns: Sequence[str] = ()) -> Layout | None:
    """The layout of such a file: time counts in seconds from its start time, since 1970 where that was kept."""
    if len(head.lines) < 3:
        return None
    first, second = (split(line, ",") for line in head.lines[:2])
    if intervals := _intervals(first, second):
        return intervals
    numbers = all(is_number(cell, POINT) for cell in (*first, *second))
    if not numbers or len(first) != len(second) or len(first) not in (1, 3) or len({*first}) > 1 or len({*second}) > 1:
        return None
    start, rate = float(first[0]), float(second[0])
    called = _called(name)
    as_written = all(_WRITTEN.fullmatch(cell) for cell in (first[0], second[0]))
    if rate not in _RATES or not (_YEAR_2001 <= start <= _YEAR_5138 or (start == 0 and (called or as_written))):
        return None
    names, unit = _SIGNALS.get(called, ((), ""))
    if columns:
        if len(columns) != len(first):
            raise UserError(f"{name} has {len(first)} columns, but columns has {len(columns)} names")
        names, unit = tuple(columns), unit if len(names) == len(first) else ""
    elif len(names) != len(first):
        names, unit = _SIGNALS["ACC"] if len(first) == 3 else ((), "")
    if not names:
        raise UserError(
            f"{name} is a file of an Empatica E4 (row 1 is the start time, row 2 the rate, {rate:g} per second), but "
            "its name says not which signal it holds; call it EDA.csv, TEMP.csv, BVP.csv, HR.csv or ACC.csv, or name "
            "its column: columns=EDA"
        )
    return Layout(
        "," if len(first) > 1 else "",
        names,
        2,
        kind="Empatica E4",
        about=f"{', '.join(names)} at {rate:g} Hz",
        header_rows=0,
        header=1,
        units=dict.fromkeys(names, unit) if unit else {},
        rate=rate,
        start=start,
        decimal=POINT,
    )


def _intervals(first: Sequence[str], second: Sequence[str]) -> Layout | None:
    """The layout of ``IBI.csv``: when each heartbeat was, from the start on, and how long after the one before."""
    if len(first) != 2 or first[1] != "IBI" or len(second) != 2 or not is_number(first[0], POINT):
        return None
    if float(first[0]) > _YEAR_5138:
        return None
    return Layout(
        ",",
        ("time", "IBI"),
        1,
        kind="Empatica E4",
        about="IBI",
        units={"IBI": "s"},
        start=float(first[0]),
        decimal=POINT,
    )


def _called(name: str) -> str:
    """Which signal a file's name says: EDA of ``S01/EDA.csv`` or ``S01_eda_2.csv``."""
    words = re.split(r"[^a-zA-Z]+", name.rpartition("/")[2].rpartition(".")[0].upper())
    found = [signal for signal in _SIGNALS if signal in words]
    return found[0] if len(found) == 1 else ""
