"""Vicon Nexus' ASCII export (CSV): sections, each with name, rate, rows of titles, names and units, and numbers.

``Devices`` are recorded at a multiple of the frames' rate, in sub frames; other sections share the frames.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from steps.core.formats.file_table import Event
from steps.core.formats.text.head import Head, split
from steps.core.formats.text.header import different
from steps.core.formats.text.known.common import decimal_below, spread, widened
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import COMMA, POINT, is_number, is_rate
from steps.core.formats.text.unit_names import bare
from steps.errors import UserError, listed, shown

FRAME, SUB_FRAME = "Frame", "Sub Frame"
_SECTION: Final = re.compile(rb"^(Events|Devices|Joints|Model Outputs|Trajectories|Segments)[,;\t]*$", re.MULTILINE)
_END: Final = re.compile(rb"^[,;\t ]*$", re.MULTILINE)
_MOST_SECTIONS: Final = 50
_HEADER_ROWS: Final = 5
_DERIVED: Final = (("''", "_acceleration"), ("'", "_velocity"))  # Vicon's names of derivatives
_EVENTS, _DEVICES = "Events", "Devices"


@dataclass(frozen=True)
class _Section:
    name: str
    rate: float
    layout: Layout


def vicon(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of such a file: the sections that share the lowest rate, the others are left out and said."""
    first = head.lines[0].strip("\t,; ")
    if not _SECTION.fullmatch(first.encode()) or len(head.lines) < 3:
        return None
    separator = next((mark for mark in ("\t", ";", ",") if any(mark in line for line in head.lines[2:5])), ",")
    if not is_number(split(head.lines[1], separator)[0], POINT):
        return None
    starts = [(matched.start(), matched[1].decode()) for matched in _SECTION.finditer(head.text)]
    if len(starts) > _MOST_SECTIONS:
        raise UserError(
            f"{name} has {len(starts)} sections, expected a few: {listed(sorted({one for _, one in starts}))}"
        )
    ends = [start for start, _ in starts[1:]] + [len(head.text)]
    events: tuple[Event, ...] = ()
    sections = []
    for (start, title), end in zip(starts, ends, strict=True):
        line = head.text.count(b"\n", 0, start)
        if title == _EVENTS:
            events = _events(head.text[start:end], separator)
        else:
            sections.append(_section(head.text, start, end, line, title, separator, name))
    if not sections:
        raise UserError(
            f"{name} holds no section of recordings, expected Devices, Joints, Model Outputs or Trajectories"
        )
    lowest = min(section.rate for section in sections)
    taken = [section for section in sections if section.rate == lowest]
    notes = [
        f"Left out the section {section.name}, recorded at {section.rate:g} Hz, {lowest:g} Hz are read."
        for section in sections
        if section.rate != lowest
    ]
    layouts = [section.layout for section in taken]
    names = [column for layout in layouts for column in layout.names if column not in (FRAME, SUB_FRAME)]
    if not different(names):
        layouts = [_prefixed(section) for section in taken]
    titles = " and ".join(section.name for section in taken)
    return replace(
        layouts[0],
        kind="Vicon",
        about=f"{titles} at {lowest:g} Hz",
        left_out=(FRAME, SUB_FRAME),
        counter=FRAME,
        sub_counter=SUB_FRAME,
        rate=lowest,
        notes=tuple(notes),
        events=events,
        more=tuple(layouts[1:]),
    )


def _section(text: bytes, start: int, end: int, line: int, title: str, separator: str, name: str) -> _Section:
    lines = text[start:end].split(b"\n", _HEADER_ROWS + 1)
    rows = [split(one.decode("utf-8", "replace"), separator) for one in lines[:_HEADER_ROWS]]
    where = f"{name}, row {line + 1}: the section {title}"
    if len(lines) <= _HEADER_ROWS or not lines[_HEADER_ROWS].strip() or rows[3][:2] != [FRAME, SUB_FRAME]:
        raise UserError(
            f"{where} has not the five rows above its numbers that Vicon writes (name, rate, titles, Frame and Sub "
            "Frame, units)"
        )
    if not is_number(rows[1][0], POINT) or not is_rate(float(rows[1][0])):
        raise UserError(f"{where} has the rate {shown(rows[1][0])}, expected a number")
    width = len(rows[3])
    while width > 2 and not rows[3][width - 1]:
        width -= 1
    titles, units = spread(widened(rows[2], width)), widened(rows[4], width)
    names = [FRAME, SUB_FRAME, *map(_named, titles[2:], rows[3][2:width])]
    if not different(names):
        raise UserError(
            f"{where} has several columns named {listed([one for one in names if names.count(one) > 1][:1])}"
        )
    below = sum(len(one) + 1 for one in lines[:_HEADER_ROWS])
    stop = _END.search(text, start + below, end)
    last = line + text.count(b"\n", start, stop.start() if stop else end) + (0 if stop else 1)
    head = Head([one.decode("utf-8", "replace") for one in text[start + below : end].split(b"\n", 20)[:20]], False)
    layout = Layout(
        separator,
        tuple(names),
        line + _HEADER_ROWS,
        end=last,
        header_rows=2,
        header=line + 3,
        units={column: bare(unit) for column, unit in zip(names, units, strict=True) if bare(unit)},
        decimal=decimal_below(head, 0, separator),
    )
    return _Section(title, float(rows[1][0]), layout)


def _named(title: str, column: str) -> str:
    """``LKNE_x`` of the title ``S01:LKNE`` and the column ``X``: whose it is says the study, not the column."""
    for ending, word in _DERIVED:
        if column.endswith(ending):
            column = column.removesuffix(ending) + word
    return "_".join(part for part in (title.rpartition(":")[2].strip(), column) if part)


def _prefixed(section: _Section) -> Layout:
    names = {one: one if one in (FRAME, SUB_FRAME) else f"{section.name}_{one}" for one in section.layout.names}
    units = {names[column]: unit for column, unit in section.layout.units.items()}
    return replace(section.layout, names=tuple(names.values()), units=units)


def _events(text: bytes, separator: str) -> tuple[Event, ...]:
    rows = [split(line, separator) for line in text.decode("utf-8", "replace").split("\n")[2:] if line.strip("\t,; ")]
    if not rows or not {"Context", "Name", "Time (s)"} <= {*rows[0]}:
        return ()
    context, called, time = (rows[0].index(title) for title in ("Context", "Name", "Time (s)"))
    decimal = COMMA if separator != COMMA and any(COMMA in row[time] for row in rows[1:] if len(row) > time) else POINT
    events = [
        Event(float(row[time].replace(decimal, POINT)), " ".join(filter(None, (row[context], row[called]))))
        for row in rows[1:]
        if len(row) > max(context, called, time) and is_number(row[time], decimal)
    ]
    return tuple(sorted(events, key=lambda event: event.time))
