"""What an HDF5 file holds, in the process of its own that it is read in: there a damaged one can do no harm.

Nothing outside the file is opened, and no dataset is larger than the file could hold.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steps.errors import UserError
from steps.system.untrusted_files import bounded_memory, check_memory

Array = npt.NDArray[Any]
PLAIN, MATLAB = b"plain", b"matlab"
_DEEPEST: Final = 32
_MOST: Final = 20_000
_RATIO: Final = 1000  # no recording is compressed further
_COPIES: Final = 4
_SMALL: Final = 64 << 20
_LONGEST: Final = 1 << 20  # letters of a cell
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_HEAP: Final = b"GCOL"
_UNITS: Final = ("units", "unit", "Units", "Unit")
# Conventions of netCDF (CF-1.11, 2.5.1 and 8.1): what stands for missing numbers, and how others were made small.
_FILL: Final = ("_FillValue", "missing_value")
_PACKED: Final = ("scale_factor", "add_offset")
_OWN: Final = "#"  # how MATLAB's own groups begin


@dataclass(frozen=True, eq=False)
class Item:
    """A dataset.

    Attributes:
        path: its path, parts joined by dots.
        values: numbers, text as an array of strings, or a table of named fields; empty where there is none.
        unit: as an attribute says; "" where none does.
        error: why it is no array; "" where it is one.
    """

    path: str
    values: Array
    unit: str = ""
    error: str = ""


def answer(parts: Sequence[bytes]) -> list[bytes]:
    """What a file holds, as `unpack` reads it.

    Args:
        parts: `PLAIN` or `MATLAB`, and the bytes of the file.

    Raises:
        UserError: it is damaged; the line does not name the file.
    """
    kind, raw = parts
    _check_sizes_and_heaps(raw)
    return _packed(list(_items(raw, kind == MATLAB)))


def unpack(parts: Sequence[bytes]) -> list[Item]:
    """The items that `answer` packed."""
    heads, *bodies = parts
    items = []
    for head, body in zip(json.loads(heads), bodies, strict=True):
        if head["text"] is not None:
            values = np.empty(len(head["text"]), dtype=object)
            values[:] = head["text"]
            values = values.reshape(head["shape"])
        else:
            values = np.load(io.BytesIO(body), allow_pickle=False)
        items.append(Item(head["path"], values, head["unit"], head["error"]))
    return items


def _packed(items: Sequence[Item]) -> list[bytes]:
    heads, bodies = [], []
    for item in items:
        is_text, stream = item.values.dtype.kind == "O", io.BytesIO()
        if not is_text:
            np.save(stream, item.values, allow_pickle=False)
        text = item.values.reshape(-1).tolist() if is_text else None
        head = {"path": item.path, "unit": item.unit, "error": item.error, "text": text, "shape": item.values.shape}
        heads.append(head)
        bodies.append(stream.getvalue())
    return [json.dumps(heads).encode(), *bodies]


def _check_sizes_and_heaps(raw: bytes) -> None:
    """Refuse what would send the library round in circles: in heaps of text it goes on by the sizes that stand there.

    The format: The HDF Group, "HDF5 File Format Specification Version 3.0", II.A (superblock), III.E (global heap).
    """
    start = raw.find(_SIGNATURE)
    sizes = (
        slice(start + 13, start + 15) if raw[start + 8 : start + 9] in (b"\0", b"\1") else slice(start + 9, start + 11)
    )
    is_sound = start >= 0 and raw[sizes] == b"\x08\x08"
    at = raw.find(_HEAP)
    while is_sound and at >= 0:
        end = at + int.from_bytes(raw[at + 8 : at + 16], "little")
        item = at + 16
        while is_sound and item + 16 <= min(end, len(raw)):
            number, size = (int.from_bytes(raw[item + i : item + j], "little") for i, j in ((0, 2), (8, 16)))
            needed = 16 + -(-size // 8) * 8 if number else size
            is_sound = 16 <= needed <= end - item
            item += needed
        at = raw.find(_HEAP, at + 4)
    if not is_sound:
        raise UserError("what it says of itself cannot be")


def _items(raw: bytes, is_matlab: bool) -> Iterator[Item]:
    import h5py

    with bounded_memory(max(len(raw), _SMALL), "the file"):
        try:
            with h5py.File(io.BytesIO(raw), "r") as root:
                if not is_matlab:  # a sampling rate, perhaps
                    numbers = {str(name): one for name, one in root.attrs.items() if isinstance(one, np.number)}
                    yield from (Item(name, np.asarray(value)) for name, value in numbers.items())
                for path, dataset in _datasets(root, _OWN if is_matlab else ""):
                    yield _item(path, dataset, root, raw, is_matlab)
        except (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError, NotImplementedError) as error:
            raise UserError(str(error)) from error


def _item(path: str, dataset: Any, root: Any, raw: bytes, is_matlab: bool) -> Item:
    none = np.zeros(0)
    if isinstance(dataset, str):
        return Item(path, none, error=dataset)
    try:
        _check(dataset, raw)
        unit = next((dataset.attrs[name] for name in _UNITS if name in dataset.attrs), "")
        values = _matlab(dataset, root) if is_matlab else _plain(dataset)
        return Item(path, values, unit.strip() if isinstance(unit, str) else "")
    except UserError as error:
        return Item(path, none, error=str(error))


def _datasets(root: Any, own: str) -> Iterator[tuple[str, Any]]:
    """Every dataset below a group with its path, or what there is instead."""
    import h5py

    waiting: list[tuple[str, Any, int]] = [("", root, 0)]
    seen = set()
    count = 0
    while waiting:
        path, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > _DEEPEST:
            yield path, "is a group that lies in itself"
            continue
        seen.add(address)
        below = []
        for name in group:
            whole = f"{path}.{name}" if path else str(name)
            count += 1
            if count > _MOST:
                raise UserError(f"it holds more than {_MOST:,} datasets")
            if own and not path and str(name).startswith(own):
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield whole, "is a link to another place, which is not followed"
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                below.append((whole, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield whole, item
        waiting += reversed(below)


def _check(dataset: Any, raw: bytes) -> None:
    """Refuse a dataset that lies in other files, or is larger than its file could hold."""
    if dataset.is_virtual or dataset.external:
        raise UserError("lies in other files, which are not opened: save a copy of it, or")
    if packed := [name for name in _PACKED if name in dataset.attrs]:
        raise UserError(f"has the attribute {packed[0]}, so its numbers are not the values: save them scaled, or")
    said = 0 if dataset.shape is None else dataset.size * dataset.dtype.itemsize
    if said > max(_SMALL, _RATIO * len(raw)):
        raise UserError(f"says that it has shape {dataset.shape}, which is more than the file can hold")
    if said > _SMALL:
        check_memory(_COPIES * said, f"has shape {dataset.shape}")


def _plain(dataset: Any) -> Array:
    """A dataset of numbers or text as an array; empty where it has no values."""
    import h5py

    if dataset.shape is None:
        return np.zeros(0)
    if h5py.check_string_dtype(dataset.dtype):
        texts = np.asarray(dataset[()], dtype=object)
        return _decoded(texts.reshape(-1).tolist(), texts.shape)
    if dataset.dtype.hasobject:
        raise UserError("holds references or lists of different lengths, expected numbers or text")
    values = np.asarray(dataset[()])
    fill = np.ravel([dataset.attrs[name] for name in _FILL if name in dataset.attrs])
    if fill.size and fill.dtype.kind in "iuf" and values.dtype.kind in "iuf" and np.isin(values, fill).any():
        return np.where(np.isin(values, fill), np.nan, values.astype(np.float64))
    return values


def _decoded(texts: Sequence[Any], shape: tuple[int, ...]) -> Array:
    decoded = np.empty(len(texts), dtype=object)
    try:
        decoded[:] = [one.decode() if isinstance(one, bytes) else str(one) for one in texts]
    except UnicodeDecodeError as error:
        raise UserError("holds text that is not UTF-8") from error
    return decoded.reshape(shape)


def _matlab(dataset: Any, root: Any) -> Array:
    """A variable of MATLAB: rows and columns exchanged, text as numbers of letters, cells as references."""
    kind = dataset.attrs.get("MATLAB_class", b"double")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if "MATLAB_empty" in dataset.attrs:
        return np.zeros(0)
    if kind == "char":
        return _letters(dataset)
    if kind == "cell":
        return _cells(dataset, root)
    if "MATLAB_object_decode" in dataset.attrs or dataset.dtype.kind not in "biuf":
        raise UserError(
            f"is an array of structs or an object of the class {kind}: save what you need of it as variables (of a "
            "table: table2struct with ToScalar), or"
        )
    return _plain(dataset).T


def _letters(dataset: Any) -> Array:
    """Text: a row of letters is one, several rows are as many."""
    codes = _plain(dataset)
    if codes.dtype.kind != "u" or codes.ndim != 2:
        raise UserError("is text that cannot be read")
    rows = [np.ascontiguousarray(row, dtype="<u2").tobytes().decode("utf-16-le", "replace") for row in codes.T]
    return _decoded([row.rstrip() for row in rows], (len(rows),))


def _cells(dataset: Any, root: Any) -> Array:
    """Cells that each hold a text."""
    import h5py

    if h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
        raise UserError("is an array of cells that cannot be read")
    texts = []
    for reference in np.asarray(dataset[()]).T.reshape(-1):
        item = root[reference] if reference else None
        if not isinstance(item, h5py.Dataset) or item.attrs.get("MATLAB_class") != b"char" or item.size > _LONGEST:
            raise UserError("is an array of cells of which some hold no text")
        texts.append("" if "MATLAB_empty" in item.attrs else "".join(_letters(item).tolist()))
    return _decoded(texts, (len(texts),))
