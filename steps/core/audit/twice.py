"""Who or what is there twice: one recording under two people, one person under two names or in both groups."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.audit.exchange import Array, Rows
from steps.core.data.dataset import Dataset

CLOSE: Final = 0.1  # of the usual distance between two recordings of one person
MOST_TRIALS: Final = 20_000  # beyond that all pairs would take minutes
_FEWEST_POINTS: Final = 3  # two that are standardised are always the same
_CHANCE: Final = 0.05  # that any two of a study are that close by chance
_NUMBERS: Final = 256  # per trial that distances are taken of
_BLOCK: Final = 1024  # trials at a time
# A session, side or part that a name ends in: S07_2, S07b, P01-pre, 3_left.
_PART = re.compile(
    r"(?:[ _.-]+(?:[a-z]{1,2}|\d{1,2}|pre|post|left|right|day[ _-]?\d+|session[ _-]?\d+|visit[ _-]?\d+|rep[ _-]?\d+)"
    r"|(?<=\d)[a-z])$",
    re.IGNORECASE,
)
_MOST_PARTS: Final = 3  # names with one stem; more are the members of a group: G1_01 to G1_12
_FEW: Final = 0.1  # of the people: with no more in both groups, the others are in one by design


@dataclass(frozen=True)
class SameRecording:
    """Recordings of two people, or of both classes, that are nearly the same.

    Attributes:
        subjects: whose they are, sorted; twice the same where one person has one recording in both classes.
        trials: the names of the closest two, in that order.
        pairs: how many pairs of their recordings are that close.
        distance: of the closest two, in parts of the usual distance between recordings of one person.
    """

    subjects: tuple[str, str]
    trials: tuple[str, str]
    pairs: int
    distance: float


def same_recordings(dataset: Dataset) -> list[SameRecording] | None:
    """Look for recordings of different people that hold the same, whatever their unit, offset, rounding or rate.

    Every feature of a trial is standardised by itself; how far two trials are apart is compared with what is usual
    between a person's trials and those of the same person next to them (the median). Two recordings of one movement
    never come out that alike, if they have more than a few numbers; what a few numbers may do by chance is allowed for.

    Returns:
        The closest first; None where there are too many trials to compare all, or hardly any time points.
    """
    if len(dataset.labels) > MOST_TRIALS or dataset.timesteps < _FEWEST_POINTS:
        return None
    study = dataset.select((np.ptp(dataset.values, axis=1) > 0).any(axis=1))  # a sensor that was off is nobody's
    if len(study.labels) < 2:
        return []
    shapes = _shapes(study.values)
    own = np.unique(np.stack([study.subjects, study.labels.astype(np.str_)]), axis=1, return_inverse=True)[1].ravel()
    of_own, of_any = (np.full(len(shapes), np.inf) for _ in range(2))
    for rows, apart in _squared_distances(shapes):
        of_any[rows] = apart.min(axis=1)
        of_own[rows] = np.where(own[rows, np.newaxis] == own, apart, np.inf).min(axis=1)
    nearest = of_own[np.isfinite(of_own)] if np.isfinite(of_own).any() else of_any
    usual = float(np.sqrt(np.median(nearest)))
    limit = _close_enough(shapes, (study.timesteps - 2) * len(study.features)) * usual
    closest: dict[tuple[str, str], SameRecording] = {}
    for rows, apart in _squared_distances(shapes):
        near = (apart <= limit**2) & (own[rows, np.newaxis] != own)
        for i, j in zip(*np.nonzero(near), strict=True):
            one, other = rows[i], int(j)
            if one < other:
                _add(closest, study, (one, other), float(np.sqrt(apart[i, j])) / usual if usual else 0.0)
    return sorted(closest.values(), key=lambda pair: pair.distance)


def _shapes(values: npt.NDArray[np.float32]) -> Array:
    """Trials as ``(trials, numbers)``, every feature standardised within its trial.

    Where there are many numbers, random sums of them: those keep distances (Johnson & Lindenstrauss 1984).
    """
    trials, timesteps, features = values.shape
    width = timesteps * features
    mixing = np.eye(width)
    if width > _NUMBERS:
        mixing = np.random.default_rng(0).normal(size=(width, _NUMBERS)) / np.sqrt(_NUMBERS)
    shapes = np.empty((trials, mixing.shape[1]))
    for start in range(0, trials, _BLOCK):
        block = values[start : start + _BLOCK].astype(np.float64)
        block -= block.mean(axis=1, keepdims=True)
        spread = block.std(axis=1, keepdims=True)
        block /= np.where(spread > 0, spread, 1.0)
        shapes[start : start + _BLOCK] = block.reshape(len(block), width) @ mixing
    return shapes


def _squared_distances(shapes: Array) -> Iterator[tuple[Rows, Array]]:
    """Numbers of some trials and their squared distances to all, infinite to themselves; all trials in turn."""
    squares = (shapes**2).sum(axis=1)
    for start in range(0, len(shapes), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(shapes)))
        apart = np.maximum(squares[rows, np.newaxis] + squares - 2 * shapes[rows] @ shapes.T, 0.0)
        apart[np.arange(len(rows)), rows] = np.inf
        yield rows, apart


def _close_enough(shapes: Array, free: int) -> float:
    """From which share of the usual distance on no two trials of a study are that close by chance.

    In d dimensions a t-th of the distance holds a share of t ** d of the others, and n trials make about n ** 2 pairs.
    d is counted by how evenly the variance is spread over directions (participation ratio), which is rather too few
    than too many, and is at most ``free``, the numbers of a trial less two for each feature that is standardised.
    """
    variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(shapes, rowvar=False)))
    dimensions = variances.sum() ** 2 / (variances**2).sum() if variances.any() else 1.0
    return float(min(CLOSE, (_CHANCE / len(shapes) ** 2) ** (1 / min(dimensions, free))))


def _add(closest: dict[tuple[str, str], SameRecording], study: Dataset, pair: tuple[int, int], distance: float) -> None:
    (first, trial), (second, other) = sorted((str(study.subjects[i]), str(study.trials[i])) for i in pair)
    known = closest.get((first, second))
    if known is None or distance < known.distance:
        known = SameRecording((first, second), (trial, other), known.pairs if known else 0, distance)
    closest[first, second] = replace(known, pairs=known.pairs + 1)


def one_person_by_name(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that look like parts of one person: ``P01_pre`` and ``P01_post``, ``S07`` and ``S07b``.

    What differs in spelling alone is refused when it is read (`steps.core.readers.validate`). Here one name has to be
    the other with a side, session or number behind it, beside few of the same stem: many are the members of a group.
    """
    stems: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        stem = _PART.sub("", name)
        stems[stem if any(character.isdigit() for character in stem) else name].append(name)
    return [tuple(alike) for alike in stems.values() if 1 < len(alike) <= _MOST_PARTS]


def in_both_groups(study: Dataset) -> list[str]:
    """People with trials of both classes in a study where nearly everybody is of one; empty in any other.

    Args:
        study: without its control group.
    """
    names, codes = np.unique(study.subjects, return_inverse=True)
    share = np.bincount(codes, weights=study.labels) / np.bincount(codes)
    both = names[(share > 0) & (share < 1)]
    return both.tolist() if len(both) <= max(1, _FEW * len(names)) else []
