"""Files of the time series archive (``.ts``), as aeon and sktime write them: a case per line, colons between channels.

Described in aeon's documentation, "Loading data into aeon".
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import FileTable, RawFile, check_values
from steps.errors import UserError, shown

EACH_A_PERSON: Final = (
    "WARNING: the file does not say who was recorded, so each case counts as a person of its own: where one person has "
    "several cases, what is found is too good."
)
_MISSING: Final = ("?", "", "nan")
_MOST_CHANNELS: Final = 10_000


def read_ts(file: RawFile) -> FileTable:
    """Cases as trials, with a row per sample: ``subject`` is the number of the case, ``dim_0`` its first channel.

    Raises:
        UserError: damaged, without labels, or with time stamps.
    """
    try:
        lines = file.raw.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{file.name} is not UTF-8 text: byte 0x{file.raw[error.start]:02x}") from error
    start = next((i + 1 for i, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise UserError(f"{file.name} has no line @data, expected a file of the time series archive")
    said = [line.strip().lower().split() for line in lines[: start - 1] if line.strip().startswith("@")]
    if ["@timestamps", "true"] in (words[:2] for words in said):
        raise UserError(f"{file.name} has time stamps, which are not read; write it with equally spaced samples")
    if ["@classlabel", "true"] not in (words[:2] for words in said):
        raise UserError(f"{file.name} does not say @classLabel true, expected cases with labels")
    check_values(file.raw.count(b",", 0) + len(lines), file)
    cases, labels, numbers = [], [], []
    for number, line in enumerate(lines[start:], start + 1):
        if line.strip() and not line.startswith("#"):
            *channels, label = line.split(":")
            cases.append(_case(channels, f"{file.name}, row {number}"))
            labels.append(label.strip())
            numbers.append(number)
    if not cases:
        raise UserError(f"{file.name} holds no case below @data")
    if len({len(case) for case in cases}) > 1:
        odd = next(i for i, case in enumerate(cases) if len(case) != len(cases[0]))
        raise UserError(
            f"{file.name}, row {numbers[odd]} has {len(cases[odd])} channels, expected {len(cases[0])} as in row "
            f"{numbers[0]}"
        )
    lengths = [case.shape[1] for case in cases]
    of_row = np.repeat(np.arange(len(cases)), lengths)
    values = np.concatenate(cases, axis=1)
    names = pa.array([f"case {i + 1}" for i in range(len(cases))])
    columns = {
        "subject": names.take(pa.array(of_row)),
        "label": pa.array(labels).take(pa.array(of_row)),
        "trial": pa.array(["1"] * len(of_row)),
        "time": pa.array(np.concatenate([np.arange(length, dtype=np.float64) for length in lengths])),
        **{f"dim_{i}": pa.array(channel) for i, channel in enumerate(values)},
    }
    return FileTable(
        pa.table(columns),
        read_as="a file of the time series archive",
        lines=np.array(numbers, dtype=np.int64)[of_row],
        notes=(EACH_A_PERSON,),
    )


def _case(channels: list[str], where: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Samples of a case, shape ``(channels, samples)``; what is missing at the end of all channels is left out."""
    rows = [channel.split(",") for channel in channels]
    if not rows or len(rows) > _MOST_CHANNELS or len({len(row) for row in rows}) > 1:
        raise UserError(f"{where} has no channels, or channels of different lengths, expected v,v,v:v,v,v:label")
    try:
        values = np.array(
            [[np.nan if cell.strip().lower() in _MISSING else float(cell) for cell in row] for row in rows]
        )
    except ValueError as error:
        raise UserError(f"{where}: {shown(str(error))}, expected numbers and at the end a label") from error
    present = np.flatnonzero(~np.isnan(values).all(axis=0))
    if not len(present):
        raise UserError(f"{where} holds no number")
    return values[:, : present[-1] + 1]
