"""Who is compared with whom, and how labels may change places if they mean nothing.

People of one class exchange labels among each other, a person is one value. A person with trials of both classes is
compared with nobody else: the own trials exchange labels among themselves. So what a person is like, in everything,
counts for nothing where both classes are there (Anderson & ter Braak 2003, J. Stat. Comput. Simul. 73:85-113).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset

_CELLS: Final = 4_000_000  # of a piece of the permutations' matrix
_TIE: Final = 1e-9  # statistics this close are equal: they differ by rounding alone

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Exchange:
    """Rows whose labels may be exchanged within blocks.

    Attributes:
        labels: class of each row, bool, shape ``(rows,)``.
        blocks: the rows of each block, which holds both classes.
        people: how many each block stands for.
        members: the trials that each row is made of.
    """

    labels: Bools
    blocks: tuple[Rows, ...]
    people: tuple[int, ...]
    members: tuple[Rows, ...]

    @classmethod
    def of(cls, study: Dataset) -> Exchange:
        """Of a study without its control group.

        Rows are people of one class, in one block, and the trials of people with both, in a block for each of them.
        """
        codes = np.unique(study.subjects, return_inverse=True)[1]
        rows: list[tuple[Rows, bool]] = []
        blocks: list[Rows] = []
        own = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        pure = [(trials, study.labels[trials[0]] == 1) for trials in own if _is_one(study.labels[trials])]
        if not _is_one([label for _, label in pure]):
            rows, blocks = pure, [np.arange(len(pure))]
        people = [len(block) for block in blocks]
        for trials in own:
            if not _is_one(study.labels[trials]):
                blocks.append(np.arange(len(rows), len(rows) + len(trials)))
                people.append(1)
                rows = [*rows, *((trials[i : i + 1], study.labels[trials[i]] == 1) for i in range(len(trials)))]
        labels = np.array([label for _, label in rows], dtype=np.bool_)
        return cls(labels, tuple(blocks), tuple(people), tuple(members for members, _ in rows))

    @property
    def is_within(self) -> bool:
        """Whether anybody is compared with themselves."""
        return len(self.blocks) > 1 or any(people == 1 for people in self.people)

    def values(self, per_trial: Array, *, median: bool = False) -> Array:
        """A value per row of values per trial, ``(trials, k)``: the mean over the row's trials, shape ``(rows, k)``."""
        middle = np.median if median else np.mean
        return np.array([middle(per_trial[members], axis=0) for members in self.members]).reshape(
            len(self.members), per_trial.shape[1]
        )

    def permuted(self, permutations: int, seed: int) -> Bools:
        """Labels under every permutation, shape ``(1 + permutations, rows)``; the first row is the truth."""
        generator = np.random.default_rng(seed)
        labels = np.tile(self.labels, (1 + permutations, 1))
        for block in self.blocks:
            labels[1:, block] = generator.permuted(labels[1:, block], axis=1)
        return labels


def _is_one(labels: npt.ArrayLike) -> bool:
    """Whether all are of one class; nobody is, too."""
    return len(np.unique(labels)) < 2


@dataclass(frozen=True, eq=False)
class Told:
    """How well each of ``k`` values tells the classes apart, arrays of shape ``(k,)``.

    Attributes:
        auc: 0.5 for not at all, above where the positive class has the higher values; NaN where all are equal.
        p: two-sided permutation p of each by itself.
        corrected: the same for the largest of all of them.
    """

    auc: Array
    p: Array
    corrected: Array


def tell_apart(exchange: Exchange, values: Array, *, permutations: int, seed: int) -> Told:
    """Test how well values tell the classes apart, with one set of permutations for all of them.

    The statistic is the area under the ROC curve, a mean over blocks that counts people; standardised by its exact
    variance under exchange, ties included (Lehmann 1975, Nonparametrics, ch. 1). The corrected p is that of the largest
    of all (Westfall & Young 1993, Resampling-Based Multiple Testing, single-step maxT): whatever the number of values
    and however alike they are, the chance of any p <= 0.05 where labels mean nothing is 5% at most.

    Args:
        exchange: the rows.
        values: shape ``(rows, k)``, finite.
        permutations: how many.
        seed: of the permutations.
    """
    ranks, spread = np.empty(values.shape), np.zeros(values.shape[1])
    weights = np.empty(len(values))
    for block, people in zip(exchange.blocks, exchange.people, strict=True):
        size, positive = len(block), int(exchange.labels[block].sum())
        share = people / sum(exchange.people)
        ranks[block] = average_ranks(values[block]) - (size + 1) / 2
        weights[block] = share / (positive * (size - positive))
        variance = (ranks[block] ** 2).sum(axis=0) * positive * (size - positive) / (size * (size - 1))
        spread += weights[block[0]] ** 2 * variance
    spread = np.sqrt(spread)
    varies = spread > 0
    scaled = ranks[:, varies] / spread[varies]
    truth = exchange.labels * weights @ scaled
    reached = np.abs(truth) - _TIE
    as_good, largest_as_good = np.ones(len(truth)), np.ones(len(truth))
    for labels in _pieces(exchange.permuted(permutations, seed)[1:], len(truth)):
        drawn = np.abs((labels * weights) @ scaled)
        as_good += (drawn >= reached).sum(axis=0)
        largest_as_good += (drawn.max(axis=1, initial=0.0)[:, np.newaxis] >= reached).sum(axis=0)
    told = Told(*(np.full(values.shape[1], undefined) for undefined in (np.nan, 1.0, 1.0)))
    told.auc[varies] = 0.5 + truth * spread[varies]
    told.p[varies] = as_good / (permutations + 1)
    told.corrected[varies] = largest_as_good / (permutations + 1)
    return told


def average_ranks(values: Array) -> Array:
    """Ranks from 1 within each column of ``values (n, k)``, ties sharing their mean, as `scipy.stats.rankdata`.

    Written out, because importing ``scipy.stats`` takes longer than the whole audit.
    """
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    place = np.broadcast_to(np.arange(len(values))[:, np.newaxis], values.shape)
    differs = ordered[1:] != ordered[:-1]
    edge = np.ones((1, values.shape[1]), dtype=np.bool_)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs]), place, 0), axis=0)
    ends = np.where(np.concatenate([differs, edge]), place, len(values))
    last = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def _pieces(labels: Bools, width: int) -> Iterator[Bools]:
    step = max(1, _CELLS // max(width, 1))
    for start in range(0, len(labels), step):
        yield labels[start : start + step]
