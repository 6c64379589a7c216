"""C3D files as computers of any make have written them, byte by byte after the format's description."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

PROCESSORS = {"intel": 84, "dec": 85, "mips": 86}
Doubles = npt.NDArray[np.float64]


def _floats(values: npt.ArrayLike, machine: str) -> bytes:
    array = np.asarray(values, dtype="<f4")
    if machine == "dec":
        return (array.reshape(-1) * np.float32(4)).view("<u2").reshape(-1, 2)[:, ::-1].tobytes()
    return array.astype(">f4" if machine == "mips" else "<f4").tobytes()


def _value(value: Any, machine: str) -> bytes:
    if isinstance(value, str):
        return struct.pack("bBB", -1, 1, len(value)) + value.encode()
    if isinstance(value, list) and value and isinstance(value[0], str):
        width = max(map(len, value))
        return struct.pack("bBBB", -1, 2, width, len(value)) + "".join(one.ljust(width) for one in value).encode()
    array = np.asarray(value)
    order = ">" if machine == "mips" else "<"
    kind, body = (2, array.astype(f"{order}i2").tobytes()) if array.dtype.kind == "i" else (4, _floats(array, machine))
    return struct.pack("bB", kind, array.ndim) + bytes(array.shape[::-1]) + body


def _section(parameters: Mapping[str, Any], machine: str) -> bytes:
    order = ">" if machine == "mips" else "<"
    groups = list(dict.fromkeys(name.partition(":")[0] for name in parameters))
    section = b""
    for i, group in enumerate(groups):
        section += struct.pack("bb", len(group), -(i + 1)) + group.encode() + struct.pack(f"{order}H", 3) + b"\0"
    for whole, value in parameters.items():
        group, _, name = whole.partition(":")
        body = _value(value, machine) + b"\0"
        section += struct.pack("bb", len(name), groups.index(group) + 1) + name.encode()
        section += struct.pack(f"{order}H", len(body) + 2) + body
    blocks = (len(section) + 6 + 511) // 512
    return (bytes([1, 0x50, blocks, PROCESSORS[machine]]) + section).ljust(512 * blocks, b"\0")


def c3d_bytes(
    points: Doubles,
    residuals: Doubles,
    parameters: Mapping[str, Any],
    analog: Sequence[Sequence[float]] = (),
    *,
    machine: str = "intel",
    scale: float = -1.0,
    rate: float = 100.0,
    first: int = 1,
    per_frame: int = 1,
) -> bytes:
    """A C3D file.

    Args:
        points: as stored, ``(frames, points, 3)``.
        residuals: the fourth number of each point, ``(frames, points)``.
        parameters: values by ``GROUP:NAME``.
        analog: as stored, ``(frames * per_frame, channels)``.
        machine: the make of computer.
        scale: below 0 for floats.
        rate: of the points.
        first: number of the first frame.
        per_frame: analog samples per frame.
    """
    order = ">" if machine == "mips" else "<"
    frames, count = points.shape[:2]
    parameters = {"POINT:SCALE": scale, "POINT:FRAMES": min(frames, 32767), **parameters, "POINT:RATE": rate}
    parameters |= {"ANALOG:RATE": rate * per_frame} if len(analog) else {}
    blocks = len(_section(parameters, machine)) // 512
    section = _section(parameters | {"POINT:DATA_START": 2 + blocks}, machine)
    blocks = len(section) // 512
    section = _section(parameters | {"POINT:DATA_START": 2 + blocks}, machine)
    four = np.concatenate([points, residuals[:, :, None]], axis=2).reshape(frames, -1)
    samples = np.asarray(analog, dtype=np.float64).reshape(frames, -1)
    words = np.concatenate([four, samples], axis=1)
    data = _floats(words, machine) if scale < 0 else words.astype(f"{order}i2").tobytes()
    header = struct.pack(f"{order}HHHHH", count, samples.shape[1], first, min(first + frames - 1, 65535), 10) + _floats(
        [scale], machine
    )
    header += struct.pack(f"{order}HH", 2 + blocks, per_frame) + _floats([rate], machine)
    whole_header = (b"\x02\x50" + header).ljust(512, b"\0")
    return whole_header + section + data + b"\0" * (-len(data) % 512)
