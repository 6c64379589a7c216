"""MATLAB files of versions 5 to 7, within the bounds of the file whatever it says.

The format: The MathWorks, "MAT-File Format" (R2023b), level 5. Own code, because SciPy's ended the process on damaged
files; the tests compare with it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

HEADER: Final = 128
_NUMBERS: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_LETTERS: Final = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5
_NUMERIC: Final = range(6, 16)
_COMPLEX: Final = 0x0800
_DEEPEST: Final = 32
_LONGEST_NAME: Final = 256


class DamagedError(Exception):
    """What is wrong with a file, in a few words."""


@dataclass(frozen=True)
class Unread:
    """A value of a kind that is no numbers, text, cells or struct."""

    what: str


@dataclass(frozen=True)
class _Element:
    kind: int
    data: memoryview


@dataclass(frozen=True)
class _Reader:
    """Reads values in one byte order, ``<`` or ``>``."""

    order: str

    def elements(self, data: memoryview) -> Iterator[_Element]:
        """The elements that follow each other in ``data``."""
        at = 0
        while at + 8 <= len(data):
            kind, length = (int(one) for one in np.frombuffer(data[at : at + 8], f"{self.order}u4"))
            if kind >> 16:  # up to four bytes, in the tag itself
                length, kind, start, step = kind >> 16, kind & 0xFFFF, at + 4, 8
                if length > 4:
                    raise DamagedError("an element says that it is longer than it is")
            else:
                start = at + 8
                step = 8 + (length if kind == _COMPRESSED else -(-length // 8) * 8)
            if start + length > len(data):
                raise DamagedError("it ends in the middle of a value")
            yield _Element(kind, data[start : start + length])
            at += step

    def numbers(self, element: _Element) -> npt.NDArray[Any]:
        """The numbers of an element."""
        if element.kind not in _NUMBERS:
            raise DamagedError("numbers are of an unknown kind")
        dtype = np.dtype(f"{self.order}{_NUMBERS[element.kind]}")
        return np.frombuffer(element.data[: len(element.data) // dtype.itemsize * dtype.itemsize], dtype)

    def said(self, compressed: _Element) -> int:
        """How many bytes a compressed element says that it unpacks to, after its tag."""
        tag = _inflate(compressed.data[:4096], 8).ljust(8, b"\0")
        return int(np.frombuffer(tag, f"{self.order}u4")[1])

    def matrix(self, data: memoryview, depth: int = 0) -> tuple[str, Any]:
        """Name and value of a variable, a cell or a field."""
        if not data:
            return "", np.zeros(0)
        if depth > _DEEPEST:
            raise DamagedError("structs lie in each other without end")
        parts = self.elements(data)
        flags = self.numbers(next(parts, _Element(0, data)))
        if len(flags) < 1:
            raise DamagedError("a value says nothing of its kind")
        kind, is_complex = int(flags[0]) & 0xFF, bool(int(flags[0]) & _COMPLEX)
        if kind not in (_CELL, _STRUCT, _CHAR, _SPARSE, *_NUMERIC):
            return self._name_of(parts), Unread("an object of a class")
        shape = tuple(int(one) for one in self.numbers(_next(parts)))
        name = bytes(_next(parts).data).decode("utf-8", "replace")
        count = math.prod(shape)
        if min(shape, default=0) < 0 or len(shape) > _DEEPEST:
            raise DamagedError("a value says that it has a size below 0")
        if kind == _SPARSE:
            return name, Unread("a sparse matrix (save it with full)")
        if kind == _CELL:
            return name, self._cells(parts, shape, depth)
        if kind == _STRUCT:
            return name, self._struct(parts, count, depth)
        if kind == _CHAR:
            return name, self._text(next(parts, _Element(1, data[:0])), shape)
        values = self.numbers(next(parts, _Element(9, data[:0])))
        if len(values) != count:
            raise DamagedError(f"a value says that it has {count:,} numbers, but has {len(values):,}")
        return name, Unread("complex numbers") if is_complex else values.reshape(shape, order="F")

    def _name_of(self, parts: Iterator[_Element]) -> str:
        """The name of an object, which stands at a place of its own: a guess for a message."""
        texts = [bytes(part.data).decode("ascii", "replace") for part in parts if part.kind == 1]
        return next((text for text in texts if text.isidentifier()), "")

    def _cells(self, parts: Iterator[_Element], shape: tuple[int, ...], depth: int) -> npt.NDArray[Any]:
        values = [self.matrix(part.data, depth + 1)[1] for part in parts if part.kind == _MATRIX]
        if len(values) != math.prod(shape):
            raise DamagedError("cells are missing")
        cells = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            cells[i] = value
        return cells.reshape(shape, order="F")

    def _struct(self, parts: Iterator[_Element], count: int, depth: int) -> Mapping[str, Any] | Unread:
        (width,) = self.numbers(_next(parts))[:1].tolist() or (0,)
        names = bytes(_next(parts).data)
        if count != 1:
            return Unread(f"an array of {count} structs")
        if not 0 < width <= _LONGEST_NAME:
            raise DamagedError("a struct has no names of fields")
        fields = [names[i : i + width].split(b"\0")[0].decode("utf-8", "replace") for i in range(0, len(names), width)]
        values = [self.matrix(part.data, depth + 1)[1] for part in parts if part.kind == _MATRIX]
        if len(values) != len(fields):
            raise DamagedError("fields of a struct are missing")
        return dict(zip(fields, values, strict=True))

    def _text(self, element: _Element, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Text: a row of letters is one, several rows are as many."""
        rows = shape[0] if shape else 1
        if element.kind not in _LETTERS:
            raise DamagedError("text is of an unknown kind")
        encoding = _LETTERS[element.kind]
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self.order == "<" else "-be"
        text = bytes(element.data).decode(encoding, "replace")
        if rows > max(len(text), 1):
            raise DamagedError("text is shorter than it says")
        return np.array([text[row::rows].rstrip() for row in range(rows)], dtype=object)


def _next(parts: Iterator[_Element]) -> _Element:
    part = next(parts, None)
    if part is None:
        raise DamagedError("a value ends in its middle")
    return part


def unpacked_size(raw: bytes) -> int:
    """How many bytes the variables of a file say that they unpack to; a peek at each.

    Raises:
        DamagedError: it is damaged.
    """
    reader = _Reader(_order(raw))
    total = 0
    for element in reader.elements(memoryview(raw)[HEADER:]):
        total += len(element.data)
        if element.kind == _COMPRESSED:
            total += reader.said(element)
    return total


def variables(raw: bytes) -> dict[str, Any]:
    """The variables of a file of version 5 to 7 by their names, in its order.

    Numbers are arrays, text is an array of strings, cells are an array of such values, a struct is a dict; anything
    else is `Unread`.

    Raises:
        DamagedError: it is damaged, or no such file.
    """
    reader = _Reader(_order(raw))
    found: dict[str, Any] = {}
    for packed in reader.elements(memoryview(raw)[HEADER:]):
        element = packed
        if packed.kind == _COMPRESSED:
            inner = memoryview(_inflate(packed.data, 8 + reader.said(packed), whole=True))
            element = next(reader.elements(inner), _Element(0, inner))
        if element.kind == _MATRIX:
            name, value = reader.matrix(element.data)
            if name or isinstance(value, Unread):
                found[name] = value
    return found


def _order(raw: bytes) -> str:
    mark = bytes(raw[126:128])
    if len(raw) < HEADER or mark not in (b"IM", b"MI"):
        raise DamagedError("its first bytes are not those of MATLAB 5 to 7.3")
    return "<" if mark == b"IM" else ">"


def _inflate(data: memoryview, most: int, *, whole: bool = False) -> bytes:
    """What compressed bytes unpack to, and no more than it should be; all of it if ``whole``, its checksum checked."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, most + 8 if whole else most)
    except zlib.error as error:
        raise DamagedError(f"it cannot be unpacked ({error})") from error
    if whole and not unpacker.eof:
        raise DamagedError("a value unpacks to more than it says, or to less")
    return unpacked
