"""Signals of different rates on one time axis: polyphase resampling with a filter against aliasing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from steps.core.readers.resample import (
    Doubles,
    fill_holes,
    insert_missing,
    interpolate,
    longest_hole,
    missing_samples,
)
from steps.errors import UserError, shown

_EVEN: Final = 0.5  # steps by which a sample may lie beside its place
_DENOMINATOR: Final = 1000
_FACTORS: Final = (1e3, 1e6)  # of milliseconds and microseconds that are taken for seconds
_NEARLY: Final = 0.05


@dataclass(frozen=True, eq=False)
class Signals:
    """What was recorded together: ``time (n,)`` in seconds, ``values (n, features)``.

    Attributes:
        name: what messages call it.
        features: their names.
        time: increasing.
        values: at these times.
    """

    name: str
    features: tuple[str, ...]
    time: Doubles
    values: Doubles


def rate_of(signals: Signals, purpose: str = "resample") -> float:
    """Samples per second of signals whose clock is even, for a purpose that messages name.

    Raises:
        UserError: it is not, or there are fewer than two samples.
    """
    time = signals.time
    if len(time) < 2:
        raise UserError(f"{signals.name} holds {len(time)} samples, expected at least 2 to {purpose}")
    step = float(time[-1] - time[0]) / (len(time) - 1)
    away = np.abs(time - (time[0] + step * np.arange(len(time)))) if step > 0 else np.array([np.inf])
    if not away.max() <= _EVEN * step:
        raise UserError(
            f"{signals.name}: the clock is uneven (a sample at {time[int(away.argmax())]:.15g} lies "
            f"{away.max() / step if step > 0 else np.inf:.3g} steps beside its place), expected even steps to "
            f"{purpose}; are samples missing, or times repeated?"
        )
    return 1 / step


def filled(
    signals: Signals, max_gap: int, purpose: str = "resample", columns: Sequence[int] | None = None
) -> tuple[Signals, int]:
    """The same signals without gaps, and how many samples were interpolated: lost ones, and values that are missing.

    Args:
        signals: as recorded.
        max_gap: the longest gap to fill, in samples.
        purpose: that messages name.
        columns: of the features whose values matter; None for all.

    Raises:
        UserError: a gap is longer, or at an end.
    """
    time, values = signals.time, signals.values
    missing = missing_samples(time) if len(time) > 2 else np.zeros(max(len(time) - 1, 0), dtype=np.int64)
    lost = int(missing.max(initial=0))
    if lost > max_gap:
        at = time[int(missing.argmax())]
        raise UserError(
            f"{signals.name}: {lost} samples are missing after time {at:.15g}, expected even steps to {purpose}, or "
            f"max_gap of at least {lost} (it is {max_gap})"
        )
    holes = ~np.isfinite(values)
    if columns is not None:
        holes = holes[:, columns]
    if not holes.any() and not missing.any():
        return signals, 0
    if missing.any():
        time, values = insert_missing(time, values, missing)
    wanted = range(values.shape[1]) if columns is None else columns
    for column in [column for column in wanted if not np.isfinite(values[:, column]).all()]:
        present = np.isfinite(values[:, column])
        hole = longest_hole(present) if present.any() else -1
        if not 0 <= hole <= max_gap:
            row = int(np.argmin(present))
            gap = f"a gap of {hole} samples" if hole > 0 else "a gap at an end" if present.any() else "like all others"
            raise UserError(
                f"{signals.name}: {shown(signals.features[column])} holds no number in sample {row + 1}, {gap}; "
                f"expected numbers to {purpose}, or a gap inside the recording of up to max_gap samples (it is "
                f"{max_gap})"
            )
    count = int(missing.sum()) + int(holes.any(axis=1).sum())
    whole = values.copy()
    whole[:, wanted] = fill_holes(time, values[:, wanted])
    return Signals(signals.name, signals.features, time, whole), count


def resampled(signals: Signals, rate: float) -> Signals:
    """The same signals, without gaps, at ``rate`` samples per second, from the first sample on.

    By `scipy.signal.resample_poly`: its filter (a windowed sinc, Kaiser, beta 5) takes away what the new rate cannot
    hold. Ends are continued by the line through both ends of the recording.

    Raises:
        UserError: the clock is uneven.
    """
    from scipy.signal import resample_poly

    own = rate_of(signals)
    ratio = Fraction(rate / own).limit_denominator(_DENOMINATOR)
    if not ratio:
        raise UserError(
            f"{signals.name} has {own:g} samples per second, rate is {rate:g}; expected at least a thousandth"
        )
    if ratio == 1:
        return signals
    values = np.asarray(
        resample_poly(signals.values, ratio.numerator, ratio.denominator, axis=0, padtype="line"), dtype=np.float64
    )
    time = signals.time[0] + np.arange(len(values)) / (own * float(ratio))
    kept = time <= signals.time[-1] + 1e-9 / own
    return Signals(signals.name, signals.features, time[kept], values[kept])


def joint_names(sources: Mapping[str, Signals]) -> dict[str, tuple[str, ...]]:
    """Names of each source's features among those of all: one that several have is called by its source as well."""
    every = [feature for one in sources.values() for feature in one.features]
    return {
        source: tuple(f"{source}_{name}" if every.count(name) > 1 else name for name in one.features)
        for source, one in sources.items()
    }


def joined(sources: Mapping[str, Signals], rate: float, name: str) -> Signals:
    """Signals of one recording, side by side at ``rate``, for as long as all of them were recorded.

    A feature that several sources have is called by its source as well.

    Raises:
        UserError: one cannot be resampled, or they were not recorded at the same time.
    """
    _check_units_of_time(sources, name)
    parts = {source: resampled(one, rate) for source, one in sources.items()}
    start, end = (float(pick) for pick in (max(one.time[0] for one in parts.values()),
                                           min(one.time[-1] for one in parts.values())))  # fmt: skip
    samples = int(np.floor((end - start) * rate + 1e-6)) + 1
    if samples < 2:
        spans = ", ".join(f"{source} from {one.time[0]:.15g} to {one.time[-1]:.15g}" for source, one in sources.items())
        raise UserError(f"{name}: the sources were not recorded at the same time: {spans}; expected one clock")
    time = start + np.arange(samples) / rate
    features = tuple(feature for names in joint_names(parts).values() for feature in names)
    values = [interpolate(np.minimum(time, one.time[-1]), one.time, one.values) for one in parts.values()]
    return Signals(name, features, time, np.concatenate(values, axis=1))


def _check_units_of_time(sources: Mapping[str, Signals], name: str) -> None:
    """Refuse sources of which one lasts a thousand times as long as another, or a million."""
    spans = {source: float(one.time[-1] - one.time[0]) for source, one in sources.items()}
    short, long = min(spans, key=lambda one: spans[one]), max(spans, key=lambda one: spans[one])
    ratio = spans[long] / spans[short] if spans[short] > 0 else 0.0
    if any(abs(ratio / factor - 1) < _NEARLY for factor in _FACTORS):
        raise UserError(
            f"{name}: {long} lasts {spans[long]:.6g} seconds, {ratio:.0f} times as long as {short}; is its time in "
            "milliseconds or microseconds? say so in the name of its column: 'time [ms]'"
        )
