"""C3D, the format of motion capture: points, angles, moments, powers, analog signals, and events.

Every point is three columns, ``LKNE_x``, ``LKNE_y``, ``LKNE_z``; every analog channel is one. Time is the number of the
frame over the rate, so that events, which count from the recording's first frame, lie on the same clock.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from scipy.signal import resample_poly

from steps.core.formats.c3d_parameters import BLOCK, DamagedError, Parameters, read_parameters
from steps.core.formats.file_table import Doubles, Event, FileTable, RawFile, check_values, numbered
from steps.errors import UserError

_AXES: Final = "xyz"
_UNNAMED: Final = "*"
# Lists of points that are no places, and the parameter that holds their unit.
_DERIVED: Final = {"ANGLES": "ANGLE_UNITS", "FORCES": "FORCE_UNITS", "MOMENTS": "MOMENT_UNITS",
                   "POWERS": "POWER_UNITS", "SCALARS": "SCALAR_UNITS", "REACTIONS": "FORCE_UNITS"}  # fmt: skip


@dataclass(frozen=True)
class _Layout:
    """What a file says of its data: numbers of things, and where they begin."""

    points: int
    channels: int
    per_frame: int  # samples of a channel
    first: int  # number of the first frame, from 1
    frames: int
    start: int
    rate: float
    is_float: bool

    @property
    def words(self) -> int:
        """Numbers of a frame."""
        return 4 * self.points + self.channels * self.per_frame


def read_c3d(file: RawFile) -> FileTable:
    """A C3D file as columns at the rate of its points, or of its analog channels where no point is wanted.

    Points that were not seen (residual below 0, or all of 0, 0, 0) are missing values; analog channels of a higher rate
    are brought to that of the points by `scipy.signal.resample_poly`, which moves nothing in time.

    Raises:
        UserError: it is damaged, cut short, or holds no data.
    """
    try:
        parameters = read_parameters(file.raw)
        layout = _layout(file.raw, parameters)
    except (DamagedError, struct.error, OverflowError) as error:
        why = str(error) if isinstance(error, DamagedError) else "what it says of itself leads out of it"
        raise UserError(f"{file.name} is not a readable C3D file: {why}; export it again") from error
    check_values(layout.frames * layout.words, file)
    notes: list[str] = []
    points, analog = _data(file.raw, layout, parameters)
    labels = _point_names(parameters, layout.points, notes)
    kept = _named(labels, notes)
    points = points.reshape(layout.frames, -1, 3)[:, kept].reshape(layout.frames, -1)
    names = [f"{labels[i]}_{axis}" for i in kept for axis in _AXES]
    channels = numbered(_filled(parameters.texts("ANALOG:LABELS"), layout.channels, "analog"), notes)
    rate, time_step = layout.rate, layout.first - 1
    if layout.channels and not any(file.wants(name) for name in names):
        names, rate, time_step = [], layout.rate * layout.per_frame, (layout.first - 1) * layout.per_frame
    elif layout.channels and layout.per_frame > 1:
        analog = resample_poly(analog, 1, layout.per_frame, axis=0, padtype="line")
        told = (
            f"Analog signals were brought from {rate * layout.per_frame:g} to {rate:g} per second, that of the points, "
            "through a low-pass filter: what is faster, as most of a raw EMG is, is not in them any more."
        )
        notes += [told] if any(map(file.wants, channels)) else []
    point_units = _point_units(parameters, layout.points)
    units = dict(zip(names, (point_units[i] for i in kept for _ in _AXES), strict=False))
    units |= dict(zip(channels, parameters.texts("ANALOG:UNITS"), strict=False))
    columns = {name: points[:, i] for i, name in enumerate(names)}
    columns |= {name: analog[:, i] for i, name in enumerate(channels)}
    if names and np.isnan(points).any():
        notes.append("Points that were not seen (residual below 0, or 0, 0, 0) are missing values.")
    rows = layout.frames * (1 if names or not layout.channels else layout.per_frame)
    table = {"time": (np.arange(rows) + time_step) / rate, **columns}
    return FileTable(
        pa.table({name: np.ascontiguousarray(column) for name, column in table.items()}),
        units={name: unit for name, unit in units.items() if unit},
        read_as="C3D",
        first_row=layout.first,
        notes=tuple(notes),
        events=_events(parameters),
    )


def _layout(raw: bytes, parameters: Parameters) -> _Layout:
    machine = parameters.machine
    points, per_frame_all, first, last = (machine.word(raw, at) for at in (2, 4, 6, 8))
    scale = _scale(raw, parameters)
    per_frame = machine.word(raw, 18) or 1
    start = ((machine.word(raw, 16) or next(iter(parameters.whole("POINT:DATA_START")), 0)) - 1) * BLOCK
    rates = [*parameters.numbers("POINT:RATE")[:1].tolist(), float(machine.floats(raw[20:24])[0])]
    rate = next((one for one in rates if 0 < one < np.inf), 0.0)
    channels, rest = divmod(per_frame_all, per_frame)
    if not points and rest == 0 and not rate:
        rate = next(iter(parameters.numbers("ANALOG:RATE").tolist()), 0.0) / per_frame
    layout = _Layout(points, channels, per_frame, max(first, 1), 0, start, rate, scale < 0)
    if not layout.words:
        raise DamagedError("it holds neither points nor analog signals")
    if rest or start < 0 or not 0 < rate < np.inf:
        raise DamagedError("its header says what cannot be")
    for name, count in (("POINT", points), ("ANALOG", channels)):
        used = parameters.whole(f"{name}:USED")[:1]
        if used and used[0] != count:
            what = "points" if name == "POINT" else "analog channels"
            raise DamagedError(f"its header says {count} {what}, its parameters {used[0]}")
    size = layout.words * (4 if layout.is_float else 2)
    possible = max(len(raw) - start, 0) // size
    begin, end = parameters.whole("TRIAL:ACTUAL_START_FIELD"), parameters.whole("TRIAL:ACTUAL_END_FIELD")
    said = [last - first + 1]
    if len(begin) == len(end) == 2:
        # Their first frame counts where the header's, of 16 bits, ran over.
        said.append(end[0] - begin[0] + 65536 * (end[1] - begin[1]) + 1)
    said += [parameters.whole(name)[0] for name in ("POINT:LONG_FRAMES", "POINT:FRAMES") if parameters.whole(name)]
    fitting = [one for one in said if 0 < one <= possible]
    # The last block of a file is padded; what fills the file but for that is right.
    whole = [one for one in fitting if (possible - one) * size < BLOCK]
    frames = next(iter(whole or fitting), 0)
    if not whole and max(said) > possible:
        raise DamagedError(f"it says {max(said)} frames, but holds {possible}; it was cut short")
    if not frames:
        raise DamagedError("it holds no frame")
    return _Layout(points, channels, per_frame, max(first, 1), frames, start, rate, scale < 0)


def _scale(raw: bytes, parameters: Parameters) -> float:
    """Factor of whole numbers; below 0 where data are floats."""
    scale = float(parameters.machine.floats(raw[12:16])[0])
    if not scale or not np.isfinite(scale):
        scale = next(iter(parameters.numbers("POINT:SCALE").tolist()), 0.0)
    if not scale or not np.isfinite(scale):
        raise DamagedError("it has no scale")
    return scale


def _data(raw: bytes, layout: _Layout, parameters: Parameters) -> tuple[Doubles, Doubles]:
    """Points, shape ``(frames, 3 * points)``, and analog signals, ``(frames * per_frame, channels)``."""
    machine, scale = parameters.machine, _scale(raw, parameters)
    count = layout.frames * layout.words
    part = memoryview(raw)[layout.start : layout.start + count * (4 if layout.is_float else 2)]
    words = machine.floats(part) if layout.is_float else np.frombuffer(part, f"{machine.order}i2")
    words = words.reshape(layout.frames, layout.words)
    four = words[:, : 4 * layout.points].reshape(layout.frames, layout.points, 4)
    points = four[:, :, :3] * (1.0 if layout.is_float else scale)
    with np.errstate(invalid="ignore"):
        points[~(four[:, :, 3] >= 0)] = np.nan
    places = np.array(_places(parameters, layout.points), dtype=np.bool_)
    points[(points == 0).all(axis=2) & places] = np.nan
    analog = words[:, 4 * layout.points :].reshape(layout.frames * layout.per_frame, layout.channels)
    offsets = parameters.numbers("ANALOG:OFFSET")
    if parameters.text("ANALOG:FORMAT").upper() == "UNSIGNED":
        offsets = np.where(offsets < 0, offsets + 65536, offsets)
        if not layout.is_float:
            analog = analog.view(f"{machine.order}u2")
    general = next(iter(parameters.numbers("ANALOG:GEN_SCALE").tolist()), 1.0)
    factors = _padded(parameters.numbers("ANALOG:SCALE"), layout.channels, 1.0) * general
    with np.errstate(over="ignore", invalid="ignore"):
        analog = (analog - _padded(offsets, layout.channels, 0.0)) * factors
    return points.reshape(layout.frames, -1), analog


def _padded(values: Doubles, count: int, value: float) -> Doubles:
    return np.concatenate([values[:count], np.full(max(count - len(values), 0), value)])


def _places(parameters: Parameters, count: int) -> list[bool]:
    """Which points are places, shape ``(points,)``: 0, 0, 0 may well be an angle or a moment."""
    derived = {_bare(label) for group in _DERIVED for label in parameters.texts(f"POINT:{group}")}
    return [_bare(label) not in derived for label in _filled(parameters.texts("POINT:LABELS"), count, "point")]


def _bare(label: str) -> str:
    """A label without what stands before a colon: the person's name, mostly, which only some lists have."""
    return label.partition(":")[2] or label


def _filled(labels: Sequence[str], count: int, name: str) -> list[str]:
    """A label for each, numbered where the file has none."""
    return [label or f"{name}_{i + 1}" for i, label in enumerate([*labels, *[""] * count][:count])]


def _point_names(parameters: Parameters, count: int, notes: list[str]) -> list[str]:
    """Names of points, without a prefix if there is but one."""
    labels = _filled(parameters.texts("POINT:LABELS"), count, "point")
    prefixes = {label.partition(":")[0] for label in labels if ":" in label}
    bare = [_bare(label) for label in labels]
    if len(prefixes) == 1 and len(set(bare)) == len(set(labels)):
        notes.append("The names of points are taken without what stands before the colon.")
        labels = bare
    return numbered(labels, notes)


def _named(labels: Sequence[str], notes: list[str]) -> list[int]:
    """Places of the points but for those that the program numbered because nobody had named them."""
    kept = [i for i, label in enumerate(labels) if not label.startswith(_UNNAMED)]
    if len(kept) < len(labels):
        notes.append("Points that nobody named (such as *110) are not taken.")
    return kept


def _point_units(parameters: Parameters, count: int) -> list[str]:
    """The unit of each point, "" where it is not known."""
    derived = {
        _bare(label): parameters.text(f"POINT:{unit}")
        for group, unit in _DERIVED.items()
        for label in parameters.texts(f"POINT:{group}")
    }
    labels = _filled(parameters.texts("POINT:LABELS"), count, "point")
    return [derived.get(_bare(label), parameters.text("POINT:UNITS")) for label in labels]


def _events(parameters: Parameters) -> tuple[Event, ...]:
    """Events with their side, as ``Left Foot Strike``; their times are minutes and seconds since the first frame."""
    times = parameters.numbers("EVENT:TIMES")
    pairs = times[: len(times) // 2 * 2].reshape(-1, 2)
    labels, sides = parameters.texts("EVENT:LABELS"), parameters.texts("EVENT:CONTEXTS")
    events = [
        Event(float(60 * minutes + seconds), " ".join(part for part in (side, label) if part))
        for (minutes, seconds), label, side in zip(pairs.tolist(), labels, [*sides, *[""] * len(labels)], strict=False)
        if np.isfinite(minutes + seconds) and label
    ]
    return tuple(sorted(events, key=lambda event: event.time))
