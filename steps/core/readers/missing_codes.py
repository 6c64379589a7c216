"""Numbers that programs write where one is missing: 9999, -999, 1e30."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import numpy as np

from steps.core.data.manifest import WARNING
from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.errors import shown

_NINES: Final = re.compile(r"9{3,}(?:\.9+)?")
_HUGE: Final = 1e30
_FAR: Final = 3  # times the largest of all other numbers
_OFTEN: Final = 2
_SEVERAL: Final = 3
_NEGATIVE: Final = (-9.0, -99.0, -999.0)


def missing_codes(table: LongTable) -> list[str]:
    """A warning if a feature holds such a number, more than once and far from all others; it is taken as it is."""
    return codes_among(table, ends_of(table.values)) if len(table.values) else []


def ends_of(values: Doubles) -> Doubles:
    """The smallest and the largest of each column of ``values (rows, features)``, shape ``(2, features)``."""
    with np.errstate(invalid="ignore"):
        return np.stack([np.fmin.reduce(values), np.fmax.reduce(values)])


def codes_among(table: LongTable, ends: Doubles) -> list[str]:
    """`missing_codes`, where smallest and largest values are known."""
    found: list[str] = []
    for i, feature in enumerate(table.features):
        for code in {end for end in ends[:, i].tolist() if _is_code(end)}:
            column = table.column(i)
            others = np.abs(column[(column != code) & np.isfinite(column)])
            count = int((column == code).sum())
            if count >= _OFTEN and len(others) and others.max() * _FAR < abs(code):
                found.append(f"{shown(feature)} is {code:.10g} in {count} samples")
    if not found:
        return []
    more = f" and {len(found) - _SEVERAL} more" if len(found) > _SEVERAL else ""
    return [
        f"{WARNING}{', '.join(found[:_SEVERAL])}{more}, and nowhere near that elsewhere: does it stand for numbers "
        "that are missing? They were taken as they are; write NaN there, or leave the cells empty."
    ]


def _is_code(number: float) -> bool:
    return abs(number) >= _HUGE or _NINES.fullmatch(f"{abs(number):.10g}") is not None


def is_code_among(number: float, others: Collection[float]) -> bool:
    """Whether one number of a table seems to be such a code: 999 far from all others, -9 or -99 where none is negative.

    Args:
        number: that is looked at.
        others: all others of its column.
    """
    if not others:
        return False
    return (_is_code(number) and max(map(abs, others)) * _FAR < abs(number)) or (
        number in _NEGATIVE and min(others) >= 0
    )
