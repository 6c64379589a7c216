"""Which texts are units: ``deg``, ``[m/s^2]``, ``µS``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_LISTED: Final = """
    s sec secs second seconds ms msec us µs μs ns min mins minute minutes h hr hours
    m mm cm um µm μm km meter meters metre metres
    deg degs degree degrees ° º rad rads radian radians rpm
    N kN mN Nm Nmm Ncm kNm newton newtons BW %BW J W kW
    V mV uV µV μV volt volts A mA S uS µS μS kΩ ohm microsiemens
    Hz kHz % %MVC MVC g G mg kg °C ℃ C K bpm BPM
    Pa kPa hPa mmHg bar mbar T uT µT μT mT gauss a.u. au a.u AU arb counts count ADC
    N/kg Nm/kg px pixel pixels frame frames none unitless no_units n/a kOhm kOhms Ohm
"""
_UNITS: Final = frozenset(_LISTED.split())
_NOTHING: Final = frozenset(("", "-", "--", "1", "[]", "()", "[-]", "(-)", "[1]"))
_BRACKETS: Final = re.compile(r"[\[({]\s*(.*?)\s*[\])}]")
_POWER: Final = re.compile(r"\^?\(?[-−]?\d\)?$|[²³]$|⁻[¹²³]$")


def bare(cell: str) -> str:
    """A unit without the brackets around it; "" where it says that there is none."""
    if cell in _NOTHING:
        return ""
    matched = _BRACKETS.fullmatch(cell)
    return matched[1] if matched else cell


def is_unit(cell: str) -> bool:
    """Whether a text is a unit."""
    unit = bare(cell)
    if unit in _UNITS:
        return True
    parts = [_POWER.sub("", part.strip("()")) for part in re.split(r"[/*·⋅. ]", unit.strip("()"))]
    return bool(unit) and all(part in _UNITS or part == "1" for part in parts) and any(part in _UNITS for part in parts)


def are_units(cells: Sequence[str]) -> bool:
    """Whether a row holds units: one at least, and nothing else."""
    return any(is_unit(cell) for cell in cells) and all(cell in _NOTHING or is_unit(cell) for cell in cells)
