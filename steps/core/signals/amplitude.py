"""What changes the values of trials: levels, signs, sides, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def derivative(values: Doubles, time: Doubles) -> Doubles:
    """Change of ``values (n, features)`` per unit of increasing ``time (n,)``, by `numpy.gradient`."""
    return np.asarray(np.gradient(values, time, axis=0), dtype=np.float64)


def above_baseline(values: Doubles, inside: npt.NDArray[np.bool_]) -> Doubles:
    """``values (n, features)`` less each feature's mean over the samples ``inside (n,)``, at least one."""
    return np.asarray(values - values[inside].mean(axis=0), dtype=np.float64)


def amplitudes(trials: Sequence[Doubles], by: Literal["max", "mean"]) -> Doubles:
    """The largest, or the mean, magnitude of each feature over all samples of trials ``(n, features)``."""
    if by == "max":
        return np.asarray(np.max([np.abs(one).max(axis=0) for one in trials], axis=0), dtype=np.float64)
    sums = np.sum([np.abs(one).sum(axis=0) for one in trials], axis=0)
    return np.asarray(sums / sum(len(one) for one in trials), dtype=np.float64)


def partners(names: Sequence[str], words: tuple[str, str]) -> npt.NDArray[np.intp]:
    """The feature in whose place each one is put when two sides are exchanged, shape ``(features,)``.

    ``left_knee`` and ``right_knee`` are partners under ``("left", "right")``, as are ``LKNE_x`` and ``RKNE_x`` under
    ``("L", "R")``: one name becomes the other when a word in it is replaced once. A feature without partner is its own.
    """
    place = {name: i for i, name in enumerate(names)}
    order = np.arange(len(names))
    for i, name in enumerate(names):
        for other in _with_word_replaced(name, *words):
            if other in place and order[i] == i and order[place[other]] == place[other]:
                order[i], order[place[other]] = place[other], i
                break
    return order


def _with_word_replaced(name: str, word: str, by: str) -> list[str]:
    starts = [i for i in range(len(name)) if name.startswith(word, i)]
    return [name[:i] + by + name[i + len(word) :] for i in starts]
