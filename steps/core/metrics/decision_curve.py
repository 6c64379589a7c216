"""What every threshold would do: the sweep of sensitivity and specificity, and the decision curve."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.bootstrap import (
    as_they_are,
    class_totals,
    net_benefit,
    percentile_interval,
    positives_at,
    resample_weights,
)
from steps.core.metrics.predictions import Scores, subject_scores, trial_scores

Array = npt.NDArray[np.float64]
CURVE_RESAMPLES = 500
GRID = np.round(np.arange(1, 100) / 100, 2)  # of probability thresholds


class Curve(TypedDict):
    """A curve over thresholds with a pointwise 95% band over resampled subjects, each of shape ``(thresholds,)``."""

    value: Array
    low: Array
    high: Array


def threshold_sweep(scores: Scores, thresholds: Array = GRID, *, seed: int = 0) -> dict[str, Curve]:
    """``recall``, ``specificity`` and ``balanced_accuracy`` at every threshold.

    Args:
        scores: the trials, or the subjects; of both classes.
        thresholds: shape ``(thresholds,)``.
        seed: of the bootstrap.
    """

    def rates(weights: Array) -> dict[str, Array]:
        tp, fp = positives_at(scores, weights, thresholds)
        positives, negatives = class_totals(scores, weights)
        both = (positives > 0) & (negatives > 0)
        recall = tp[both] / positives[both, np.newaxis]
        specificity = 1 - fp[both] / negatives[both, np.newaxis]
        return {"recall": recall, "specificity": specificity, "balanced_accuracy": (recall + specificity) / 2}

    resampled = rates(_weights(scores, seed))
    curves: dict[str, Curve] = {}
    for name, value in rates(as_they_are(scores)).items():
        low, high = percentile_interval(resampled[name], 0.95)
        curves[name] = {"value": value[0], "low": low, "high": high}
    return curves


def benefit_curves(scores: Scores, thresholds: Array = GRID, *, seed: int = 0) -> dict[str, Curve]:
    """Net benefit of acting on the ``model`` at every threshold, of acting on ``all``, and the model's ``gain``.

    The gain is over the better of acting on all and on none, whose net benefit is 0 (Vickers & Elkin 2006). The share
    of positives is that of the study: where fear is rarer, so is the benefit.

    Args:
        scores: the trials, or the subjects.
        thresholds: shape ``(thresholds,)``.
        seed: of the bootstrap.
    """

    def benefits(weights: Array) -> dict[str, Array]:
        positives, negatives = class_totals(scores, weights)
        prevalence = (positives / (positives + negatives))[:, np.newaxis]
        model = net_benefit(scores, weights, thresholds)
        everyone = prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
        return {"model": model, "all": everyone, "gain": model - np.maximum(everyone, 0)}

    resampled = benefits(_weights(scores, seed))
    curves: dict[str, Curve] = {}
    for name, value in benefits(as_they_are(scores)).items():
        low, high = percentile_interval(resampled[name], 0.95)
        curves[name] = {"value": value[0], "low": low, "high": high}
    return curves


def decision_curve(results: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """The decision curves of trials and subjects as a table.

    Returns:
        A row per level and threshold: ``level``, ``threshold``, ``net_benefit`` with its interval
        (``net_benefit_low``, ``net_benefit_high``), ``treat_all``, ``treat_none`` (0), and ``gain`` over the better
        of the two, with its interval.
    """
    parts = []
    for level, scores in (("pooled", trial_scores(results)), ("subject", subject_scores(results))):
        curves = benefit_curves(scores, seed=seed)
        columns = {
            "level": level,
            "threshold": GRID,
            "net_benefit": curves["model"]["value"],
            "net_benefit_low": curves["model"]["low"],
            "net_benefit_high": curves["model"]["high"],
            "treat_all": curves["all"]["value"],
            "treat_none": 0.0,
            "gain": curves["gain"]["value"],
            "gain_low": curves["gain"]["low"],
            "gain_high": curves["gain"]["high"],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _weights(scores: Scores, seed: int) -> Array:
    """Resamples of the subjects; with a single subject there is nothing to draw, and the band has no width."""
    return resample_weights(len(np.unique(scores.subjects)), CURVE_RESAMPLES, seed)
