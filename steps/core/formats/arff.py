"""ARFF files of the time series archive (UCR), a case per line, and tables in ARFF; read by SciPy."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile, check_values
from steps.core.formats.time_column import is_time
from steps.core.formats.ts import EACH_A_PERSON
from steps.errors import UserError, shown

_FEWEST: Final = 5  # samples of a case
_KEYS: Final = ("subject", "label", "trial")


def read_arff(file: RawFile) -> FileTable:
    """A table as it is, where it has subject, label and trial; else cases as trials, as of a ``.ts`` file.

    Raises:
        UserError: damaged, with several channels, or neither a table of recordings nor cases with a label.
    """
    from scipy.io import arff

    try:
        text = file.raw.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{file.name} is not UTF-8 text: byte 0x{file.raw[error.start]:02x}") from error
    check_values(text.count(",") + text.count("\n"), file)
    several = UserError(
        f"{file.name} has several channels, or attributes of text or dates, in ARFF, which are not read; take the .ts "
        "file of the same study, or write CSV"
    )
    try:
        data, meta = arff.loadarff(io.StringIO(text))
    except NotImplementedError as error:
        raise several from error
    except Exception as error:  # whatever SciPy meets in damaged files
        raise UserError(f"{file.name} is not a readable ARFF file: {shown(str(error))}; save it again") from error
    names, kinds = meta.names(), meta.types()
    if set(kinds) - {"numeric", "nominal"}:
        raise several
    columns = {name: _column(data[name], kind) for name, kind in zip(names, kinds, strict=True)}
    if not len(data):
        raise UserError(f"{file.name} holds no row below @data")
    if {*_KEYS} <= {name.casefold() for name in names}:
        return FileTable(pa.table(columns), read_as="ARFF")
    nominal = [name for name, kind in zip(names, kinds, strict=True) if kind == "nominal"]
    samples = [name for name, kind in zip(names, kinds, strict=True) if kind == "numeric" and not is_time(name)]
    if len(nominal) != 1 or len(samples) < _FEWEST or len(samples) + 1 < len(names):
        raise UserError(
            f"{file.name} holds neither recordings (subject, label, trial, time) nor cases with one label and samples: "
            f"its attributes are {', '.join(map(shown, names[:6]))}{' …' if len(names) > 6 else ''}"
        )
    return _cases(columns, nominal[0], samples)


def _column(values: Any, kind: str) -> pa.Array:
    if kind == "numeric":
        return pa.array(np.asarray(values, dtype=np.float64))
    cells = [None if cell == b"?" else cell.decode("utf-8", "replace") for cell in values.tolist()]
    return pa.array(cells, pa.string())


def _cases(columns: dict[str, pa.Array], label: str, samples: list[str]) -> FileTable:
    block = np.column_stack([columns[name].to_numpy() for name in samples])
    # A case ends with its last number: shorter ones are filled up.
    lengths = [int(np.flatnonzero(~np.isnan(row))[-1]) + 1 if not np.isnan(row).all() else 1 for row in block]
    of_row = pa.array(np.repeat(np.arange(len(block)), lengths))
    table = {
        "subject": pa.array([f"case {i + 1}" for i in range(len(block))]).take(of_row),
        "label": columns[label].take(of_row),
        "trial": pa.array(["1"] * len(of_row)),
        "time": pa.array(np.concatenate([np.arange(length, dtype=np.float64) for length in lengths])),
        "dim_0": pa.array(np.concatenate([row[:length] for row, length in zip(block, lengths, strict=True)])),
    }
    return FileTable(pa.table(table), read_as="ARFF of the time series archive", notes=(EACH_A_PERSON,))
