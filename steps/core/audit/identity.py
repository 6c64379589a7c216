"""Can people be told apart from single trials, and better than the classes?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.audit.exchange import Array
from steps.core.data.dataset import Dataset, Strings

_BINS: Final = 8
_FEWEST_PEOPLE: Final = 4
# When two names are one person: trials of each are taken for the other's, and nobody else's are for anybody's.
_TAKEN_FOR: Final = 0.25  # of the trials of either; a half is expected
_TOLD_APART: Final = 0.98
_FEWEST_TRIALS: Final = 3


@dataclass(frozen=True)
class Identity:
    """How much single trials give away, by the simplest rule there is: whose mean is nearer?

    Attributes:
        people: how many people were told apart.
        named: share of trials whose own person's mean, without the trial, is the nearest of all.
        of_two_people: share of pairs of the own person and somebody else in which the own one is nearer; 0.5 is chance.
        of_two_classes: share in which the own class's mean, without the person, is nearer than the other's; 0.5 is
            chance.
        alike: pairs of names between which trials cannot tell, where everybody else's can be told: one person, perhaps.
    """

    people: int
    named: float
    of_two_people: float
    of_two_classes: float
    alike: tuple[tuple[str, str], ...]


def identity(study: Dataset) -> Identity | None:
    """Tell people apart, and classes; None with fewer than four people that have two trials.

    Distances are taken of means over eight parts of the trial, each standardised over all trials. Nobody's label is
    used for themselves: a class's mean is over the people of that class but the one in question, and the other class
    goes without one, too, each in turn, so that neither mean is of fewer people. How far off the mean of few trials is
    expected to be by scatter alone is taken off its distance.

    Args:
        study: without its control group.
    """
    names, codes, sizes = np.unique(study.subjects, return_inverse=True, return_counts=True)
    asked = np.flatnonzero(sizes[codes] > 1)
    people = len(np.unique(codes[asked]))
    if people < _FEWEST_PEOPLE:
        return None
    trials = _summaries(study.values)
    sums = np.zeros((len(names), trials.shape[1]))
    np.add.at(sums, codes, trials)
    left = sizes[codes[asked]] - 1
    others = (sums[codes[asked]] - trials[asked]) / left[:, np.newaxis]
    # Without the trial its own person's mean is of one trial less, so that scatter puts it further off.
    squares = float(((trials[asked] - sums[codes[asked]] / (left + 1)[:, np.newaxis]) ** 2).sum())
    scatter = squares / (len(asked) - people)
    apart = _squared_distances(trials[asked], sums / sizes[:, np.newaxis]) - scatter / sizes
    own = ((trials[asked] - others) ** 2).sum(axis=1) - scatter / left
    apart[np.arange(len(asked)), codes[asked]] = np.inf
    nearer = (apart > own[:, np.newaxis]) & np.isfinite(apart)
    classes = _of_two_classes(study, codes, trials)
    if classes is None:
        return None
    return Identity(
        people=people,
        named=float((apart.min(axis=1) > own).mean()),
        of_two_people=float(nearer.sum(axis=1).mean() / (len(names) - 1)),
        of_two_classes=classes,
        alike=_alike(names, codes[asked], np.where(np.isinf(apart), own[:, np.newaxis], apart)),
    )


def _alike(names: Strings, codes: npt.NDArray[np.intp], apart: Array) -> tuple[tuple[str, str], ...]:
    """Pairs of names whose trials are each taken for the other's.

    Args:
        names: of the people.
        codes: whose each trial is, shape ``(trials,)``.
        apart: squared distances to everybody's mean, the own one without the trial, shape ``(trials, people)``.
    """
    sizes = np.bincount(codes, minlength=len(names))
    taken = np.zeros((len(names), len(names)))
    np.add.at(taken, (codes, apart.argmin(axis=1)), 1.0)
    share = taken / np.maximum(sizes, 1)[:, np.newaxis]
    mutual = np.triu(np.minimum(share, share.T), k=1) >= _TAKEN_FOR
    pairs = []
    for one, other in zip(*np.nonzero(mutual), strict=True):
        rest = np.setdiff1d(np.flatnonzero(sizes), [one, other])
        told = np.diag(taken)[rest].sum() / max(sizes[rest].sum(), 1)
        if min(sizes[one], sizes[other]) >= _FEWEST_TRIALS and len(rest) >= _FEWEST_PEOPLE and told >= _TOLD_APART:
            pairs.append((str(names[one]), str(names[other])))
    return tuple(pairs)


def _summaries(values: npt.NDArray[np.float32]) -> Array:
    """Means over parts of the trial, standardised, shape ``(trials, parts * features)``."""
    parts = np.array_split(values.astype(np.float64), min(_BINS, values.shape[1]), axis=1)
    means = np.concatenate([part.mean(axis=1) for part in parts], axis=1)
    spread = means.std(axis=0)
    return np.asarray((means - means.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _squared_distances(trials: Array, means: Array) -> Array:
    squares = (trials**2).sum(axis=1)[:, np.newaxis] + (means**2).sum(axis=1)
    return np.asarray(squares - 2 * trials @ means.T)


def _of_two_classes(study: Dataset, codes: npt.NDArray[np.intp], trials: Array) -> float | None:
    """Share of trials whose own class's mean is nearer; None where a class has one person."""
    people = codes.max() + 1
    means, has = np.zeros((2, people, trials.shape[1])), np.zeros((2, people), dtype=np.bool_)
    for label in (0, 1):
        mine = study.labels == label
        counts = np.bincount(codes[mine], minlength=people)
        np.add.at(means[label], codes[mine], trials[mine])
        has[label] = counts > 0
        means[label] /= np.maximum(counts, 1)[:, np.newaxis]
    if has.sum(axis=1).min() < 2:
        return None
    # Distances to the mean of a class without each person; who is not in it is left out of nothing.
    left = [
        (means[label].sum(axis=0) - means[label]) / (has[label].sum() - has[label])[:, np.newaxis] for label in (0, 1)
    ]
    apart = [_squared_distances(trials, one) for one in left]
    right = []
    for i, (label, code) in enumerate(zip(study.labels.tolist(), codes.tolist(), strict=True)):
        own, other = apart[label][i, code], apart[1 - label][i]
        right.append((own < (other[code] if has[1 - label, code] else other[has[1 - label]])).mean())
    return float(np.mean(right))
