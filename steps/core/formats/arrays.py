"""Arrays by name, as NPZ, HDF5 and MATLAB files hold them, as columns of one length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile, different_names
from steps.errors import UserError, listed, shown

Array = npt.NDArray[Any]
_MOST: Final = 20_000  # arrays or columns: no recording has so many
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

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all that may be columns."""
        return {name: array.shape for name, array in (self.lines | self.texts | self.blocks).items()}


def columns_of(arrays: Mapping[str, Array], file: RawFile, title: str, first_row: int = 1) -> FileTable:
    """Arrays as columns: all of one length, that of a recording.

    An array of numbers or text ``(n,)`` is a column under its name; numbers ``(n, k)`` or ``(k, n)`` are k columns,
    named by the file's only list of k names, else ``name_1`` to ``name_k``. A single number called as sampling rates
    are makes a column ``time`` in seconds where there is none.

    Args:
        arrays: by their names, in the file's order; a name may be a path, with dots.
        file: what they were read from; what it leaves out may be anything.
        title: of the format.
        first_row: number of the first row in messages.

    Raises:
        UserError: lengths or kinds of arrays differ, so that it is not clear what is a column.
    """
    kept = {name: array for name, array in arrays.items() if not file.leaves_out(name)}
    found = _sorted(_fields(kept), file)
    length = _length(found, file)
    columns: dict[str, Array] = {}
    names: list[str] = []
    notes: list[str] = []
    heads = {name: text for name, text in found.texts.items() if len(text) != length}
    for name in found.shapes:
        new: dict[str, Array] = {}
        if name in found.blocks:
            new = _block_columns(name, found.blocks[name], length, heads, notes)
        elif name not in heads:
            new = {name: found.lines[name] if name in found.lines else found.texts[name]}
        names += new
        columns |= new
    different_names(names, file)
    columns, rate = _with_time(columns, found.single, length)
    if len(columns) > _MOST:
        raise UserError(f"{file.name} has {len(columns):,} columns, expected the signals of a recording")
    if rate:
        notes.append(f"Time comes from {shown(rate)}: {found.single[rate]:g} per second.")
    if single := [name for name in found.single if name != rate]:
        notes.append(f"Not taken, single values: {listed(single)}.")
    return FileTable(
        pa.table({name: _arrow(name, column, file) for name, column in columns.items()}),
        read_as=title,
        first_row=first_row,
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
        squeezed = array if array.ndim == 1 else np.squeeze(array)
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
        elif squeezed.ndim == 2 and kind in _NUMBERS:
            found.blocks[name] = squeezed
        else:
            raise UserError(
                f"{file.name}: {shown(name)} is of {_by(array.shape)} {'numbers' if kind in _NUMBERS else 'texts'}, "
                "expected columns: time points, or time points x signals; leave it out with ignore"
            )
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes)


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


def _block_columns(
    name: str, block: Array, length: int, heads: Mapping[str, Array], notes: list[str]
) -> dict[str, Array]:
    if block.shape[0] != length:
        block = block.T
        notes.append(f"{shown(name)} has its time points in columns, and was turned.")
    count = block.shape[1]
    lists = {tuple(_as_text(one) for one in text) for text in heads.values() if len(text) == count}
    if not (len(lists) == 1 and len(names := next(iter(lists))) == len(set(names)) and all(names)):
        names = tuple(f"{name}_{i + 1}" for i in range(count))
        called = f"{shown(names[0])} to {shown(names[-1])}"
        notes.append(f"The columns of {shown(name)} have no names and are called {called}.")
    return dict(zip(names, block.T, strict=True))


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


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _arrow(name: str, column: Array, file: RawFile) -> pa.Array:
    if column.dtype.kind in _NUMBERS:
        return pa.array(np.ascontiguousarray(column, dtype=np.float64))
    try:
        return pa.array([one.decode() if isinstance(one, bytes) else str(one) for one in column.tolist()], pa.string())
    except UnicodeError as error:
        raise UserError(f"{file.name}: {shown(name)} holds text that is not UTF-8") from error
