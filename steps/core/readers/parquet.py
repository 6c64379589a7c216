"""Parquet files of strangers as named columns: opened after a look at what they unpack to, and their text checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from steps.core.formats.time_column import is_time
from steps.core.formats.wide import is_list, unnested
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.columns import IDENTITIES, Parsed, check_columns
from steps.errors import UserError, shown
from steps.system.untrusted_files import bounded_memory, check_parquet

_LONGEST: Final = 10_000  # of one piece of text: a longer one is no name, and a few bytes can put it in every row
_SHOWN: Final = 60


def parse_parquet(raw: bytes, name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING) -> Parsed:
    """A Parquet file that holds ``raw``; NaN and null stay as they are. Its first row is row 1.

    Where cells are lists of samples, a row is a trial.

    Raises:
        UserError: not a Parquet file, empty, columns that `check_columns` refuses, or a column of a wrong type.
    """
    if not raw:
        raise UserError(f"{name} is empty, expected a Parquet file")
    with _open_parquet(raw, name) as file:
        names = [column.strip() or f"Unnamed: {i}" for i, column in enumerate(file.schema_arrow.names)]
        lines = None
        if any(is_list(field.type) for field in file.schema_arrow):
            table, lines = unnested(file.read(use_threads=False).rename_columns(names), name)
            names = table.column_names
            columns = check_columns(names, name, required, choice)
        else:
            columns = check_columns(names, name, required, choice)
            table = file.read(use_threads=False).rename_columns(names)
        if not table.num_rows:
            raise UserError(f"{name} holds columns but no rows, expected a row per time point")
        typed = {
            taken: typed_column(table[column], column, taken, name, choice) for column, taken in columns.taken.items()
        }
        return Parsed(pa.table(typed), tuple(names), columns, lines, first_row=1)


def typed_column(
    column: pa.ChunkedArray, label: str, taken: str, name: str, choice: Choice, first: int = 1
) -> pa.ChunkedArray | pa.DictionaryArray:
    """A column as what it is taken for: identities as text, all else as float64.

    Args:
        column: as read.
        label: what it is called in the file.
        taken: what it is called in the study.
        name: what messages call the file.
        choice: which columns are wanted.
        first: number of its first row in messages.

    Raises:
        UserError: it is of a type that cannot be that.
    """
    way_out = "" if taken == "time" else f"; it can be left out with {choice.without([label])}"
    if _is_text(column.type):
        names = _names_in(column, label, name, first)
        if taken in IDENTITIES:
            return names
        row = int(np.argmax(column.is_valid()))
        text = shown(column[row].as_py())
        raise UserError(f"{name}, row {row + first}: column {shown(label)} holds {text}, expected a number{way_out}")
    kind = column.type
    if kinds.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    is_number = any(
        test(kind)
        for test in (
            kinds.is_integer,
            kinds.is_floating,
            kinds.is_decimal,
            kinds.is_boolean,
            kinds.is_null,
        )
    )
    if taken in IDENTITIES:
        if not is_number:
            raise UserError(f"{name}: column {shown(label)} is of type {kind}, expected text or whole numbers")
        return column.cast(pa.string())
    if not is_number:
        value = next((cell for cell in column.slice(0, 1000).to_pylist() if cell is not None), None)
        value_text = f"{shown(value)} (type {kind})"
        raise UserError(f"{name}, row {first}: column {shown(label)} holds {value_text}, expected a number{way_out}")
    return column.cast(pa.float64(), safe=False)


@contextmanager
def _open_parquet(raw: bytes, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file that holds ``raw``, to be read inside the block, on one thread; text becomes dictionaries.

    Raises:
        UserError: it is damaged, has columns in columns, would not fit into memory, or takes more memory than it says;
            the message calls it ``name``.
    """
    with readable(name):
        with pq.ParquetFile(pa.BufferReader(raw)) as first:
            unpacked = check_parquet(first.metadata, len(raw), name)
            text = text_columns(first, name)
        # Without threads: each would reserve memory that counts.
        with (
            bounded_memory(unpacked, name),
            pq.ParquetFile(pa.BufferReader(raw), read_dictionary=text, pre_buffer=False) as file,
        ):
            yield file


@contextmanager
def readable(name: str) -> Iterator[None]:
    """A block that reads a Parquet file.

    Raises:
        UserError: it is damaged; the message calls it ``name``.
    """
    try:
        yield
    except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError) as error:
        raise UserError(f"{name} is not a readable Parquet file: {_short(str(error))}; save it again") from error


def text_columns(file: pq.ParquetFile, name: str) -> list[str]:
    """Names of the columns that hold text.

    Raises:
        UserError: there are columns in columns.
    """
    has_samples = any(is_time(field.name) and not is_list(field.type) for field in file.schema_arrow)
    for field in file.schema_arrow:
        _check_flat(field, name, lists=not has_samples)
    return [field.name for field in file.schema_arrow if _is_text(field.type)]


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, perhaps as a dictionary."""
    kind = kind.value_type if kinds.is_dictionary(kind) else kind
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _names_in(column: pa.ChunkedArray, label: str, name: str, first: int = 1) -> pa.DictionaryArray:
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
            value_text = "" if len(content) <= _LONGEST else f"{_short(content.decode())} of {len(content):,} bytes"
            expected = "a name"
        except UnicodeDecodeError as error:
            value_text = f"text that is not UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})"
            expected = "UTF-8"
        if value_text:
            row = first + pc.index(codes, pa.scalar(code, codes.type)).as_py()
            raise UserError(f"{name}, row {row}: column {_short(label)} holds {value_text}, expected {expected}")
    new_code = np.zeros(len(encoded.dictionary), dtype=np.int32)
    new_code[used.to_numpy(zero_copy_only=False)] = np.arange(len(used), dtype=np.int32)
    is_null = codes.is_null().to_numpy(zero_copy_only=False)
    again = pa.array(new_code[codes.fill_null(0).to_numpy(zero_copy_only=False)], mask=is_null)
    return pa.DictionaryArray.from_arrays(again, texts.cast(pa.string()))


def _check_flat(field: pa.Field, name: str, *, lists: bool) -> None:
    kind = field.type
    if lists and is_list(kind):
        return
    if not (_is_text(kind) or kinds.is_primitive(kind) or kinds.is_decimal(kind) or kinds.is_null(kind)
            or (kinds.is_dictionary(kind) and kinds.is_primitive(kind.value_type))):  # fmt: skip
        raise UserError(f"{name}: column {_short(field.name)} is of type {_short(str(kind))}, expected numbers")


def _short(text: str) -> str:
    quoted = repr(text[: _SHOWN + 1])
    return quoted if len(text) <= _SHOWN else f"{quoted[:_SHOWN]}…'"
