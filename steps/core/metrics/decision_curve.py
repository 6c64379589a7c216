"""Results at every threshold: the sweep of sensitivity and specificity, and the decision curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import pandas as pd

from steps.core.metrics.bootstrap import percentile_interval, resample_weights
from steps.core.metrics.estimates import as_they_are
from steps.core.metrics.metrics import net_benefit
from steps.core.metrics.names import LEVELS
from steps.core.metrics.predictions import Scores, levels_of
from steps.core.metrics.sample import Array, Sample

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

    def rates(sample: Sample) -> dict[str, Array]:
        tp, fp = _positives_at(sample, thresholds)
        both = (sample.positives > 0) & (sample.negatives > 0)
        recall = tp[both] / sample.positives[both, np.newaxis]
        specificity = 1 - fp[both] / sample.negatives[both, np.newaxis]
        return {"recall": recall, "specificity": specificity, "balanced_accuracy": (recall + specificity) / 2}

    return _curves(rates, scores, seed)


def benefit_curves(scores: Scores, thresholds: Array = GRID, *, seed: int = 0) -> dict[str, Curve]:
    """Net benefit of acting on the ``model`` at every threshold, of acting on ``all``, and the model's ``gain``.

    The gain is over the better of acting on all and on none, whose net benefit is 0 (Vickers & Elkin 2006). The share
    of positives is that of the study: where fear is rarer, so is the benefit.

    Args:
        scores: the trials, or the subjects.
        thresholds: shape ``(thresholds,)``.
        seed: of the bootstrap.
    """

    def benefits(sample: Sample) -> dict[str, Array]:
        tp, fp = _positives_at(sample, thresholds)
        prevalence = (sample.positives / sample.total)[:, np.newaxis]
        model = net_benefit(tp, fp, sample.total[:, np.newaxis], thresholds)
        everyone = prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
        return {"model": model, "all": everyone, "gain": model - np.maximum(everyone, 0)}

    return _curves(benefits, scores, seed)


def decision_curve(results: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """The decision curves of trials and subjects as a table.

    Returns:
        A row per level and threshold: ``level``, ``threshold``, ``net_benefit`` with its interval
        (``net_benefit_low``, ``net_benefit_high``), ``treat_all``, ``treat_none`` (0), and ``gain`` over the better
        of the two, with its interval.
    """
    parts = []
    levels = levels_of(results)
    for level in LEVELS:
        curves = benefit_curves(levels[level], seed=seed)
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


def _positives_at(sample: Sample, thresholds: Array) -> tuple[Array, Array]:
    """True and false positives in every resample at every threshold, each of shape ``(resamples, thresholds)``."""
    predicted = sample.scores.probabilities >= thresholds[:, np.newaxis]
    hits = np.column_stack([sample.per_subject(row & sample.positive) for row in predicted])
    alarms = np.column_stack([sample.per_subject(row & ~sample.positive) for row in predicted])
    return sample.weights @ hits, sample.weights @ alarms


def _curves(function: Callable[[Sample], dict[str, Array]], scores: Scores, seed: int) -> dict[str, Curve]:
    """Each array that the function returns as a curve; with a single subject the band has no width."""
    weights = resample_weights(len(np.unique(scores.subjects)), CURVE_RESAMPLES, seed)
    resampled = function(Sample(scores, weights))
    curves: dict[str, Curve] = {}
    for name, value in function(Sample(scores, as_they_are(scores))).items():
        low, high = percentile_interval(resampled[name])
        curves[name] = {"value": value[0], "low": low, "high": high}
    return curves
