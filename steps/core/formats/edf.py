"""EDF and BDF, the formats of polysomnography and EEG: signals of any rate, in their units, and annotations."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steps.core.formats.file_table import Event, FileTable, RawFile, check_values, numbered
from steps.core.formats.rates import at_the_fastest
from steps.errors import UserError, shown

_HEADER: Final = 256
_LENGTH, _SIGNALS = slice(184, 192), slice(252, 256)


def read_edf(file: RawFile) -> FileTable:
    """An EDF, EDF+, BDF or BDF+ file as columns, all at the rate of its fastest signal that is wanted.

    Raises:
        UserError: it is damaged, cut short, has pauses (EDF+D), or holds no signal.
    """
    notes: list[str] = []
    title = "BDF" if file.raw[:1] == b"\xff" else "EDF"
    try:
        edf = _opened(file, title)
        signals = [signal for signal in edf.signals if file.wants(signal.label)]
        check_values(sum(signal.samples_per_data_record for signal in edf.signals) * edf.num_data_records, file)
        names = numbered([signal.label for signal in signals], notes)
        rates = [float(signal.sampling_frequency) for signal in signals]
        values = [np.asarray(signal.data, dtype=np.float64) for signal in signals]
        units = {name: signal.physical_dimension for name, signal in zip(names, signals, strict=True)}
        found = sorted((float(one.onset), str(one.text)) for one in edf.annotations)
    except UserError:
        raise
    except Exception as error:  # fields of text are read when they are asked for, and fail in many ways
        what = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file.name} is not a readable {title} file: {what}; export it again") from error
    if not signals:
        raise UserError(f"{file.name} holds no signal")
    columns = at_the_fastest(dict(zip(names, values, strict=True)), rates, file, notes)
    return FileTable(
        pa.table(columns),
        {name: unit for name, unit in units.items() if unit},
        title,
        notes=tuple(notes),
        events=tuple(Event(time, text) for time, text in found if text and np.isfinite(time)),
    )


def _opened(file: RawFile, title: str) -> Any:
    """The file as edfio reads it: what it warns of, a part that is missing above all, is an error here."""
    import edfio

    raw = file.raw
    signals, length = (int(raw[at].strip() if raw[at].strip().isdigit() else 0) for at in (_SIGNALS, _LENGTH))
    if signals < 1 or len(raw) < _HEADER * (signals + 1) or length != _HEADER * (signals + 1):
        raise UserError(f"{file.name} is not a readable {title} file: its header says what cannot be; export it again")
    if raw[192:197] in (b"EDF+D", b"BDF+D"):
        raise UserError(
            f"{file.name} has pauses in it ({raw[192:197].decode()}), expected a recording without: export "
            f"its parts, or as {title}+C"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edf: Any = edfio.read_bdf(raw) if title == "BDF" else edfio.read_edf(raw, lazy_load_data=False)
    for signal in edf.signals:
        if signal.samples_per_data_record < 1 or signal.digital_min >= signal.digital_max:
            raise UserError(
                f"{file.name}: the signal {shown(signal.label)} has {signal.samples_per_data_record} samples a record "
                f"between {signal.digital_min} and {signal.digital_max}, which cannot be; export it again"
            )
    return edf
