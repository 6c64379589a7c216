"""How AUC grows with the subjects that train, where that may lead, and how many people a narrow interval takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import curve_fit

from steps.core.metrics.bootstrap import percentile_interval, resample_weights
from steps.core.metrics.intervals import Bounds, effective_interval, with_standard_error
from steps.core.metrics.jackknife import Jackknifed, leave_one_out
from steps.core.metrics.metrics import METRICS, Counts, auc
from steps.core.metrics.names import SUBJECT
from steps.core.metrics.predictions import subject_scores
from steps.core.metrics.sample import Sample

Array = npt.NDArray[np.float64]

WIDTHS: Final = (0.2, 0.1, 0.05)
_FURTHER = (1.5, 2.0, 4.0)  # times the largest training set
_RESAMPLES = 200
_MOST_PEOPLE = 1_000_000


def learning_curve(predictions: pd.DataFrame, summary: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The curve of subjects' AUC, its continuation, and people for an interval of a given width.

    The curve is that of an inverse power law, ``a - b * n ** -c`` (Figueroa et al. 2012, "Predicting sample size
    required for classification performance", BMC Med. Inform. Decis. Mak. 12:8). What is measured has the intervals of
    `steps.core.metrics.intervals`; beyond, percentiles of the curves through every resample of the tested subjects,
    never narrower than at the last size measured, and up to where what is missing to 1 there would be if it fell with
    the root of the subjects, as curves of few sizes tend to end too early (docs/evaluation-checks.md).

    Args:
        predictions: from `steps.core.models.learning_curve.predictions`, of all folds.
        summary: of the evaluation, from `steps.core.metrics.summary.summary`; both classes were tested.
        seed: of the resamples.

    Returns:
        ``points`` (a dictionary per size: ``training_subjects``, ``auc``, ``low``, ``high``), ``further`` (the same
        beyond the largest), and ``people`` (per width: ``width``, ``subjects``, and ``fewest`` and ``most`` at the ends
        of the interval of what was reached; nothing where subjects have trials of both classes, which are no
        independent people).
    """
    sizes = np.sort(predictions["training_subjects"].unique())
    counts, reached = summary["counts"], summary[SUBJECT]["auc"]
    subjects = counts["subjects"]
    weights = np.vstack([leave_one_out(subjects), resample_weights(subjects, _RESAMPLES, seed)])
    aucs = [_auc_of(predictions, size, weights) for size in sizes]
    points = [
        _point(size, one[0], _interval(Jackknifed.of(one[: 1 + subjects]), counts))
        for size, one in zip(sizes, aucs, strict=True)
    ]
    curves = np.column_stack(aucs)[[0, *range(1 + subjects, len(weights))]]
    ahead = np.array([round(factor * sizes[-1]) for factor in _FURTHER])
    further = np.array([_continued(sizes, curve, ahead) for curve in curves[np.isfinite(curves).all(axis=1)]])
    (lows, highs), last = percentile_interval(further[1:]), points[-1]
    hopes = 1 - (1 - last["high"]) * np.sqrt(sizes[-1] / ahead)
    mixed = counts["positive_subjects"] + counts["negative_subjects"] > subjects
    share = counts["positive_subjects"] / subjects
    return {
        "points": points,
        "further": [
            _point(size, value, (min(low, last["low"]), max(high, hope)))
            for size, value, low, high, hope in zip(ahead, further[0], lows, highs, hopes, strict=True)
        ],
        "people": [] if mixed else [_people(width, reached, share) for width in WIDTHS],
    }


def curve_as_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """A row per size of `learning_curve`: ``training_subjects``, ``auc``, ``low``, ``high``, ``measured`` (or not)."""
    measured, further = (pd.DataFrame(document[name]) for name in ("points", "further"))
    return pd.concat([measured.assign(measured=True), further.assign(measured=False)], ignore_index=True)


def _auc_of(predictions: pd.DataFrame, size: int, weights: Array) -> Array:
    """AUC of subjects with so many training subjects in every resample: the mean over repeats."""
    own = predictions[predictions["training_subjects"] == size]
    repeats = [table.assign(test_number=1) for _, table in own.groupby("repeat")]
    return np.asarray(np.mean([auc(Sample(subject_scores(table), weights)) for table in repeats], axis=0))


def _interval(found: Jackknifed, counts: Mapping[str, int]) -> Bounds:
    """Of AUC, as in the results; the whole span where leaving out somebody leaves one class."""
    own = METRICS["auc"].interval
    if own is None or own.tries is None or not np.isfinite(found.left_out).all():
        return 0.0, 1.0
    subjects = counts["subjects"]
    people = Counts(counts["negative_subjects"], counts["positive_subjects"], subjects, subjects)
    return effective_interval(found, people=own.people(people), tries=own.tries(people), most=subjects)


def _point(size: int, value: float, interval: Bounds) -> dict[str, float]:
    return {"training_subjects": int(size), "auc": float(value), "low": float(interval[0]), "high": float(interval[1])}


def _continued(sizes: npt.NDArray[np.integer], curve: Array, ahead: npt.NDArray[np.integer]) -> Array:
    """The inverse power law through a curve, at sizes further on."""

    def law(n: Array, limit: float, lost: float, rate: float) -> Array:
        return np.asarray(limit - lost * (n / sizes[0]) ** -rate)

    start = (min(1.0, curve[-1] + 0.01), max(1e-3, curve[-1] - curve[0]), 0.5)
    try:
        found, _ = curve_fit(law, sizes, curve, p0=start, bounds=((0, 0, 0.05), (1, 1, 3)), maxfev=2000)
    except RuntimeError:  # no convergence: it goes on as it ended
        return np.full(len(ahead), curve[-1])
    return law(ahead.astype(np.float64), *found)


def people_needed(auc_of_subjects: float, width: float, share: float) -> int:
    """How many people make the 95% interval of AUC as narrow as ``width``, an independent score for each.

    Args:
        auc_of_subjects: that is expected, inside 0 and 1.
        width: of the interval, from end to end.
        share: of positives.
    """
    few, many = 4, _MOST_PEOPLE
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if expected_width(auc_of_subjects, middle, share) <= width else (middle + 1, many)
    return few


def expected_width(auc_of_subjects: float, people: int, share: float) -> float:
    """Width of the interval of an AUC with the standard error of Hanley & McNeil 1982 (Radiology 143:29-36)."""
    theta, positives = auc_of_subjects, max(1.0, people * share)
    negatives = max(1.0, people - positives)
    above, below = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    variance = (theta * (1 - theta) + (positives - 1) * (above - theta**2) + (negatives - 1) * (below - theta**2)) / (
        positives * negatives
    )
    rests_on = max(2, round(2 * min(positives, negatives)))
    low, high = with_standard_error(theta, float(np.sqrt(variance)), people=rests_on, most=people)
    return high - low


def _people(width: float, reached: Mapping[str, float], share: float) -> dict[str, float]:
    ends = [people_needed(_inside(reached[end]), width, share) for end in ("low", "high") if end in reached]
    subjects = people_needed(_inside(reached["value"]), width, share)
    return {"width": width, "subjects": subjects, "fewest": min([subjects, *ends]), "most": max([subjects, *ends])}


def _inside(value: float) -> float:
    """AUC away from 0 and 1, where it would have no variance; below a half it is as wide as above."""
    return min(max(value, 1 - value, 0.5), 0.98)
