"""Is the attribution true to the model? Deletion and insertion curves against random order.

Petsiuk, Das & Saenko 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC: replace the
values that an attribution calls most important by their baseline, and the output should fall quickly (deletion);
begin with the baseline and put those values back first, and it should rise quickly (insertion). Whether that is quick
is judged against random orders of the same trial, so that the harm of odd inputs is in both.

Curves are in probability: how far the output has moved from the baseline's towards the trial's,
``s (F(input) - F(baseline))`` with ``s`` the sign of ``F(trial) - F(baseline)``. "Most important" means most in favour
of that change, so the order is by ``s * attribution``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.attribution.compiled import OutputFunction
from steps.core.attribution.resampling import estimate, subject_means, subject_rows
from steps.core.data.dataset import Floats
from steps.writing.estimates import BOUNDED, flat, part_name

Array = npt.NDArray[np.float64]
Unit = Literal["cells", "features"]
"""What is replaced at a time: one feature at one time point, or a whole feature."""
UNITS: tuple[Unit, ...] = get_args(Unit)
KINDS = ("deletion", "insertion")
CURVES = ("deletion", "deletion_random", "insertion", "insertion_random")

# Shares replaced; mirrored about a half. Dense at the ends, where orders differ most.
FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
RANDOM_ORDERS = 3
TRIALS_PER_SUBJECT = 4  # tested in each fold: enough for a mean, and a bound on the time of large studies
_INPUTS_HELD = 4_000_000  # numbers in the inputs that are made at a time, 16 MB


@dataclass(frozen=True, eq=False)
class FoldCurves:
    """Curves of a fold's trials.

    Attributes:
        rows: index of each tested trial among the fold's, shape ``(tested,)``.
        fractions: share replaced at each level, for cells and for features, each ``(levels,)``.
        curves: for each unit and each of `CURVES`, shape ``(tested, levels)``; random ones are means over orders.
    """

    rows: npt.NDArray[np.intp]
    fractions: dict[Unit, Array]
    curves: dict[Unit, dict[str, Array]]

    def areas(self, unit: Unit) -> dict[str, Array]:
        """Area between attribution order and random order of each trial, in probability; positive = better."""
        curves, fractions = self.curves[unit], self.fractions[unit]
        return {
            "deletion": _area(curves["deletion_random"] - curves["deletion"], fractions),
            "insertion": _area(curves["insertion"] - curves["insertion_random"], fractions),
        }


def _area(curves: Array, fractions: Array) -> Array:
    return np.asarray(np.trapezoid(curves, fractions, axis=1))


def levels(count: int) -> npt.NDArray[np.intp]:
    """How many of ``count`` entries are replaced at each level: from 0 to all, symmetric, each number once."""
    low = np.rint(np.array(FRACTIONS) * count).astype(np.intp)
    return np.unique(np.concatenate([low, count - low]))


def spread_out(count: int, most: int) -> npt.NDArray[np.intp]:
    """At most ``most`` of ``count`` indices, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def area_name(kind: str, unit: Unit = "cells") -> str:
    """The metric of the area between the curves of both orders: ``deletion_area_cells``."""
    return f"{kind}_area_{unit}"


def trials_to_test(subjects: npt.NDArray[np.str_], most: int = TRIALS_PER_SUBJECT) -> npt.NDArray[np.intp]:
    """Indices of at most ``most`` trials of each subject, evenly spaced in their order."""
    own = [np.flatnonzero(subjects == name) for name in np.unique(subjects)]
    return np.sort(np.concatenate([trials[spread_out(len(trials), most)] for trials in own]))


def fold_curves(
    output: OutputFunction,
    values: Floats,
    baseline: Floats,
    attributions: Floats,
    subjects: npt.NDArray[np.str_],
    *,
    generator: np.random.Generator,
    orders: int = RANDOM_ORDERS,
) -> FoldCurves:
    """Deletion and insertion curves of a fold's trials, at most four of each subject.

    Args:
        output: the function that was attributed.
        values: its trials, shape ``(trials, timesteps, features)``.
        baseline: what replaces values, shape ``(timesteps, features)``.
        attributions: like ``values``.
        subjects: whose trials they are, shape ``(trials,)``.
        generator: draws the random orders, anew for every trial.
        orders: random orders per trial.
    """
    rows = trials_to_test(subjects)
    at_baseline = float(output(baseline[np.newaxis].astype(np.float32))[0])
    at_trials = output(values[rows])
    sign = np.where(at_trials >= at_baseline, 1.0, -1.0)
    fractions: dict[Unit, Array] = {}
    curves: dict[Unit, dict[str, Array]] = {}
    for unit in UNITS:
        scores = attributions[rows].astype(np.float64) * sign[:, np.newaxis, np.newaxis]
        scores = scores.reshape(len(rows), -1) if unit == "cells" else scores.sum(axis=1)
        count = scores.shape[1]
        counts = levels(count)
        by_attribution = _places(np.argsort(-scores, axis=1, kind="stable"))
        at_random = [_places(np.argsort(generator.random(scores.shape), axis=1)) for _ in range(orders)]
        # Deleting in an order is inserting in the reverse order: k left out is all but k put back.
        asked = [by_attribution, count - 1 - by_attribution, *at_random]
        moved = np.empty((len(asked), len(rows), len(counts)))
        moved[:, :, 0], moved[:, :, -1] = at_trials, at_baseline
        moved[:, :, 1:-1] = _deletion_curves(output, values[rows], baseline, asked, counts[1:-1])
        moved = (moved - at_baseline) * sign[:, np.newaxis]
        random = moved[2:].mean(axis=0)
        fractions[unit] = counts / count
        curves[unit] = {
            "deletion": moved[0],
            "deletion_random": random,
            "insertion": moved[1][:, ::-1],
            "insertion_random": random[:, ::-1],
        }
    return FoldCurves(rows, fractions, curves)


def _places(order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The place of every entry in its row's order: the inverse permutation."""
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return places


def _deletion_curves(
    output: OutputFunction,
    values: Floats,
    baseline: Floats,
    orders: Sequence[npt.NDArray[np.intp]],
    counts: npt.NDArray[np.intp],
) -> Array:
    """Output with the first ``counts`` entries of each order at their baseline, ``(orders, trials, levels)``.

    The places of an order have shape ``(trials, cells)`` or ``(trials, features)``. The inputs of all trials, orders
    and levels are one long list, of which a bounded part is made at a time.
    """
    shape = values.shape[1:]
    places = np.stack(orders)
    places = places.reshape(*places.shape[:2], *(shape if places.shape[2] == np.prod(shape) else (1, shape[1])))
    moved = np.empty((len(orders), len(values), len(counts)))
    one_by_one = moved.reshape(-1)
    size = max(1, _INPUTS_HELD // int(np.prod(shape)))
    for start in range(0, one_by_one.size, size):
        some = np.arange(start, min(start + size, one_by_one.size))
        order, trial, level = np.unravel_index(some, moved.shape)
        deleted = places[order, trial] < counts[level][:, np.newaxis, np.newaxis]
        one_by_one[some] = output(np.where(deleted, baseline, values[trial]).astype(np.float32, copy=False))
    return moved


def curve_table(
    folds: Sequence[FoldCurves], subjects: Sequence[npt.NDArray[np.str_]], *, seed: int = 0
) -> pd.DataFrame:
    """Mean curves over folds with 95% intervals over resampled subjects.

    Args:
        folds: one per fold (and test number).
        subjects: whose trials the fold's are, each of shape ``(trials,)``.
        seed: of the bootstrap.

    Returns:
        A row per unit and level: ``unit``, ``fraction`` and for each of `CURVES` its mean (in probability) and its
        ``_low`` and ``_high``. For insertion ``fraction`` is the share that has been put back.
    """
    tested = [names[fold.rows] for fold, names in zip(folds, subjects, strict=True)]
    rows = subject_rows(tested)
    tables = []
    for unit in UNITS:
        table = pd.DataFrame({"unit": unit, "fraction": folds[0].fractions[unit]})
        for name in CURVES:
            values = np.concatenate(
                [subject_means(names, fold.curves[unit][name]) for fold, names in zip(folds, tested, strict=True)]
            )
            mean = estimate(rows, values, seed)
            for part in BOUNDED:
                table[part_name(name, part)] = getattr(mean, part)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def area_metrics(
    folds: Sequence[FoldCurves], subjects: Sequence[npt.NDArray[np.str_]], *, seed: int = 0
) -> dict[str, float]:
    """``deletion_area_cells``, ``insertion_area_features`` and so on, with ``_low`` and ``_high``.

    The area between attribution order and random order in probability, mean over folds, with its 95% interval over
    resampled subjects (absent with one subject); above 0 where the attribution finds what matters.
    """
    tested = [names[fold.rows] for fold, names in zip(folds, subjects, strict=True)]
    rows = subject_rows(tested)
    metrics: dict[str, float] = {}
    for unit in UNITS:
        for kind in KINDS:
            values = np.concatenate(
                [subject_means(names, fold.areas(unit)[kind]) for fold, names in zip(folds, tested, strict=True)]
            )
            metrics |= flat(area_name(kind, unit), estimate(rows, values[:, np.newaxis], seed).only())
    return metrics
