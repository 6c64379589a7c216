"""Flat lines, values cut off at a limit, and straight lines where a gap was bridged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from steps.core.quality.hits import Bools, Doubles, Hit, People, longest_run

_FEWEST: Final = 5  # samples; fewer are alike by chance
_SHARE: Final = 0.06  # of a trial
_TIMES_USUAL: Final = 3  # forces are zero while a foot is in the air: in everybody
_FEWEST_AT_LIMIT: Final = 4
_SHARE_AT_LIMIT: Final = 0.04
_SHARE_STRAIGHT: Final = 0.1  # smooth signals are straight for a while by chance
_STRAIGHT: Final = 0.02  # of the usual bend between samples
_LEVELS: Final = 50  # between lowest and highest value of a usual trial
_JUMP: Final = 3  # usual steps: a value that is cut off arrives at the limit gradually


def stretches(x: Doubles, feature: int, people: People) -> Iterator[Hit]:
    """Flat lines, limits and bridged gaps of one feature.

    A stretch counts where it is longer than 6% of the trial (a straight line: 10%) and than three times what is usual
    in the study.

    Args:
        x: values of the feature, shape ``(trials, timesteps)``.
        feature: its number.
        people: whose the trials are.
    """
    trials, timesteps = x.shape
    if timesteps <= _FEWEST:
        return
    steps = np.abs(np.diff(x, axis=1))
    is_same = steps == 0
    runs, last = longest_run(is_same)
    flat = np.where(runs > 0, runs + 1, 0)
    top, bottom = x.max(axis=1), x.min(axis=1)
    at_top, at_bottom = x == top[:, np.newaxis], x == bottom[:, np.newaxis]
    counts = np.stack([flat, at_top.sum(axis=1), at_bottom.sum(axis=1)], axis=1).astype(np.float64)
    straight, straight_last = _straight(x, is_same)
    usual = people.usual(np.column_stack([counts, straight]))
    fewest = max(_FEWEST, _SHARE * timesteps)
    flat_from = max(fewest, _TIMES_USUAL * usual[0])
    limit_from = max(_FEWEST_AT_LIMIT, _SHARE_AT_LIMIT * timesteps)
    limited = np.zeros(trials, dtype=np.bool_)
    is_varied = top > bottom
    is_fine = _is_fine(steps, top - bottom, people)
    flat = np.where(is_fine, flat, 0)
    for side, at, level in ((1, at_top, top), (2, at_bottom, bottom)):
        enough = counts[:, side] >= max(limit_from, _TIMES_USUAL * usual[side])
        for i in np.flatnonzero(enough & is_varied & is_fine):
            if not _arrives_gradually(at[i], steps[i]):
                continue
            limited[i] = True
            places = np.flatnonzero(at[i])
            yield Hit(
                "clipping",
                int(i),
                (feature,),
                len(places) / timesteps,
                len(places) / timesteps,
                f"{len(places)} of {timesteps} samples are exactly {level[i]:.4g}, and none is "
                f"{'above' if side == 1 else 'below'}",
                (int(places[0]), int(places[-1])),
            )
    is_dead = flat == timesteps  # however many others are
    for i in np.flatnonzero(((flat >= flat_from) | is_dead) & ~limited):
        stop = int(last[i]) + 1
        yield Hit(
            "flat",
            int(i),
            (feature,),
            float(flat[i]) / timesteps,
            float(flat[i]) / timesteps,
            f"stays at exactly {x[i, stop]:.4g} for {flat[i]} of {timesteps} samples",
            (stop - int(flat[i]) + 1, stop),
        )
    for i in np.flatnonzero(straight >= max(_FEWEST + 1, _SHARE_STRAIGHT * timesteps, _TIMES_USUAL * usual[3])):
        stop = int(straight_last[i]) + 2
        yield Hit(
            "gap",
            int(i),
            (feature,),
            float(straight[i]) / timesteps,
            float(straight[i]) / timesteps,
            f"runs in a perfectly straight line for {int(straight[i])} of {timesteps} samples, as where a gap was "
            "filled",
            (stop - int(straight[i]) + 1, stop),
        )


def _is_fine(steps: Doubles, ranges: Doubles, people: People) -> Bools:
    """Whether a trial is recorded finely enough for values to be alike by fault only, shape ``(trials,)``.

    A slow signal in coarse steps, as a temperature, stands still for most of the time.
    """
    smallest = np.where(steps > 0, steps, np.inf).min(axis=1)
    known = smallest[np.isfinite(smallest)]
    if not len(known):
        return np.zeros(len(steps), dtype=np.bool_)
    usual = people.middle(ranges[:, np.newaxis])[:, 0]
    moving = usual[usual > 0]
    usual = np.where(usual > 0, usual, np.median(moving) if len(moving) else 0.0)
    fine: Bools = (usual >= _LEVELS * np.median(known))[people.codes]
    return fine


def _straight(x: Doubles, is_same: Bools) -> tuple[Doubles, Doubles]:
    """Samples in the longest straight line of each trial that is not flat, and the last bend in it."""
    bends = np.abs(np.diff(x, n=2, axis=1))
    moving = bends[bends > 0]
    usual = float(np.median(moving)) if len(moving) else 0.0
    # Of a trial that is half a straight line the middling bend is none, so the larger ones say what is usual in it.
    own = np.quantile(bends, 0.8, axis=1, keepdims=True)
    is_straight = (bends <= _STRAIGHT * np.minimum(usual, own)) & ~is_same[:, 1:] & ~is_same[:, :-1]
    runs, last = longest_run(is_straight)
    return np.where(runs > 0, runs + 2, 0).astype(np.float64), last.astype(np.float64)


def _arrives_gradually(at: Bools, steps: Doubles) -> bool:
    """Whether the steps onto a limit and off it are no larger than others: a sensor that fails jumps to it."""
    edges = at[1:] != at[:-1]
    others = steps[~edges & (steps > 0)]
    if not edges.any() or not len(others):
        return False
    return bool(np.median(steps[edges]) <= _JUMP * np.quantile(others, 0.5)) or bool(
        steps[edges].max() <= np.quantile(others, 0.9)
    )
