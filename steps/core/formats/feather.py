"""Arrow files (Feather, version 2): columns as they are."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.feather
import pyarrow.types as kinds

from steps.core.formats.file_table import FileTable, RawFile
from steps.errors import UserError, shown
from steps.system.untrusted_files import bounded_memory

_RATIO = 20  # compressed files unpack to more than they are, and a few bytes can stand for many
_SMALL = 64 << 20


def read_feather(file: RawFile) -> FileTable:
    """The columns of an Arrow file: text stays text, everything else becomes float64.

    Raises:
        UserError: it is damaged, or a column holds neither numbers nor text.
    """
    try:
        with bounded_memory(max(_RATIO * len(file.raw), _SMALL), file.name):
            table = pa.feather.read_table(pa.BufferReader(file.raw), memory_map=False, use_threads=False)
            table.validate(full=True)
            kept = [name for name in table.column_names if not file.leaves_out(name)]
            columns = [_column(table[name], name, file.name) for name in kept]
    except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError) as error:
        raise UserError(f"{file.name} is not a readable Arrow file: {error}; save it again") from error
    return FileTable(pa.table(dict(zip(kept, columns, strict=True))), read_as="Arrow")


def _column(column: pa.ChunkedArray, name: str, file: str) -> pa.ChunkedArray:
    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    is_text = kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)
    is_number = any(
        test(kind) for test in (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_null, kinds.is_decimal)
    )
    if not is_text and not is_number:
        raise UserError(f"{file}: column {shown(name)} is of type {shown(str(kind))}, expected numbers or text")
    return column.cast(kind).cast(pa.string() if is_text else pa.float64(), safe=False)
