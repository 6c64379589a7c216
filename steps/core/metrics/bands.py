"""Bands around ROC and precision-recall curves, from resampled subjects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steps.core.metrics.bootstrap import percentile_interval
from steps.core.metrics.chunks import chunks
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array, Sample, ratio


def roc_band(scores: Scores, false_positive_rates: Array, weights: Array) -> tuple[Array, Array]:
    """Pointwise percentile band of the true positive rate, both of shape ``false_positive_rates.shape``.

    Resamples with one class are left out.
    """

    def curve(hits: Array, alarms: Array) -> Array:
        false, true = np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])
        return np.asarray(np.interp(false_positive_rates, false, true))

    return _band(scores, weights, curve)


def precision_band(scores: Scores, recalls: Array, weights: Array) -> tuple[Array, Array]:
    """Pointwise percentile band of the precision, both of shape ``recalls.shape``.

    At a recall between two points of a curve the precision is that of the next point, without interpolation
    (Davis & Goadrich 2006, ICML 23:233-240). Resamples with one class are left out.
    """

    def curve(hits: Array, alarms: Array) -> Array:
        reached = np.searchsorted(hits / hits[-1], recalls - 1e-12)
        return np.asarray(ratio(hits, hits + alarms, otherwise=0.0)[reached])

    return _band(scores, weights, curve)


def _band(scores: Scores, weights: Array, curve: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
    """The band of a curve that is made of true and false positives at every probability of one resample."""
    sample, curves = Sample(scores, weights), []
    for rows in chunks(len(weights), len(scores.labels)):
        tp, fp = sample.cumulative(rows)
        defined = (tp[:, -1] > 0) & (fp[:, -1] > 0)
        curves += [curve(hits, alarms) for hits, alarms in zip(tp[defined], fp[defined], strict=True)]
    return percentile_interval(np.array(curves))
