"""Faults planted into clean recordings: what is done to them, and what should be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset
from steps.core.quality.finding import Finding

Doubles = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Planted:
    """A fault: its kind, whose, in which trials and features of the dataset."""

    kind: str
    subject: str
    trials: tuple[int, ...]
    features: tuple[int, ...]

    def is_found_in(self, findings: Sequence[Finding]) -> bool:
        """Whether a finding names this fault: its kind, subject, features and trials."""
        return any(
            (one.kind, one.subject) == (self.kind, self.subject)
            and set(self.features) <= set(one.features)
            and set(self.trials) <= set(one.trials)
            for one in findings
        )


def plant(dataset: Dataset, fault: str, seed: int, contrast: float = 1.5) -> tuple[Dataset, Planted]:
    """``dataset`` with one fault of a drawn subject, trial and feature.

    A sign or a swap can be told only where it changes something: with ``contrast`` as 1, features are drawn in which it
    moves the study's mean curve by as much as trials differ from it (root mean squares); 0 draws from all.
    """
    rng = np.random.default_rng((seed, list(FAULTS).index(fault)))
    subject = str(rng.choice(np.unique(dataset.subjects)))
    rows = np.flatnonzero(dataset.subjects == subject)
    kind, whole, change = FAULTS[fault]
    chosen = rows if whole else rng.choice(rows, 1)
    values = dataset.values.astype(np.float64)
    mean, spread = values.mean(axis=0), np.sqrt(values.var(axis=0).mean(axis=0))
    features: tuple[int, ...]
    while True:
        first, second = rng.choice(len(dataset.features), 2, replace=False).tolist()
        if kind == "swapped":
            features = (first, second)
            moved = _rms(mean[:, first] - mean[:, second]) / max(spread[first], spread[second])
        else:
            features = (first,)
            moved = 2 * _rms(mean[:, first]) / spread[first] if kind == "flipped" else np.inf
        if moved >= contrast:
            break
    feature = features[0]
    if kind == "swapped":
        values[chosen[:, None], :, features] = values[chosen[:, None], :, features[::-1]]
    else:
        before = values[chosen, :, feature].copy()
        values[chosen, :, feature] = change(values[chosen, :, feature], rng)
        changed = (values[chosen, :, feature] != before).mean(axis=1)
        if kind == "clipping":  # of a trial that hardly reaches the limit nothing is cut off
            chosen = chosen[changed >= 0.1]
    planted = Planted(kind, subject, tuple(chosen.tolist()), tuple(sorted(features)))
    return replace(dataset, values=values.astype(np.float32)), planted


def _rms(x: Doubles) -> float:
    return float(np.sqrt((x**2).mean()))


def _flat(x: Doubles, rng: np.random.Generator) -> Doubles:
    length = x.shape[1] // 4
    start = int(rng.integers(1, x.shape[1] - length - 1))
    x[:, start : start + length] = x[:, [start - 1]]
    return x


def _dropped(x: Doubles, rng: np.random.Generator) -> Doubles:
    length = x.shape[1] // 4
    start = int(rng.integers(1, x.shape[1] - length - 1))
    x[:, start : start + length] = 0.0
    return x


def _clipped(x: Doubles, _: np.random.Generator) -> Doubles:
    return np.minimum(x, np.quantile(x, 0.85))


def _spike(x: Doubles, rng: np.random.Generator) -> Doubles:
    noise = np.median(np.abs(np.diff(x, n=2, axis=1))) / 1.65
    for one in x:
        one[rng.choice(np.arange(2, x.shape[1] - 2, 3), 2, replace=False)] += 15 * noise * rng.choice([-1, 1], 2)
    return x


def _wrapped(x: Doubles, rng: np.random.Generator) -> Doubles:
    x[:, int(rng.integers(5, x.shape[1] - 5)) :] += 360.0
    return x


def _bridged(x: Doubles, rng: np.random.Generator) -> Doubles:
    length = x.shape[1] // 5
    start = int(rng.integers(1, x.shape[1] - length - 1))
    x[:, start : start + length] = np.linspace(x[:, start], x[:, start + length - 1], length, axis=1)
    return x


def _drift(x: Doubles, _: np.random.Generator) -> Doubles:
    return np.asarray(x + np.linspace(0, 4, len(x))[:, None] * x.std())


def _drift_within(x: Doubles, _: np.random.Generator) -> Doubles:
    return np.asarray(x + np.linspace(0, 20, x.shape[1]) * x.std())


def _unlike(x: Doubles, rng: np.random.Generator) -> Doubles:
    t = np.linspace(0, 2 * np.pi, x.shape[1])
    return np.asarray(x + 6 * x.std() * np.sin(rng.integers(1, 3) * t + rng.random() * 6))


def _same(x: Doubles, _: np.random.Generator) -> Doubles:
    return x


# Name -> kind that should be found, whether all trials of the subject have it, and what is done to values
# (trials, timesteps) of one feature.
FAULTS: Mapping[str, tuple[str, bool, Callable[[Doubles, np.random.Generator], Doubles]]] = {
    "flat": ("flat", False, _flat),
    "dropped to zero": ("flat", False, _dropped),
    "clipped": ("clipping", True, _clipped),
    "spikes": ("spikes", False, _spike),
    "wrapped angle": ("jumps", False, _wrapped),
    "bridged gap": ("gap", False, _bridged),
    "drift over trials": ("drift", True, _drift),
    "drift within a trial": ("drift", False, _drift_within),
    "swapped": ("swapped", True, _same),
    "swapped in a trial": ("swapped", False, _same),
    "flipped": ("flipped", True, lambda x, _: -x),
    "flipped in a trial": ("flipped", False, lambda x, _: -x),
    "degrees": ("units", True, lambda x, _: np.rad2deg(x)),
    "metres": ("units", False, lambda x, _: x / 1000),
    "unlike the rest": ("outlying", False, _unlike),
}
