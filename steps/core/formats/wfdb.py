"""WFDB, the format of PhysioNet: a header, samples in files beside it, perhaps annotations.

The format: G. Moody, "WFDB Applications Guide" (2022), pages header(5), signal(5), annot(5). Own code, because the
package wfdb opens whatever file or address a header names, and needs libraries for sound and networks; the tests
compare with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.core.formats.file_table import Event, FileTable, RawFile, check_values, numbered
from steps.core.formats.rates import at_the_fastest
from steps.errors import UserError, shown

Samples = npt.NDArray[np.int64]
_RATE, _GAIN, _UNIT = 250.0, 200.0, "mV"  # where a header does not say
# Bits of a sample, and the number that stands for none.
_FORMATS: Final = {"16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12}
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RECORD: Final = re.compile(rf"(\S+?)(/\d+)?\s+(\d+)(?:\s+({_NUMBER})\S*(?:\s+(\d+).*)?)?")
_SIGNAL: Final = re.compile(
    rf"(\S+)\s+(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?"
    rf"(?:\s+({_NUMBER})(?:\(([-+]?\d+)\))?(?:/(\S+))?(?:\s+\d+(?:\s+([-+]?\d+)(?:\s+[-+]?\d+(?:\s+([-+]?\d+)"
    r"(?:\s+\d+(?:\s+(.*))?)?)?)?)?)?)?\s*"
)
_ANNOTATIONS: Final = ".atr"
_SKIP, _NUM, _SUB, _CHANNEL, _TEXT = 59, 60, 61, 62, 63
_SIGNS: Final = ' NLRaVFJASEj/Q~ | sT*D"=pB^t+u?![]en@xf()r'  # of kinds of annotations, by their number


@dataclass(frozen=True)
class _Signal:
    """What a header says of one signal."""

    file: str
    format: str
    per_frame: int
    offset: int
    gain: float
    baseline: int
    unit: str
    checksum: int | None
    name: str


def read_wfdb(file: RawFile) -> FileTable:
    """A WFDB record as columns, all at the rate of its fastest signal that is wanted; annotations (``.atr``) as events.

    Raises:
        UserError: it is damaged, cut short, in several segments, or its samples are in a format that is not read.
    """
    rate, length, signals = _header(file)
    notes: list[str] = []
    names = numbered([signal.name for signal in signals], notes)
    values, own_rates, odd = {}, [], []
    for name, (signal, samples) in zip(names, _samples(signals, length, file), strict=True):
        if signal.checksum is not None and (int(samples.sum()) - signal.checksum) % 65536:
            odd.append(name)
        if not file.wants(name):
            continue
        missing = samples == _missing(signal.format)
        values[name] = np.where(missing, np.nan, (samples - signal.baseline) / signal.gain)
        own_rates.append(rate * signal.per_frame)
    if not values:
        raise UserError(f"{file.name} holds no signal")
    if odd:
        notes.append("Sums of samples are not those in the header.")
    columns = at_the_fastest(values, own_rates, file, notes)
    units = {name: signal.unit for name, signal in zip(names, signals, strict=True) if name in values and signal.unit}
    return FileTable(pa.table(columns), units, "WFDB", notes=tuple(notes), events=_events(file, rate))


def _header(file: RawFile) -> tuple[float, int | None, list[_Signal]]:
    """Frames per second, number of frames where it is said, and the signals."""
    text = file.raw.decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if not record:
        raise UserError(f"{file.name} is not a readable WFDB header: its first line names no record; get it again")
    _, segments, count, rate, length = record.groups()
    if segments:
        raise UserError(f"{file.name} is made of several segments, expected a record of one (xform makes one)")
    signals = [_signal(line, i, file) for i, line in enumerate(lines[1 : int(count[:6]) + 1])]
    if len(signals) < int(count[:6]) or not signals:
        raise UserError(f"{file.name} says that there are {count} signals, but names {len(signals)}; get it again")
    frames = int(length[:15]) if length else 0
    return float(rate) if rate else _RATE, frames or None, signals


def _signal(line: str, i: int, file: RawFile) -> _Signal:
    found = _SIGNAL.fullmatch(line)
    if not found:
        raise UserError(f"{file.name} is not a readable WFDB header: it says {shown(line)} of a signal; get it again")
    name, kind, per_frame, skew, offset, gain, baseline, unit, zero, checksum, described = found.groups()
    if kind not in _FORMATS:
        raise UserError(
            f"{file.name}: samples are in format {kind}, expected one of {', '.join(_FORMATS)}: convert it with xform"
        )
    if skew and int(skew[:9]):
        raise UserError(
            f"{file.name}: signals are shifted against each other (skew), which is not read: convert it with xform"
        )
    factor = float(gain) if gain else 0.0
    if not np.isfinite(factor):
        raise UserError(f"{file.name}: a signal has the gain {gain}, expected a number; get it again")
    return _Signal(
        file=name,
        format=kind,
        per_frame=int(per_frame[:6]) if per_frame else 1,
        offset=int(offset[:15]) if offset else 0,
        gain=factor or _GAIN,
        baseline=int((baseline or zero or "0")[:12]),
        unit=unit or _UNIT,
        checksum=int(checksum[:12]) if checksum else None,
        name=(described or "").strip() or f"signal_{i + 1}",
    )


def _samples(signals: Sequence[_Signal], length: int | None, file: RawFile) -> list[tuple[_Signal, Samples]]:
    """The samples of each signal, which stand in turns in their files."""
    found: list[tuple[_Signal, Samples]] = []
    for name in dict.fromkeys(signal.file for signal in signals):
        theirs = [signal for signal in signals if signal.file == name]
        kind, offset, width = theirs[0].format, theirs[0].offset, sum(signal.per_frame for signal in theirs)
        if not width or any((one.format, one.offset) != (kind, offset) or not one.per_frame for one in theirs):
            raise UserError(f"{file.name}: signals of {shown(name)} are in several formats; convert it with xform")
        raw = file.beside(name)[offset:]
        held = len(raw) * 8 // _FORMATS[kind] // width
        frames = held if length is None else length
        if frames > held or not held:
            raise UserError(f"{file.name} says {frames} samples, but {shown(name)} holds {held}; it was cut short")
        check_values(frames * width, file)
        table = _whole_numbers(raw, kind, frames * width).reshape(frames, width)
        at = 0
        for signal in theirs:
            found.append((signal, table[:, at : at + signal.per_frame].reshape(-1)))
            at += signal.per_frame
    order = {id(signal): i for i, signal in enumerate(signals)}
    return sorted(found, key=lambda pair: order[id(pair[0])])


def _whole_numbers(raw: bytes, kind: str, count: int) -> Samples:
    if kind == "212":  # three bytes hold two samples
        triples = np.frombuffer(raw[: -(-count // 2) * 3].ljust(-(-count // 2) * 3, b"\0"), np.uint8).reshape(-1, 3)
        low = triples.astype(np.int64)
        pairs = np.stack([low[:, 0] | (low[:, 1] & 0x0F) << 8, low[:, 2] | (low[:, 1] & 0xF0) << 4], axis=1)
        numbers = pairs.reshape(-1)[:count]
        return np.where(numbers >= 2048, numbers - 4096, numbers)
    if kind == "24":
        triples = np.frombuffer(raw, np.uint8, 3 * count).reshape(-1, 3).astype(np.int64)
        numbers = triples[:, 0] | triples[:, 1] << 8 | triples[:, 2] << 16
        return np.where(numbers >= 1 << 23, numbers - (1 << 24), numbers)
    dtype = {"16": "<i2", "61": ">i2", "32": "<i4", "80": "u1", "160": "<u2"}[kind]
    numbers = np.frombuffer(raw, dtype, count).astype(np.int64)
    return numbers - {"80": 128, "160": 32768}.get(kind, 0)


def _missing(kind: str) -> int:
    return -(1 << (_FORMATS[kind] - 1))


def _events(file: RawFile, rate: float) -> tuple[Event, ...]:
    """Annotations beside the header: their text, else their sign; none where there is no such file."""
    try:
        raw = file.beside(file.name.rpartition("/")[2].rpartition(".")[0] + _ANNOTATIONS)
    except (UserError, OSError):
        return ()
    events: list[tuple[int, str]] = []
    now, at = 0, 0
    words = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").tolist()
    while at < len(words) and words[at]:
        kind, interval = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if kind == _SKIP and at + 1 < len(words):
            jump = words[at] << 16 | words[at + 1]
            now += jump - (1 << 32) * (jump >= 1 << 31)
            at += 2
        elif kind == _TEXT:
            if events:
                text = raw[2 * at : 2 * at + interval].decode("utf-8", "replace").strip("\0 ")
                events[-1] = events[-1][0], text or events[-1][1]
            at += (interval + 1) // 2
        elif kind not in (_NUM, _SUB, _CHANNEL, _SKIP):
            now += interval
            sign = _SIGNS[kind : kind + 1].strip()
            events.append((now, sign or f"annotation {kind}"))
    return tuple(Event(sample / rate, name) for sample, name in events if sample >= 0)
