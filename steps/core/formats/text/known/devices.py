"""Devices whose header says the sampling rate: ActiGraph, Xsens, OpenSignals (BITalino, biosignalsplux)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from steps.core.formats.text.decimal_marks import decimal_mark
from steps.core.formats.text.head import Head, split
from steps.core.formats.text.header import different, find_layout
from steps.core.formats.text.known.common import decimal_below
from steps.core.formats.text.layout import Layout
from steps.core.formats.text.numbers import is_rate
from steps.core.formats.text.separators import find_separation
from steps.core.formats.time_column import is_time
from steps.errors import UserError

_ACTIGRAPH: Final = re.compile(r"\W*Data (?:Table )?File Created By ActiGraph", re.IGNORECASE)
_MADE_BY: Final = re.compile(r"\W*Data (?:Table )?File Created By ", re.IGNORECASE)
_AT: Final = re.compile(r"\bat (\d+(?:\.\d+)?) Hz")
_EPOCH: Final = re.compile(r"Epoch Period \(hh:mm:ss\)\W*(\d{1,4}):(\d\d):(\d\d)")
_AXES: Final = ("Accelerometer X", "Accelerometer Y", "Accelerometer Z")
_PACKETS: Final = "PacketCounter"
_PACKET_NUMBERS: Final = 1 << 16
_DIGITAL: Final = re.compile(r"nSeq|DI|DO|[IO]\d+")


def actigraph(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of ActiGraph's tables: ten lines, then names (not in all versions) and numbers."""
    if not _MADE_BY.match(head.lines[0]):
        return None
    rows = head.rows()
    separation = find_separation(rows)
    layout = find_layout(head, rows, separation) if separation else None
    if layout is None or separation is None:
        return None
    rate = layout.rate
    if matched := _AT.search(head.lines[0]):
        rate = float(matched[1]) if is_rate(float(matched[1])) else None
    elif matched := next(filter(None, map(_EPOCH.search, head.lines[:12])), None):
        hours, minutes, seconds = map(int, matched.groups())
        period = 3600 * hours + 60 * minutes + seconds
        rate = 1 / period if period else None
    names = layout.names or (_AXES if separation.width == len(_AXES) else ())
    kind = "ActiGraph" if _ACTIGRAPH.match(head.lines[0]) else "a device's table"
    decimal = decimal_mark(head.text, [row for row in rows if row.line >= layout.first], separation, name)
    return replace(layout, kind=kind, names=names, rate=rate, decimal=decimal) if names else None


def xsens(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of exports of MT Manager and of Xsens DOT: comments or keys, then names with ``PacketCounter``.

    The counter tells where packets were lost, and time is made of it and the update rate.
    """
    if not any(_PACKETS in line for line in head.lines):
        return None
    rows = head.rows()
    separation = find_separation(rows, head.separator)
    layout = find_layout(head, rows, separation) if separation else None
    if layout is None or separation is None or _PACKETS not in layout.names:
        return None
    decimal = decimal_mark(head.text, [row for row in rows if row.line >= layout.first], separation, name)
    layout = replace(layout, decimal=decimal)
    if layout.rate is None:
        return replace(layout, kind="Xsens", left_out=(_PACKETS,), notes=("Left out the numbers of packets.",))
    left_out = tuple(column for column in layout.names if column == _PACKETS or column.startswith("SampleTimeFine"))
    return replace(
        layout,
        kind="Xsens",
        left_out=left_out,
        counter=_PACKETS,
        wraps=_PACKET_NUMBERS,
        notes=("Left out the numbers of packets and the device's own clock.",),
    )


def opensignals(head: Head, name: str, _columns: Sequence[str] = ()) -> Layout | None:
    """The layout of OpenSignals' text files: a comment of JSON names columns and rate of each device."""
    if not head.lines[0].lstrip("# ").startswith("OpenSignals Text File Format") or len(head.lines) < 3:
        return None
    try:
        devices = list(json.loads(head.lines[1].lstrip("# ")).values())
        columns = [[str(column) for column in device["column"]] for device in devices]
        rates = {float(device["sampling rate"]) for device in devices}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{name} is a file of OpenSignals, but its second line is not the description that such files have; export "
            "it again"
        ) from error
    if len(rates) != 1 or not all(map(is_rate, rates)):
        raise UserError(f"{name} holds devices of several sampling rates, expected one; export each device by itself")
    names = [column for device in columns for column in device]
    if not different(names):
        names = [f"{column}_{i + 1}" for i, device in enumerate(columns) for column in device]
    first = next((i for i, line in enumerate(head.lines) if line.strip() and not line.startswith("#")), len(head.lines))
    if first == len(head.lines):
        raise UserError(f"{name} ends with its header, expected rows of numbers")
    separator = "\t" if "\t" in head.lines[first] else " "
    width = len(split(head.lines[first].rstrip(), separator))
    if width != len(names):
        raise UserError(f"{name}, row {first + 1} has {width} cells, but its header names {len(names)} columns")
    left_out = tuple(column for column in names if _DIGITAL.fullmatch(re.sub(r"_\d+$", "", column)))
    return Layout(
        separator,
        tuple(names),
        first,
        kind="OpenSignals",
        header=1,
        left_out=left_out if len(left_out) < len(names) else (),
        rate=None if any(map(is_time, names)) else rates.pop(),
        decimal=decimal_below(head, first, separator),
        notes=("Left out the numbers of packets and digital channels.",) if left_out else (),
    )
