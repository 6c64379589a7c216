"""OpenSim: motions and storages (``.mot``, ``.sto``), marker trajectories (``.trc``).

The formats are described in the OpenSim documentation, "Motion (.mot) Files", "Storage (.sto) Files" and "Marker (.trc)
Files".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.known.common import decimal_below, spread, widened
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import whole
from steps.errors import UserError, shown

_END: Final = "endheader"
_LONGEST_HEADER: Final = 100
_TRANSLATION: Final = re.compile(r".*_t[xyz](?:/value)?")
_OTHER_UNITS: Final = (
    (re.compile(r".*_moment"), "N m"),
    (re.compile(r".*_force(?:_v[xyz])?|.*force\d*_v[xyz]|.*_v[xyz]"), "N"),
    (re.compile(r".*force\d*_p[xyz]|.*_p[xyz]"), "m"),
    (re.compile(r".*torque\d*_[xyz]"), "N m"),
)


def motion(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of a ``.mot`` or ``.sto`` file: ``key=value`` lines, ``endheader``, one row of names."""
    lines = head.lines
    end = next((i for i, line in enumerate(lines[:_LONGEST_HEADER]) if line.strip().lower() == _END), None)
    if end is None:
        return None
    at = next((i for i in range(end + 1, len(lines)) if lines[i].strip()), None)
    if at is None:
        raise UserError(f"{name} ends with its header, expected rows of numbers below 'endheader'")
    said = _said(lines[:end])
    separator = "\t" if "\t" in lines[at].strip() else "," if "," in lines[at] else " "
    names = tuple(split(lines[at].strip(), separator))
    count = said.get("ncolumns") or said.get("datacolumns", "")
    if whole(count) not in (None, len(names)):
        raise UserError(f"{name} says nColumns={count}, but names {len(names)} columns in row {at + 1}")
    degrees = said.get("indegrees", "").lower()
    units: dict[str, str] = {}
    about = ""
    if lines[0].strip().lower() == "coordinates" and degrees in ("yes", "no"):
        angle = "deg" if degrees == "yes" else "rad"
        about = "angles in degrees" if degrees == "yes" else "angles in radians"
        units = {name: "m" if _TRANSLATION.fullmatch(name) else angle for name in names[1:]}
    else:
        for column in names[1:]:
            units |= next(({column: unit} for pattern, unit in _OTHER_UNITS if pattern.fullmatch(column)), {})
        if degrees in ("yes", "no") and len(units) < len(names) - 1:  # some may be angles
            about = f"inDegrees={degrees}"
    rows = said.get("nrows") or said.get("datarows", "")
    return Layout(
        separator,
        names,
        at + 1,
        kind="OpenSim",
        about=about,
        header=at,
        units=units,
        decimal=decimal_below(head, at + 1, separator),
        rows=whole(rows),
    )


def trajectories(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of a ``.trc`` file: settings in rows 2 and 3, markers in row 4, ``X1 Y1 Z1`` in row 5."""
    lines = head.lines
    if not lines[0].startswith("PathFileType") or len(lines) < 5:
        return None
    said = dict(zip([key.lower() for key in lines[1].split()], lines[2].split(), strict=False))
    markers = split(lines[3].rstrip(), "\t")
    axes = split(lines[4].rstrip(), "\t")
    if [cell.lower().rstrip("#") for cell in markers[:2]] != ["frame", "time"]:
        raise UserError(
            f"{name}, row 4 begins with {shown(lines[3][:40])}, expected Frame#, Time and the markers of a .trc"
        )
    width = max(len(axes), len(markers))
    parts = zip(spread(widened(markers, width))[2:], widened(axes, width)[2:], strict=True)
    names = (
        markers[0],
        "time",
        *(f"{marker}_{re.sub(r'[0-9]+$', '', axis).lower()}" for marker, axis in parts if axis),
    )
    first = next((i for i in range(5, len(lines)) if lines[i].strip()), len(lines))
    unit = said.get("units", "")
    rows = said.get("numframes", "")
    return Layout(
        "\t",
        names,
        first,
        kind="OpenSim trajectories",
        about=f"in {unit}" if unit else "",
        header_rows=2,
        header=4,
        units=dict.fromkeys(names[2:], unit) if unit else {},
        left_out=(names[0],),
        decimal=decimal_below(head, first, "\t"),
        rows=whole(rows),
        notes=("Left out the numbers of frames.",),
        points=names[2:] if len(names) % 3 == 2 else (),
    )


def _said(lines: Sequence[str]) -> dict[str, str]:
    """What a header says, by its keys in lower case: ``nRows=158``, or ``datarows 158`` of older programs."""
    said = {}
    for line in lines:
        key, _, value = line.strip().partition("=" if "=" in line else " ")
        said[key.strip().lower()] = value.strip()
    return said
