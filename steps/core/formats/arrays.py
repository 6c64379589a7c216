"""Arrays by name, as NPZ, HDF5 and MATLAB files hold them, as columns of one length."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile, different_names
from steps.core.formats.time_column import unit_in_name
from steps.errors import UserError, listed, shown

Array = npt.NDArray[Any]
_MOST: Final = 20_000  # arrays or columns: no recording has so many
_NAMED: Final = 5  # names in a note
_NUMBERS, _TEXT = "biuf", "USO"
_TIME: Final = re.compile(r"(?:.*\.)?(?:t|time.*)", re.IGNORECASE)
_RATE: Final = re.compile(
    r"(?:.*\.)?(?:fs|srate|rate|freq|frequency|sample_?rate|sampling_?(?:rate|freq(?:uency)?)|sfreq|hz)", re.IGNORECASE
)


@dataclass
class _Sorted:
    """Arrays of a file by what they can be; single values by themselves."""

    lines: dict[str, Array] = field(default_factory=dict)  # (n,) of numbers
    texts: dict[str, Array] = field(default_factory=dict)  # (n,) of text
    blocks: dict[str, Array] = field(default_factory=dict)  # (a, b) of numbers
    single: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of all that may be columns, in the file's order


def columns_of(
    arrays: Mapping[str, Array], file: RawFile, title: str, units: Mapping[str, str] | None = None
) -> FileTable:
    """Arrays as columns: all of one length, that of a recording.

    An array of numbers or text ``(n,)`` is a column under its name; numbers ``(n, k)`` or ``(k, n)`` are k columns,
    named by the file's only list of k names, else ``name_1`` to ``name_k``. A single number called as sampling rates
    are makes a column ``time`` in seconds where there is none. Times of several groups that are the same are one.

    Args:
        arrays: by their names, in the file's order; a name may be a path, with dots.
        file: what they were read from; what it leaves out may be anything.
        title: of the format.
        units: of arrays.

    Raises:
        UserError: lengths or kinds of arrays differ, so that it is not clear what is a column.
    """
    kept = {name: array for name, array in arrays.items() if not file.leaves_out(name)}
    found = _sorted(_fields(kept), file)
    length = _length(found, file)
    columns: dict[str, Array] = {}
    names: list[str] = []
    unit_of: dict[str, str] = {}
    blocks = _Blocks(found, length)
    for name in found.shapes:
        new = blocks.columns(name)
        names += new
        columns |= new
        unit_of |= dict.fromkeys(new, (units or {}).get(name, ""))
    different_names(names, file)
    notes = blocks.notes()
    columns = _one_time(columns, unit_of, notes)
    columns, rate = _with_time(columns, found.single, length)
    if len(columns) > _MOST:
        raise UserError(f"{file.name} has {len(columns):,} columns, expected the signals of a recording")
    if rate:
        notes.append(f"Time comes from {shown(rate)}: {found.single[rate]:g} per second.")
    if single := [name for name in found.single if name != rate]:
        notes.append(f"Not taken, single values: {listed(single, _NAMED)}.")
    return FileTable(
        pa.table({name: _arrow(column) for name, column in columns.items()}),
        {name: unit for name, unit in unit_of.items() if unit and name in columns},
        read_as=title,
        notes=tuple(notes),
    )


def _fields(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The same, tables of named fields taken apart; the only one of a file lends its fields no name."""
    structured = [name for name, array in arrays.items() if array.dtype.names]
    taken: dict[str, Array] = {}
    for name, array in arrays.items():
        if not array.dtype.names:
            taken[name] = array
            continue
        for one in array.dtype.names:
            taken[one if len(structured) == 1 and one not in arrays else f"{name}.{one}"] = array[one]
    return taken


def _sorted(arrays: Mapping[str, Array], file: RawFile) -> _Sorted:
    found = _Sorted()
    for name, array in arrays.items():
        squeezed = _as_text(array if array.ndim == 1 else np.squeeze(array), name, file)
        kind = squeezed.dtype.kind
        if not squeezed.size:
            found.single[name] = None
        elif kind not in _NUMBERS + _TEXT or (kind == "O" and not all(_is_text(one) for one in squeezed.flat)):
            raise UserError(
                f"{file.name}: {shown(name)} holds values of type {squeezed.dtype}, expected numbers or text; leave it "
                "out with ignore"
            )
        elif squeezed.size == 1:
            found.single[name] = squeezed.reshape(-1)[0]
        elif squeezed.ndim == 1:
            (found.lines if kind in _NUMBERS else found.texts)[name] = squeezed
            found.shapes[name] = squeezed.shape
        elif squeezed.ndim == 2 and kind in _NUMBERS:
            found.blocks[name] = squeezed
            found.shapes[name] = squeezed.shape
        else:
            raise UserError(
                f"{file.name}: {shown(name)} is of {_by(array.shape)} {'numbers' if kind in _NUMBERS else 'texts'}, "
                "expected columns: time points, or time points x signals; leave it out with ignore"
            )
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _length(found: _Sorted, file: RawFile) -> int:
    """How many rows there are: that of all columns of numbers; of blocks only, the axis that they share.

    Raises:
        UserError: there is nothing, or more than one length would do.
    """
    if not found.lines and not found.blocks:
        raise UserError(f"{file.name} holds no column of numbers{_what_there_is(found)}")
    lengths = {len(line) for line in found.lines.values()}
    if not lengths:
        shared = set.intersection(*({*block.shape} for block in found.blocks.values()))
        named = {length for length in shared if any(len(text) == length for text in found.texts.values())}
        lengths = shared - named if len(shared - named) == 1 else {max(shared, default=0)}
    (length,) = lengths if len(lengths) == 1 else (0,)
    odd = [name for name, block in found.blocks.items() if length not in block.shape]
    if not length or odd:
        raise UserError(
            f"{file.name} has arrays of several lengths{_what_there_is(found)}; expected columns of one length: leave "
            "the others out with ignore, a list of names or globs"
        )
    return length


def _what_there_is(found: _Sorted) -> str:
    told = [f"{shown(name)} ({_by(shape)})" for name, shape in found.shapes.items()]
    return f": {', '.join(told[:12])}{f' and {len(told) - 12} more' if len(told) > 12 else ''}" if told else ""


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


class _Blocks:
    """Arrays as columns; what was turned and named on the way."""

    def __init__(self, found: _Sorted, length: int) -> None:
        self._found = found
        self._length = length
        self._lists = {name: text for name, text in found.texts.items() if len(text) != length}
        self._used: set[str] = set()
        self._turned: list[str] = []
        self._numbered: list[str] = []

    def columns(self, name: str) -> dict[str, Array]:
        """The columns that an array is; none where it is a list of names."""
        if name in self._lists:
            return {}
        if name not in self._found.blocks:
            return {name: self._found.lines[name] if name in self._found.lines else self._found.texts[name]}
        block = self._found.blocks[name]
        if block.shape[0] != self._length:
            block = block.T
            self._turned.append(name)
        return dict(zip(self._names(name, block.shape[1]), block.T, strict=True))

    def _names(self, name: str, count: int) -> list[str]:
        fitting = [head for head, text in self._lists.items() if len(text) == count]
        lists = {tuple(self._lists[head]) for head in fitting}
        if len(lists) == 1:
            (names,) = lists
            if len(set(names)) == count and all(names):
                self._used |= set(fitting)
                alike = sum(count in block.shape for block in self._found.blocks.values())
                return [f"{name}.{one}" for one in names] if alike > 1 else list(names)
        self._numbered.append(name)
        return [f"{name}_{i + 1}" for i in range(count)]

    def notes(self) -> list[str]:
        """What was done, one sentence each."""
        notes = []
        if self._turned:
            notes.append(f"Turned, because time points stood in columns: {listed(self._turned, _NAMED)}.")
        if self._numbered:
            example = f"{self._numbered[0]}_1"
            notes.append(f"Columns without names are numbered, as {shown(example)}: {listed(self._numbered, _NAMED)}.")
        if unused := [name for name in self._lists if name not in self._used]:
            notes.append(f"Not taken, texts of another length: {listed(unused, _NAMED)}.")
        return notes


def _one_time(columns: dict[str, Array], unit_of: dict[str, str], notes: list[str]) -> dict[str, Array]:
    """The columns, time of groups under the name ``time``, with its unit, where all agree and there is no other."""
    times = [
        name for name, column in columns.items() if "." in name and _TIME.fullmatch(name) and column.dtype != object
    ]
    if not times or any(_TIME.fullmatch(name) for name in columns if name not in times):
        return columns
    first = columns[times[0]]
    if not all(np.array_equal(columns[name], first, equal_nan=True) for name in times):
        return columns
    same = f" and {len(times) - 1} more that are the same" if len(times) > 1 else ""
    notes.append(f"Time is {shown(times[0])}{same}.")
    unit_of["time"] = unit_of.get(times[0]) or unit_in_name(times[0])
    return {"time": first, **{name: column for name, column in columns.items() if name not in times}}


def _with_time(columns: dict[str, Array], single: Mapping[str, Any], length: int) -> tuple[dict[str, Array], str]:
    """The columns, with time where there is none but a rate; and the name of the rate, "" where it was not needed."""
    rates = [
        name
        for name, value in single.items()
        if _RATE.fullmatch(name) and isinstance(value, np.number) and np.isfinite(value) and value > 0
    ]
    if len(rates) != 1 or any(_TIME.fullmatch(name) for name in columns):
        return columns, ""
    return {"time": np.arange(length) / float(single[rates[0]]), **columns}, rates[0]


def _as_text(array: Array, name: str, file: RawFile) -> Array:
    """An array of text as one of Python's own strings; any other as it is.

    Raises:
        UserError: it is no Unicode.
    """
    if array.dtype.kind not in _TEXT:
        return array
    try:
        if array.dtype.kind == "U":  # NumPy trusts the letters' numbers
            numbers = np.ascontiguousarray(array).reshape(-1).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
            if numbers.max(initial=0) > sys.maxunicode:
                raise ValueError("no letters")
        texts = [one.decode() if isinstance(one, bytes) else one for one in array.reshape(-1).tolist()]
        _ = [one.encode() for one in texts if isinstance(one, str)]
    except ValueError as error:
        raise UserError(f"{file.name}: {shown(name)} holds text that is not UTF-8") from error
    made = np.empty(len(texts), dtype=object)
    made[:] = texts
    return made.reshape(array.shape)


def _arrow(column: Array) -> pa.Array:
    if column.dtype.kind in _NUMBERS:
        return pa.array(np.ascontiguousarray(column, dtype=np.float64))
    return pa.array(column.tolist(), pa.string())
