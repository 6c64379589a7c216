"""Parquet files of strangers: opened after a look at what they would unpack to, and their text checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from steps.errors import UserError
from steps.system.untrusted_files import bounded_memory, check_parquet

_LONGEST: Final = 10_000  # of one piece of text: a longer one is no name, and a few bytes can put it in every row
_SHOWN: Final = 60


@contextmanager
def open_parquet(raw: bytes, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file that holds ``raw``, to be read inside the block, on one thread; text becomes dictionaries.

    Raises:
        UserError: it is damaged, has columns in columns, would not fit into memory, or takes more memory than it says;
            the message calls it ``name``.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(raw)) as first:
            unpacked = check_parquet(first.metadata, len(raw), name)
            for field in first.schema_arrow:
                _check_flat(field, name)
            text = [field.name for field in first.schema_arrow if is_text(field.type)]
        # Without threads: each would reserve memory that counts.
        with (
            bounded_memory(unpacked, name),
            pq.ParquetFile(pa.BufferReader(raw), read_dictionary=text, pre_buffer=False) as file,
        ):
            yield file
    except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError) as error:
        raise UserError(f"{name} is not a readable Parquet file: {_short(str(error))}; save it again") from error


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, perhaps as a dictionary."""
    kind = kind.value_type if kinds.is_dictionary(kind) else kind
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def names_in(column: pa.ChunkedArray, label: str, name: str) -> pa.DictionaryArray:
    """A column of text as a dictionary of the names that occur in it.

    Raises:
        UserError: one of them is not UTF-8, or endless; the message calls the file ``name`` and the column ``label``.
    """
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices
    used = pc.unique(codes.drop_null())
    texts = encoded.dictionary.take(used)
    for code, text in zip(used.to_pylist(), texts.cast(pa.large_binary()), strict=True):
        content = text.as_py() or b""
        try:
            content.decode()
            found = "" if len(content) <= _LONGEST else f"{_short(content.decode())} of {len(content):,} bytes"
            expected = "a name"
        except UnicodeDecodeError as error:
            found = f"text that is not UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})"
            expected = "UTF-8"
        if found:
            row = 1 + pc.index(codes, pa.scalar(code, codes.type)).as_py()
            raise UserError(f"{name}, row {row}: column {_short(label)} holds {found}, expected {expected}")
    new_code = np.zeros(len(encoded.dictionary), dtype=np.int32)
    new_code[used.to_numpy(zero_copy_only=False)] = np.arange(len(used), dtype=np.int32)
    is_null = codes.is_null().to_numpy(zero_copy_only=False)
    again = pa.array(new_code[codes.fill_null(0).to_numpy(zero_copy_only=False)], mask=is_null)
    return pa.DictionaryArray.from_arrays(again, texts.cast(pa.string()))


def _check_flat(field: pa.Field, name: str) -> None:
    kind = field.type
    if not (is_text(kind) or kinds.is_primitive(kind) or kinds.is_decimal(kind) or kinds.is_null(kind)
            or (kinds.is_dictionary(kind) and kinds.is_primitive(kind.value_type))):  # fmt: skip
        raise UserError(f"{name}: column {_short(field.name)} is of type {_short(str(kind))}, expected numbers")


def _short(text: str) -> str:
    quoted = repr(text[: _SHOWN + 1])
    return quoted if len(text) <= _SHOWN else f"{quoted[:_SHOWN]}…'"
