"""Signals of different rates on one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from steps.core.formats.file_table import Doubles, RawFile, check_values
from steps.errors import UserError, listed


def at_the_fastest(
    signals: Mapping[str, Doubles], rates: Sequence[float], file: RawFile, notes: list[str]
) -> dict[str, Doubles]:
    """Signals that begin together as columns at the rate of the fastest, after a column ``time``, which begins at 0.

    Slower ones are interpolated linearly between their samples and hold their last one, so that nothing is lost.

    Args:
        signals: at least one, by name.
        rates: samples per second of each.
        file: that they are in.
        notes: receives a sentence if anything was interpolated.

    Raises:
        UserError: a rate is none, or the columns would not fit into memory.
    """
    rate = max(rates)
    if not 0 < min(rates) <= rate < np.inf:
        raise UserError(f"{file.name}: a signal has a sampling rate of {min(rates):g}, expected more than 0")
    length = max(len(values) for values, own in zip(signals.values(), rates, strict=True) if own == rate)
    check_values(length * len(signals), file)
    if slower := [name for name, own in zip(signals, rates, strict=True) if own < rate]:
        notes.append(
            f"Interpolated to {rate:g} per second, the rate of the fastest signal, between their samples: "
            f"{listed(slower)}."
        )
    clock = np.arange(length) / rate
    columns = {"time": clock}
    for (name, values), own in zip(signals.items(), rates, strict=True):
        columns[name] = values if len(values) == length else np.interp(clock, np.arange(len(values)) / own, values)
    return columns
