"""What might give the class away without being what is asked about: a table of values per trial or person.

Two families. What belongs to the *recording* (how long, how often, in which order) is no signal: if it tells the
classes apart, people of the two classes were recorded differently. What belongs to the *level* of a feature (offset,
amplitude, noise) may come from the equipment, or be the very effect that is looked for: it takes a person to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from steps.core.audit.exchange import Array, Exchange
from steps.core.data.dataset import Dataset

Family = Literal["recording", "level"]
RECORDING: Final[Family] = "recording"
LEVEL: Final[Family] = "level"
FAMILIES: Final = (RECORDING, LEVEL)

LENGTH, DURATION, RATE, TRIALS = "length", "duration", "sampling rate", "number of trials"
START, ORDER, NAMES, MISSING = "start time", "file order", "order of names", "missing share"
QUANTISATION: Final = "quantisation"
OFFSET, AMPLITUDE, NOISE = "offset", "amplitude", "noise floor"

_DIGITS: Final = 6
_STARTS_ALIKE: Final = 0.1  # of a sampling step
_CHUNK: Final = 5_000_000  # numbers
_POINTS_FOR_NOISE: Final = 8


@dataclass(frozen=True)
class Candidate:
    """What one column of `candidates` is.

    Attributes:
        kind: one of the constants above.
        family: what it belongs to.
        feature: whose it is; "" where it is of the whole recording.
    """

    kind: str
    family: Family
    feature: str = ""


def candidates(study: Dataset, exchange: Exchange) -> tuple[list[Candidate], Array]:
    """Every value that might be a shortcut and is known of all rows; the same for everybody or not.

    Args:
        study: without its control group.
        exchange: its rows.

    Returns:
        What the columns are, and the values, shape ``(rows, k)``.
    """
    found: list[tuple[Candidate, Array]] = []
    columns = dict(_of_recordings(study))
    for kind, per_trial in columns.items():
        found.append((Candidate(kind, RECORDING), exchange.values(per_trial[:, np.newaxis])))
    if study.facts:
        steps = exchange.values(study.facts.quantisation, median=True)
        found += [(Candidate(QUANTISATION, RECORDING, name), column) for name, column in _by_feature(study, steps)]
    for kind, per_feature in _levels(study.values).items():
        values = exchange.values(per_feature)
        found += [(Candidate(kind, LEVEL, name), column) for name, column in _by_feature(study, values)]
    known = [(candidate, values) for candidate, values in found if np.isfinite(values).all()]
    width = np.empty((len(exchange.members), 0))
    return [candidate for candidate, _ in known], np.concatenate([width, *(values for _, values in known)], axis=1)


def _by_feature(study: Dataset, values: Array) -> Iterator[tuple[str, Array]]:
    for i, name in enumerate(study.features):
        yield name, values[:, i : i + 1]


def _of_recordings(study: Dataset) -> Iterator[tuple[str, Array]]:
    """Kind and value per trial, shape ``(trials,)``; NaN where not known."""
    names, codes, trials = np.unique(study.subjects, return_inverse=True, return_counts=True)
    if facts := study.facts:
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = (facts.samples - 1) / facts.duration
            usual = float(np.nanmedian(1 / rate)) if np.isfinite(rate).any() else np.nan
            start = np.round(facts.start / (_STARTS_ALIKE * usual))
        yield LENGTH, facts.samples
        rate = _rounded(rate)
        if np.ptp(rate) > 0:  # else it is the length once more
            yield DURATION, _rounded(facts.duration)
        yield RATE, rate
        yield START, start * _STARTS_ALIKE * usual
        yield ORDER, facts.order
        yield MISSING, facts.missing
    yield TRIALS, trials[codes].astype(np.float64)
    if facts and np.isfinite(facts.order).all():
        return  # names are mostly sorted like the file, and nobody reads more into them
    place = np.empty(len(names))
    place[sorted(range(len(names)), key=lambda i: _natural(str(names[i])))] = np.arange(len(names))
    yield NAMES, place[codes]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts ``S2`` before ``S10``."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _rounded(values: Array) -> Array:
    """To six digits: what clocks and arithmetic leave beyond is no difference."""
    with np.errstate(invalid="ignore", divide="ignore"):
        digits = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    digits = np.where(np.isfinite(digits), digits, 0.0)
    return np.asarray(np.round(values * 10.0**digits) / 10.0**digits)


def _levels(values: npt.NDArray[np.float32]) -> dict[str, Array]:
    """Kind -> value per trial and feature, shape ``(trials, features)``: mean, standard deviation, and noise.

    Noise is the median magnitude of second differences along time, which movement hardly reaches and spikes do not.
    """
    trials, timesteps, features = values.shape
    step = max(1, _CHUNK // (timesteps * features))
    parts: dict[str, list[Array]] = {OFFSET: [], AMPLITUDE: [], NOISE: []}
    for start in range(0, trials, step):
        block = values[start : start + step].astype(np.float64)
        parts[OFFSET].append(block.mean(axis=1))
        parts[AMPLITUDE].append(block.std(axis=1))
        if timesteps >= _POINTS_FOR_NOISE:
            parts[NOISE].append(np.median(np.abs(np.diff(block, n=2, axis=1)), axis=1))
    return {kind: np.concatenate(blocks) for kind, blocks in parts.items() if blocks}
