"""How AUC grows with the subjects that train, where that may lead, and how many people a narrow interval takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import curve_fit
from scipy.special import expit, logit
from scipy.stats import t as student

from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.metrics import auc
from steps.core.metrics.names import CONFIDENCE, SUBJECT
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
    required for classification performance", BMC Med. Inform. Decis. Mak. 12:8), fitted to every resample of the tested
    subjects; from these come its intervals.

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
    weights = resample_weights(predictions["subject"].nunique(), _RESAMPLES, seed)
    weights = np.vstack([np.ones(weights.shape[1]), weights])
    curves = np.column_stack([_auc_of(predictions, size, weights) for size in sizes])
    curves = curves[np.isfinite(curves).all(axis=1)]
    ahead = np.array([round(factor * sizes[-1]) for factor in _FURTHER])
    further = np.array([_continued(sizes, curve, ahead) for curve in curves])
    counts, reached = summary["counts"], summary[SUBJECT]["auc"]
    mixed = counts["positive_subjects"] + counts["negative_subjects"] > counts["subjects"]
    share = counts["positive_subjects"] / counts["subjects"]
    return {
        "points": _with_intervals(sizes, curves),
        "further": _with_intervals(ahead, further),
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


def _with_intervals(sizes: npt.NDArray[np.integer], values: Array) -> list[dict[str, float]]:
    """Of each size the value as it is (first row), and the percentiles of the others."""
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values[1:], [outside, 100 - outside], axis=0)
    return [
        {"training_subjects": int(size), "auc": float(value), "low": float(below), "high": float(above)}
        for size, value, below, above in zip(sizes, values[0], low, high, strict=True)
    ]


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

    The variance of AUC is that of Hanley & McNeil 1982 (Radiology 143:29-36), the interval that of its logit with
    Student's t.

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
    """Width of the interval that `people_needed` is about."""
    theta, positives = auc_of_subjects, max(1.0, people * share)
    negatives = max(1.0, people - positives)
    above, below = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    variance = (theta * (1 - theta) + (positives - 1) * (above - theta**2) + (negatives - 1) * (below - theta**2)) / (
        positives * negatives
    )
    reach = student.ppf((1 + CONFIDENCE) / 2, people - 1) * np.sqrt(variance) / (theta * (1 - theta))
    return float(expit(logit(theta) + reach) - expit(logit(theta) - reach))


def _people(width: float, reached: Mapping[str, float], share: float) -> dict[str, float]:
    ends = [people_needed(_inside(reached[end]), width, share) for end in ("low", "high") if end in reached]
    subjects = people_needed(_inside(reached["value"]), width, share)
    return {"width": width, "subjects": subjects, "fewest": min([subjects, *ends]), "most": max([subjects, *ends])}


def _inside(value: float) -> float:
    """AUC away from 0 and 1, where it would have no variance; below a half it is as wide as above."""
    return min(max(value, 1 - value, 0.5), 0.98)
