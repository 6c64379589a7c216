"""Exports as text of BIOPAC AcqKnowledge, ADInstruments LabChart and Qualisys Track Manager."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from steps.core.formats.text.head import Head, split
from steps.core.formats.text.header import different
from steps.core.formats.text.known.common import decimal_below
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import is_any_number, is_rate, whole
from steps.errors import UserError

_PER_SAMPLE: Final = re.compile(r"\s*([\d.,]+)\s*(sec|msec|microsec|µsec|usec|min)/sample\s*")
_CHANNELS: Final = re.compile(r"\s*(\d{1,4}) channels?\s*")
_CHANNEL: Final = re.compile(r"CH\d+(?:,\s*\d+)?")
_SCALE: Final = "horizontal scale"
_INTERVAL: Final = re.compile(r"([\d.,]+)\s*(s|ms|min|h)")
_SECONDS: Final = {"sec": 1.0, "msec": 1e-3, "microsec": 1e-6, "µsec": 1e-6, "usec": 1e-6, "min": 60.0, "s": 1.0,
                   "ms": 1e-3, "h": 3600.0}  # fmt: skip


def acqknowledge(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of AcqKnowledge's text: file, interval, names and units of channels, ``CH1 CH2``, their samples.

    Time is made from the interval, in seconds, whatever the unit of the horizontal scale.
    """
    lines = head.lines
    if len(lines) < 6 or not (interval := _PER_SAMPLE.fullmatch(lines[1])):
        return None
    if not (channels := _CHANNELS.fullmatch(lines[2])):
        return None
    count = int(channels[1])
    at = 3 + 2 * count
    if len(lines) < at + 3:
        raise UserError(f"{name} says that it has {count} channels, but ends before their samples")
    separator = next((mark for mark in ("\t", ";", ",", " ") if mark in lines[at]), "")
    titles = [cell for cell in split(lines[at].strip(), separator) if cell]
    if sum(bool(_CHANNEL.fullmatch(title)) for title in titles) != count:
        raise UserError(f"{name}, row {at + 1} does not name the {count} channels CH1, CH2, …, as AcqKnowledge does")
    names = [line.strip() for line in lines[3:at:2]]
    if not different(names):
        names = [f"{title} {one}" for title, one in zip(titles[-count:], names, strict=True)]
    left_out = (_SCALE,) * (len(titles) - count)
    counts = [cell for cell in split(lines[at + 1].strip(), separator) if cell]
    first = at + 2 if all(whole(cell) is not None for cell in counts) and len(counts) == count else at + 1
    units = {one: line.strip() for one, line in zip(names, lines[4:at:2], strict=True) if line.strip()}
    return Layout(
        separator,
        (*left_out, *names),
        first,
        kind="AcqKnowledge",
        header=at,
        units=units,
        left_out=left_out,
        rate=_rate(interval[1], interval[2]),
        decimal=decimal_below(head, first, separator),
    )


def labchart(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of LabChart's text: rows ``Interval=``, ``ChannelTitle=`` and others, then time and channels."""
    lines = head.lines
    if not lines[0].startswith("Interval="):
        return None
    keys = [line.partition("=")[0] for line in lines]
    first = next((i for i, key in enumerate(keys) if key == lines[i]), len(lines))
    if "ChannelTitle" not in keys[:first] or first == len(lines):
        raise UserError(f"{name} begins as text of LabChart, but names no channels, or ends before their samples")
    titles = [cell for cell in split(lines[keys.index("ChannelTitle")], "\t")[1:] if cell]
    width = len(split(lines[first].rstrip(), "\t"))
    if width - len(titles) not in (0, 1):
        raise UserError(f"{name}, row {first + 1} has {width} cells, but its header names {len(titles)} channels")
    units = split(lines[keys.index("UnitName")], "\t")[1:] if "UnitName" in keys[:first] else []
    interval = _INTERVAL.search(lines[0])
    return Layout(
        "\t",
        (*(["time"] if width > len(titles) else []), *titles),
        first,
        kind="LabChart",
        header=keys.index("ChannelTitle"),
        units={title: unit for title, unit in zip(titles, units, strict=False) if unit and unit != "*"},
        rate=_rate(interval[1], interval[2]) if interval else None,
        decimal=decimal_below(head, first, "\t"),
    )


def qualisys(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of Qualisys' TSV: keys such as ``FREQUENCY`` and ``MARKER_NAMES``, then x, y, z of each marker."""
    lines = head.lines
    if not lines[0].startswith("NO_OF_FRAMES\t"):
        return None
    at = next((i for i, line in enumerate(lines) if line.startswith("MARKER_NAMES\t")), None)
    if at is None or at + 2 > len(lines):
        raise UserError(f"{name} begins as a TSV file of Qualisys, but names no markers, or ends before their samples")
    said = {cells[0]: cells[1:] for cells in (split(line.rstrip(), "\t") for line in lines[: at + 1])}
    markers = [marker for marker in said["MARKER_NAMES"] if marker]
    header = split(lines[at + 1].rstrip(), "\t")
    has_header = any(header) and not any(map(is_any_number, header))  # with or without Frame and Time
    first = at + 2 if has_header else at + 1
    counters = header[: len(header) - 3 * len(markers)] if has_header else []
    names = ["time" if one == "Time" else one for one in counters]
    names += [f"{marker}_{axis}" for marker in markers for axis in "xyz"]
    rate = float(said["FREQUENCY"][0]) if re.fullmatch(r"\d{1,6}(\.\d+)?", "".join(said.get("FREQUENCY", []))) else 0.0
    return Layout(
        "\t",
        tuple(names),
        first,
        kind="Qualisys",
        header=at,
        units=dict.fromkeys(names[len(counters) :], "mm"),
        left_out=tuple(one for one in names if one == "Frame"),
        rate=rate if is_rate(rate) else None,
        decimal=decimal_below(head, first, "\t"),
        rows=whole("".join(said["NO_OF_FRAMES"])),
        points=tuple(names[len(counters) :]),
    )


def _rate(interval: str, unit: str) -> float | None:
    """Samples per second of an interval between two."""
    if not re.fullmatch(r"\d{1,9}(?:[.,]\d{1,12})?", interval):
        return None
    seconds = float(interval.replace(",", ".")) * _SECONDS[unit]
    rate = round(1 / seconds, 9) if seconds else 0.0
    return rate if is_rate(rate) else None
