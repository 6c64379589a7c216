"""Which subjects validate, for all folds of a study at once.

It does what scikit-learn's ``StratifiedGroupKFold(shuffle=True)`` does, to the last bit: subjects, drawn into a random
order and those of a single class first, go one by one to the part that leaves the shares of the classes most alike. A
training of N subjects plans N folds, and scikit-learn looks at each subject and part of each fold by itself, which
takes minutes for a thousand. Here one step places a subject of every fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
_AT_ONCE: Final = 1000  # folds; what they need stays in the processor's cache


def stratified_parts(counts: Sequence[Array], parts: int, seeds: Sequence[int]) -> list[Indices]:
    """The part that each subject goes to, in every fold.

    Args:
        counts: for each fold, trials of each class, shape ``(subjects, classes)``; subjects in the order of their
            names, all classes among them.
        parts: how many, at least 2 and at most as many as there are subjects.
        seeds: for each fold.

    Returns:
        For each fold, a number from 0 to ``parts - 1`` per subject. Parts may be empty.
    """
    result: list[Indices] = []
    for start in range(0, len(counts), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        result += _placed(counts[some], parts, seeds[some])
    return result


def _placed(counts: Sequence[Array], parts: int, seeds: Sequence[int]) -> list[Indices]:
    orders = [_order(one, seed) for one, seed in zip(counts, seeds, strict=True)]
    classes = counts[0].shape[1]
    # Subjects that a fold does not have come last and have no trials, so wherever they go nothing changes.
    waiting = np.zeros((max(map(len, orders)), classes, len(counts)))
    for fold, (one, order) in enumerate(zip(counts, orders, strict=True)):
        waiting[: len(order), :, fold] = one[order]
    totals = waiting.sum(axis=0)
    placed = np.zeros((parts, classes, len(counts)))
    chosen = np.empty((len(waiting), len(counts)), dtype=np.intp)
    each, folds = np.arange(parts), np.arange(len(counts))
    for step, trials in enumerate(waiting):
        if_placed = np.repeat(placed[np.newaxis], parts, axis=0)  # (part that gets them, part, class, fold)
        if_placed[each, each] += trials
        uneven = np.std(if_placed / totals, axis=1).mean(axis=1)
        part = _best(uneven, placed.sum(axis=1))
        placed[part, :, folds] += trials.T
        chosen[step] = part
    result = []
    for fold, order in enumerate(orders):
        part_of = np.empty(len(order), dtype=np.intp)
        part_of[order] = chosen[: len(order), fold]
        result.append(part_of)
    return result


def _order(counts: Array, seed: int) -> Indices:
    """Subjects in the order in which they are placed."""
    shuffled = np.arange(len(counts))
    check_random_state(seed).shuffle(shuffled)
    return shuffled[np.argsort(-np.std(counts[shuffled], axis=1), kind="stable")]


def _best(uneven: Array, trials: Array) -> Indices:
    """The part that leaves least uneven, of several about as good the one with the fewest trials; ``(folds,)``."""
    part = np.zeros(uneven.shape[1], dtype=np.intp)
    least, fewest = uneven[0].copy(), trials[0].copy()
    for candidate in range(1, len(uneven)):
        one, own = uneven[candidate], trials[candidate]
        better = (one < least) | (np.isclose(one, least) & (own < fewest))
        part[better], least[better], fewest[better] = candidate, one[better], own[better]
    return part
