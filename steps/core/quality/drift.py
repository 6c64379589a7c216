"""A level that moves steadily from trial to trial of a subject."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from steps.core.quality.hits import Doubles, Hit, People, Rows

_FEWEST: Final = 5  # trials; fewer fall into line by chance
_STANDARD_ERRORS: Final = 10.0
_EXPLAINED: Final = 0.8  # of the variance of a subject's levels, by a straight line
_GAUSS: Final = 1.4826


def drifts(levels: Doubles, people: People, trials: Sequence[str]) -> Iterator[Hit]:
    """Features whose level rises or falls steadily over a subject's trials, as those of others do not.

    The order is that of the numbers in the names of trials; where they have none, or one twice, no order is known.

    Args:
        levels: mean of each trial and feature, shape ``(trials, features)``.
        people: whose the trials are.
        trials: names of the trials.
    """
    fitted = [(who, rows, *_line(levels[rows])) for who, rows in _in_order(people, trials)]
    if len(fitted) < 3:
        return
    # What is left of a level beside a line is about alike in everybody: the middling subject says how much.
    spread = np.median(np.stack([rest for *_, rest in fitted]), axis=0)
    for _, rows, slope, rest in fitted:
        n = len(rows)
        squares = n * (n * n - 1) / 12
        own = np.maximum(spread, rest)
        errors = np.abs(slope) * np.sqrt(squares) / np.where(own > 0, own, np.inf)
        explained = slope**2 * squares / np.maximum(slope**2 * squares + rest**2 * (n - 2), np.finfo(float).tiny)
        for j in np.flatnonzero((errors >= _STANDARD_ERRORS) & (explained >= _EXPLAINED)).tolist():
            total = float(slope[j]) * (n - 1)
            times = abs(total) / float(spread[j]) if spread[j] > 0 else float("inf")
            sentence = (
                f"{'rises' if total > 0 else 'falls'} steadily by {abs(total):.4g} from the first of the subject's "
                f"{n} trials to the last, {times:.0f} times what trials differ by otherwise"
            )
            ends = np.abs(levels[rows, j] - np.median(levels[rows, j]))
            for row in rows[np.argsort(-ends, kind="stable")].tolist():
                yield Hit("drift", row, (j,), times, 1.0, sentence)


def _in_order(people: People, trials: Sequence[str]) -> Iterator[tuple[int, Rows]]:
    """Each subject's trials in the order of the numbers in their names, where that is an order."""
    for who, (start, count) in enumerate(zip(people.first.tolist(), people.counts.tolist(), strict=True)):
        numbers = [tuple(map(int, re.findall(r"\d+", name))) for name in trials[start : start + count]]
        if count >= _FEWEST and len(set(numbers)) == count:
            yield who, start + np.array(sorted(range(count), key=numbers.__getitem__), dtype=np.intp)


def _line(levels: Doubles) -> tuple[Doubles, Doubles]:
    """Slope of ``levels (n, features)`` per trial, and the standard deviation of what is left."""
    n = len(levels)
    x = np.arange(n) - (n - 1) / 2
    centred = levels - levels.mean(axis=0)
    slope = x @ centred / (x @ x)
    rest = centred - x[:, np.newaxis] * slope
    return slope, np.sqrt((rest**2).sum(axis=0) / (n - 2))
