"""Studies without an effect, as recordings are: of two devices, unequal lengths, with gaps; and something planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.audit.audit import Audit
from steps.core.data.dataset import Dataset
from steps.core.readers.load import load_source

# In a design with one class per person, and with both.
BETWEEN = ("length", "sampling rate", "number of trials", "start time", "file order", "missing share", "quantisation",
           "offset", "amplitude", "noise floor")  # fmt: skip
WITHIN = tuple(kind for kind in BETWEEN if kind not in ("sampling rate", "number of trials"))

Doubles = npt.NDArray[np.float64]


@dataclass
class _Made:
    """One recording to be."""

    subject: str
    label: str
    trial: str
    place: float
    time: Doubles
    values: Doubles


def study_table(seed: int, *, within: bool = False, planted: str = "", strength: float = 1.0) -> pd.DataFrame:
    """A long table of 16 to 24 people without any effect.

    Args:
        seed: of everything: sizes, people, devices, gaps, labels.
        within: whether everybody has trials of both classes.
        planted: a kind of `BETWEEN` that differs between the classes; "" for none.
        strength: of what is planted, in about standard deviations between people (or trials).
    """
    rng = np.random.default_rng([seed, 17])
    people, features = 2 * int(rng.integers(8, 13)), int(rng.integers(1, 6))
    devices = bool(rng.integers(2))
    of_class = rng.permutation(np.arange(people) % 2)
    made = []
    for person in range(people):
        device = int(rng.integers(2)) if devices else 0
        trials = int(rng.integers(3, 7)) if not within else 2 * int(rng.integers(2, 4))
        labels = rng.permutation(np.arange(trials) % 2) if within else np.full(trials, of_class[person])
        if planted == "number of trials" and of_class[person]:
            trials += round(3 * strength)
            labels = np.full(trials, of_class[person])
        level, gain, base = rng.normal(size=features), rng.lognormal(0, 0.3, features), rng.normal(size=(4, features))
        begun, usual = rng.uniform(0, 1e4), rng.normal(0, 6)
        noise, holes = 0.1 * rng.lognormal(0, 0.3, features), rng.uniform(0, 0.01)
        for trial, label in enumerate(labels.tolist()):
            shift = strength * label
            is_planted = {kind: shift * (kind == planted) for kind in BETWEEN}
            samples = int(np.clip(60 + usual + rng.normal(0, 4) + 9 * is_planted["length"], 30, 150))
            rate = (100.0, 120.0)[device] * (1 + 0.1 * is_planted["sampling rate"])
            start = begun + 10 * trial + rng.uniform(0, 5)
            start += (30 if within else 5e3) * is_planted["start time"]
            x = np.linspace(-1, 1, samples)[:, None]
            curves = sum(x**i * (base[i] + 0.5 * rng.normal(size=features)) for i in range(4))
            loud = gain * (1 + 1.2 * is_planted["amplitude"]) * rng.lognormal(0, 0.1)
            restless = noise * (1 + 1.0 * is_planted["noise floor"])
            values = level + curves * loud + restless * rng.normal(size=(samples, features))
            values += 3 * is_planted["offset"]
            step = 0.002 if is_planted["quantisation"] else (0.01, 0.01, 0.02)[device]
            values = np.round(values / step) * step
            gone = rng.random(values.shape) < holes + 0.02 * is_planted["missing share"]
            gone[[0, -1]] = False
            values[gone] = np.nan
            place = rng.normal() + 2 * is_planted["file order"]
            made.append(
                _Made(f"P{person + 1}", "fear" if label else "calm", f"t{trial + 1}", place,
                      start + np.arange(samples) / rate, values)
            )  # fmt: skip
    return _long(made, features)


def _long(made: Sequence[_Made], features: int) -> pd.DataFrame:
    parts = []
    for one in sorted(made, key=lambda one: one.place):
        part = pd.DataFrame(one.values, columns=[f"angle_{i}" for i in range(features)])
        part.insert(0, "time", one.time)
        for name in ("trial", "label", "subject"):
            part.insert(0, name, getattr(one, name))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def read(table: pd.DataFrame, folder: Path) -> Dataset:
    """The dataset that `prepare` makes of a table."""
    path = folder / "study.parquet"
    table.to_parquet(path, index=False)
    return load_source(str(path), max_gap=10)


def found_kinds(made: Audit) -> set[str]:
    """Kinds of shortcuts that an audit has found."""
    return {one.candidate.kind for one in made.shortcuts.looked_at if one.is_found}
