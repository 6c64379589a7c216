"""Do two groups of people differ in any of many numbers? One p value for all of them, exact for groups of any size.

For each number the rank sum of one group, standardised (Wilcoxon 1945, with midranks); of these the largest counts,
and it is compared with the largest after people were dealt into the groups anew, all of their numbers together
(Westfall & Young 1993, *Resampling-Based Multiple Testing*, single-step maxT). So the error rate holds for all numbers
together, whatever their distributions and however they go together, as long as people of both groups come from the
same population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Array = npt.NDArray[np.float64]
PERMUTATIONS: Final = 1999
_AT_ONCE = 1 << 24  # numbers
_EQUAL = 1e-9


@dataclass(frozen=True)
class Shift:
    """What came of comparing two groups.

    Attributes:
        z: of each number, the standardised rank sum of the second group; above 0 where its values are larger.
        p_values: of each number, allowing for all of them.
        p_value: of all of them: the smallest.
    """

    z: Array
    p_values: Array
    p_value: float

    @property
    def largest(self) -> int:
        """Which number differs most."""
        return int(np.argmax(np.abs(self.z)))


def shift(reference: Array, batch: Array, seed: int, permutations: int = PERMUTATIONS) -> Shift:
    """Compare people with a reference.

    Args:
        reference: shape ``(people, numbers)``.
        batch: shape ``(other people, numbers)``.
        seed: of the permutations.
        permutations: how often people are dealt anew.
    """
    pooled = np.vstack([reference, batch])
    people, size = len(pooled), len(batch)
    ranks = rankdata(pooled, axis=0)
    ranks -= ranks.mean(axis=0)
    spread = ranks.std(axis=0, ddof=1) * math.sqrt(size * (people - size) / people)
    ranks = np.divide(ranks, spread, out=np.zeros_like(ranks), where=spread > 0)
    z = ranks[-size:].sum(axis=0)
    largest = np.concatenate(
        [np.abs(dealt @ ranks).max(axis=1) for dealt in _dealt(people, size, permutations, ranks.shape[1], seed)]
    )
    beyond = (largest[:, np.newaxis] >= np.abs(z) - _EQUAL).sum(axis=0)
    p_values = (1 + beyond) / (1 + permutations)
    return Shift(z, p_values, float(p_values.min()))


def _dealt(people: int, size: int, permutations: int, numbers: int, seed: int) -> list[Array]:
    """Who is in the second group, 1 or 0, shape ``(permutations, people)``, in pieces."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // max(people, numbers))
    pieces = []
    for start in range(0, permutations, at_once):
        count = min(at_once, permutations - start)
        chosen = np.argsort(rng.random((count, people)), axis=1)[:, :size]
        dealt = np.zeros((count, people))
        np.put_along_axis(dealt, chosen, 1.0, axis=1)
        pieces.append(dealt)
    return pieces


def people_needed(reference: int, numbers: int, level: float) -> int:
    """How many people a batch needs so that one number in which all of them lie apart can be found at this level.

    Args:
        reference: people it is compared with.
        numbers: that are compared.
        level: of the p value.
    """
    return next(
        (size for size in range(1, reference + 100) if 2 * numbers / math.comb(reference + size, size) <= level),
        reference + 100,
    )
