"""Single samples that stick out, and steps that stay, such as angles that wrap around."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from steps.core.quality.hits import Bools, Doubles, Hit, People, Rows

_FEWEST: Final = 20  # samples
_HEIGHT: Final = 8.0  # usual bends
_TIMES_USUAL: Final = 3.0  # impacts stick out in everybody
_ALONE: Final = 0.2  # bends beside that of a single sample, over it
_SAME_TIME: Final = 3  # samples
_FEWEST_IMPACTS: Final = 3  # trials
_ALIKE: Final = 0.7  # of two bends of a step, the smaller over the larger
_TURNS: Final = (360.0, 2 * np.pi)
_NEAR_TURN: Final = 0.15  # the signal goes on while it turns
_GAUSS: Final = 1.4826  # standard deviation over median absolute deviation, of a normal distribution


def spikes(x: Doubles, feature: int, people: People) -> Iterator[Hit]:
    """Spikes and jumps of one feature, by second differences against their median absolute deviation.

    Args:
        x: values of the feature, shape ``(trials, timesteps)``.
        feature: its number.
        people: whose the trials are.
    """
    timesteps = x.shape[1]
    if timesteps < _FEWEST:
        return
    bends = np.diff(x, n=2, axis=1)
    size = np.abs(bends)
    own = _GAUSS * np.median(size, axis=1)
    usual_scale = float(np.median(own))
    if usual_scale == 0:  # values that mostly stand still: by the smallest change there is
        changes = size[size > 0]
        usual_scale = float(changes.min()) if len(changes) else 1.0
    scale = np.maximum(own, usual_scale)
    height = size.max(axis=1) / scale
    usual = float(people.usual(height[:, np.newaxis])[0])
    least = max(_HEIGHT, _TIMES_USUAL * usual)
    usual_range = float(np.median(np.ptp(x, axis=1)))
    is_high, places = height >= least, size.argmax(axis=1)
    own_impact = _own_impacts(is_high, places, people)
    for i in np.flatnonzero(is_high):
        high = np.flatnonzero(size[i] >= least * scale[i])
        k = int(places[i])
        # An impact, sharp as it is, bends over several samples, or comes at its time in all of a subject's trials.
        is_impact = own_impact[i] or np.median(size[i][_around(k, len(size[i]))]) > _ALONE * size[i, k]
        if is_impact and size[i, k] <= usual_range:
            continue
        step = x[i, k + 1] - x[i, k] if k and _is_step(bends[i], k, -1) else None
        if step is None and _is_step(bends[i], k, 1):
            step = x[i, k + 2] - x[i, k + 1]
        at = (int(high[0]), int(high[-1]) + 2)
        if step is None:
            number = int((np.diff(high) > 2).sum()) + 1
            some = "one sample sticks" if number == 1 else f"{number} samples stick"
            sentence = f"{some} out, up to {height[i] / 2:.0f} usual steps high"
            yield Hit("spikes", int(i), (feature,), float(height[i]) / 2, number / timesteps, sentence, at)
        else:
            wraps = any(abs(abs(step) / turn - 1) <= _NEAR_TURN for turn in _TURNS)
            sentence = f"jumps by {abs(step):.4g} from one sample to the next" + (
                ", as an angle that wraps around" * wraps
            )
            share = float((np.abs(x[i] - np.median(x[i])) > abs(step) / 2).mean())  # on the wrong side of it
            yield Hit("jumps", int(i), (feature,), float(height[i]), max(share, 1 / timesteps), sentence, at)


def _own_impacts(is_high: Bools, places: Rows, people: People) -> Bools:
    """Trials whose highest bend is where it is in most other trials of the subject, shape ``(trials,)``."""
    found = np.zeros(len(is_high), dtype=np.bool_)
    for who in np.unique(people.codes[is_high]).tolist():
        rows = people.first[who] + np.flatnonzero(is_high[people.codes == who])
        near = np.abs(places[rows] - np.median(places[rows])) <= _SAME_TIME
        if near.sum() >= max(_FEWEST_IMPACTS, people.counts[who] / 2):
            found[rows[near]] = True
    return found


def _around(k: int, count: int) -> Rows:
    """Places three to six away from ``k``, among ``count``."""
    places = k + np.array([-6, -5, -4, -3, 3, 4, 5, 6])
    return places[(places >= 0) & (places < count)]


def _is_step(bends: Doubles, k: int, side: int) -> bool:
    """Whether the bend at ``k`` and its neighbour are as large and opposite, and what is beside them is small."""
    other, beyond = k + side, (k - side, k + 2 * side)
    if not 0 <= other < len(bends):
        return False
    ratio = -bends[other] / bends[k]
    beside = [abs(bends[j] / bends[k]) for j in beyond if 0 <= j < len(bends)]
    return bool(ratio >= _ALIKE and max(beside, default=0.0) < 1 - _ALIKE)
