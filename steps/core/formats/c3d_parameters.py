"""The parameters of a C3D file: groups of named values, read within the bounds of the file whatever it says.

The format: Motion Lab Systems, "The C3D File Format User Guide" (2021), sections "parameter section" and "processor
type". Own code, because libraries trust what a file says about its sizes: a damaged one ended the process.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steps.core.formats.file_table import Doubles

BLOCK: Final = 512
_KEY: Final = 0x50
_PROCESSORS: Final = {84: "intel", 85: "dec", 86: "mips"}
_MOST: Final = 20_000
_WIDTHS: Final = {-1: 1, 1: 1, 2: 2, 4: 4}


class DamagedError(Exception):
    """What is wrong with a file, in a few words."""


@dataclass(frozen=True)
class Machine:
    """How the computer that wrote a file wrote numbers: ``intel``, ``dec`` or ``mips``."""

    name: str

    @property
    def order(self) -> str:
        """Byte order, as NumPy and struct write it."""
        return ">" if self.name == "mips" else "<"

    def word(self, raw: bytes, at: int) -> int:
        """An unsigned 16-bit number."""
        return int(struct.unpack_from(f"{self.order}H", raw, at)[0])

    def floats(self, raw: bytes | memoryview) -> Doubles:
        """32-bit floats as float64; a DEC float is an IEEE float with swapped halves, four times as large."""
        if self.name == "dec":
            halves = np.frombuffer(raw, "<u2").reshape(-1, 2)[:, ::-1]
            return np.ascontiguousarray(halves).view("<f4").reshape(-1).astype(np.float64) / 4
        return np.frombuffer(raw, f"{self.order}f4").astype(np.float64)


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters by ``GROUP:NAME``, in upper case: text as a list, numbers as an array.

    Attributes:
        machine: how numbers are written.
        values: of the parameters.
        shapes: their dimensions, the fastest first, as the file has them; of text, without the letters.
    """

    machine: Machine
    values: Mapping[str, list[str] | npt.NDArray[Any]]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def texts(self, name: str) -> list[str]:
        """All texts of a parameter and its continuations (LABELS, LABELS2, …); none where there is none."""
        found: list[str] = []
        for part in self._parts(name):
            value = self.values[part]
            found += value if isinstance(value, list) else []
        return found

    def text(self, name: str) -> str:
        """The first text of a parameter; "" where there is none."""
        return next(iter(self.texts(name)), "")

    def numbers(self, name: str) -> Doubles:
        """All numbers of a parameter and its continuations; none where there is none."""
        values = [self.values[part] for part in self._parts(name)]
        found = [np.asarray(value, dtype=np.float64) for value in values if not isinstance(value, list)]
        return np.concatenate(found) if found else np.zeros(0)

    def whole(self, name: str) -> list[int]:
        """The numbers of a parameter as whole ones, 16-bit ones unsigned: counts of more than 32,767 are stored so."""
        return [int(one) + 65536 * (-32768 <= one < 0) for one in self.numbers(name) if math.isfinite(one)]

    def _parts(self, name: str) -> list[str]:
        parts = [name] if name in self.values else []
        while parts and (further := f"{name}{len(parts) + 1}") in self.values:
            parts.append(further)
        return parts


def read_parameters(raw: bytes) -> Parameters:
    """The parameters of a C3D file.

    Raises:
        DamagedError: it is no C3D file, or what it says of itself leads out of it.
    """
    if len(raw) < 2 * BLOCK or raw[1] != _KEY:
        raise DamagedError("its first bytes are not those of a C3D file")
    start = (raw[0] - 1) * BLOCK
    if start < 0 or start + 4 > len(raw) or raw[start + 3] not in _PROCESSORS:
        raise DamagedError("it has no parameter section where it should be")
    machine = Machine(_PROCESSORS[raw[start + 3]])
    groups: dict[int, str] = {}
    found: list[tuple[int, str, list[str] | npt.NDArray[Any], tuple[int, ...]]] = []
    at = start + 4
    try:
        for _ in range(_MOST):
            length, group = struct.unpack_from("bb", raw, at)
            if not length or not group:
                break
            name = _text(raw[at + 2 : at + 2 + abs(length)]).upper()
            at += 2 + abs(length)
            step = machine.word(raw, at)
            if group < 0:
                groups[-group] = name
            else:
                found.append((group, name, *_value(raw, at + 2, machine)))
            if not step:
                break
            at += step
    except struct.error as error:
        raise DamagedError("its parameter section ends in the middle") from error
    values, shapes = {}, {}
    for number, name, value, shape in found:
        whole = f"{groups.get(number, '')}:{name}"
        values[whole], shapes[whole] = value, shape
    return Parameters(machine, values, shapes)


def _value(raw: bytes, at: int, machine: Machine) -> tuple[list[str] | npt.NDArray[Any], tuple[int, ...]]:
    kind, dimensions = struct.unpack_from("bB", raw, at)
    shape = tuple(raw[at + 2 : at + 2 + dimensions])
    start = at + 2 + dimensions
    if kind not in _WIDTHS or len(shape) < dimensions or dimensions > 7:
        raise DamagedError("one of its parameters is of an unknown kind")
    count = math.prod(shape)
    part = raw[start : start + count * _WIDTHS[kind]]
    if len(part) < count * _WIDTHS[kind]:
        raise DamagedError("one of its parameters is longer than the file")
    if kind == -1:
        letters = shape[0] if shape else 1
        texts = [_text(part[i : i + letters]) for i in range(0, len(part), letters)] if letters else []
        return texts, shape[1:]
    if kind == 1:
        return np.frombuffer(part, np.int8), shape
    return machine.floats(part) if kind == 4 else np.frombuffer(part, f"{machine.order}i2"), shape


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(" \0\t\r\n")
