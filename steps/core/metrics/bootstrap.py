"""Statistics with intervals from resampled subjects.

Trials of one subject resemble each other, so the subject is what is drawn: with replacement, with all its
trials (the cluster bootstrap; Field & Welsh 2007, "Bootstrapping clustered data", J. R. Stat. Soc. B
69:369-390). A resample is then nothing but a weight per subject, and every statistic here takes weights, for
all resamples at once: confusion counts and sums are linear in them, AUC is bilinear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from steps.core.metrics.calibration import bin_gaps
from steps.core.metrics.chunks import Mapper, chunks, serial
from steps.core.metrics.decisions import Bools, decisions
from steps.core.metrics.fold_metrics import PROBABILITY_EPSILON
from steps.core.metrics.predictions import Scores
from steps.core.metrics.thresholds import threshold_key

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.floating | np.unsignedinteger]


class Estimate(TypedDict):
    """A statistic and its percentile interval; the interval is absent where it cannot be estimated.

    ``p_value`` is that of `steps.core.metrics.permutation`, on the statistics that are tested.
    """

    value: float
    low: NotRequired[float]
    high: NotRequired[float]
    p_value: NotRequired[float]


def resample_weights(subjects: int, resamples: int, seed: int) -> Array:
    """How often each subject is drawn, shape ``(resamples, subjects)``; each row sums to ``subjects``."""
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(subjects, np.full(subjects, 1.0 / subjects), size=resamples)
    return draws.astype(np.float64)


def statistics(scores: Scores, weights: Array, thresholds: Sequence[float]) -> dict[str, Array]:
    """Every statistic of every resample.

    Args:
        scores: the trials, or the subjects.
        weights: shape ``(resamples, subjects)``; columns in the order of ``np.unique(scores.subjects)``. A
            row of ones gives the statistics of ``scores`` as they are.
        thresholds: decision thresholds.

    Returns:
        Arrays of shape ``(resamples,)``, NaN where undefined: ``auc``, ``average_precision``, ``loss``
        (binary cross-entropy, nats), ``brier`` (mean squared error of the probability), ``ece`` (expected
        calibration error), for each threshold ``threshold_0.43/net_benefit`` (Vickers & Elkin 2006) and what
        `decision_statistics` gives, and the latter for ``threshold_in_fold`` where the scores have one. Without
        either class AUC and average precision are undefined.
    """
    positive = scores.labels == 1
    clipped = np.clip(scores.probabilities, PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON)
    total = weights @ _per_subject(scores, np.ones(len(positive)))
    positives = weights @ _per_subject(scores, positive)
    negatives = total - positives
    both = (positives > 0) & (negatives > 0)
    result = {
        "auc": _ratio(_concordant_pairs(scores, weights), positives * negatives),
        "average_precision": np.where(both, _average_precision(scores, weights), np.nan),
        "loss": weights @ _per_subject(scores, -np.log(np.where(positive, clipped, 1 - clipped))) / total,
        "brier": weights @ _per_subject(scores, (scores.probabilities - positive) ** 2) / total,
        "ece": np.abs(weights @ bin_gaps(scores, _codes(scores))).sum(axis=1) / total,
    }
    declared = {threshold_key(threshold): threshold for threshold in thresholds}
    for rule, predicted in decisions(scores, thresholds).items():
        result |= decision_statistics(scores, weights, {rule: predicted})
        if rule in declared:
            benefit = net_benefit(scores, weights, [declared[rule]])
            result[f"{rule}/net_benefit"] = benefit[:, 0]
    return result


def decision_statistics(scores: Scores, weights: Array, rules: Mapping[str, Bools]) -> dict[str, Array]:
    """The statistics of yes-or-no decisions in every resample.

    Args:
        scores: the trials, or the subjects; their probabilities are not read.
        weights: as for `statistics`.
        rules: name of a rule -> its decisions, shape ``(n,)``.

    Returns:
        Arrays of shape ``(resamples,)`` under ``<rule>/accuracy``, ``balanced_accuracy``, ``precision``, ``recall``,
        ``specificity``, ``f1`` and ``mcc`` (Matthews 1975, Biochim. Biophys. Acta 405:442-451). Without positives
        recall is undefined, without negatives specificity, without either balanced accuracy and MCC; precision, F1
        and MCC are 0 where they would divide by zero.
    """
    positive = scores.labels == 1
    total = weights @ _per_subject(scores, np.ones(len(positive)))
    positives = weights @ _per_subject(scores, positive)
    negatives = total - positives
    result: dict[str, Array] = {}
    for rule, predicted in rules.items():
        tp = weights @ _per_subject(scores, predicted & positive)
        fp = weights @ _per_subject(scores, predicted & ~positive)
        tn, fn = negatives - fp, positives - tp
        recall = _ratio(tp, positives)
        specificity = _ratio(tn, negatives)
        product = (tp + fp) * (fn + tn) * positives * negatives
        correlation = _ratio(tp * tn - fp * fn, np.sqrt(product), otherwise=0.0)
        named = {
            "accuracy": (tp + tn) / total,
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": _ratio(tp, tp + fp, otherwise=0.0),
            "recall": recall,
            "specificity": specificity,
            "f1": _ratio(2 * tp, positives + tp + fp, otherwise=0.0),
            "mcc": np.where(positives * negatives > 0, correlation, np.nan),
        }
        result |= {f"{rule}/{name}": values for name, values in named.items()}
    return result


def positives_at(scores: Scores, weights: Array, thresholds: Sequence[float] | Array) -> tuple[Array, Array]:
    """True and false positives in every resample at every threshold, each of shape ``(resamples, thresholds)``."""
    positive = scores.labels == 1
    predicted = scores.probabilities >= np.asarray(thresholds, dtype=np.float64)[:, np.newaxis]
    hits = np.column_stack([_per_subject(scores, row & positive) for row in predicted])
    alarms = np.column_stack([_per_subject(scores, row & ~positive) for row in predicted])
    return weights @ hits, weights @ alarms


def net_benefit(scores: Scores, weights: Array, thresholds: Sequence[float] | Array) -> Array:
    """Net benefit in every resample at every threshold, shape ``(resamples, thresholds)``.

    The share of true positives less the share of false positives, one of which weighs ``t / (1 − t)`` of a true
    positive for someone who acts from a probability of ``t`` on (Vickers & Elkin 2006, Med. Decis. Making 26:565-574).
    """
    tp, fp = positives_at(scores, weights, thresholds)
    odds = np.asarray(thresholds) / (1 - np.asarray(thresholds))
    positives, negatives = class_totals(scores, weights)
    return np.asarray((tp - odds * fp) / (positives + negatives)[:, np.newaxis])


def class_totals(scores: Scores, weights: Array) -> tuple[Array, Array]:
    """Positives and negatives in every resample, each of shape ``(resamples,)``."""
    return weights @ _per_subject(scores, scores.labels == 1), weights @ _per_subject(scores, scores.labels == 0)


def point_values(scores: Scores, thresholds: Sequence[float]) -> dict[str, float]:
    """The statistics of ``scores`` as they are; undefined ones are absent."""
    return _defined(statistics(scores, as_they_are(scores), thresholds))


def as_they_are(scores: Scores) -> Array:
    """The weights of no resample: every subject once, shape ``(1, subjects)``."""
    return np.ones((1, len(np.unique(scores.subjects))))


def _defined(values: Mapping[str, Array]) -> dict[str, float]:
    return {name: float(value[0]) for name, value in values.items() if np.isfinite(value[0])}


def resampled_statistics(
    scores: Scores, weights: Array, thresholds: Sequence[float], mapper: Mapper = serial
) -> dict[str, Array]:
    """`statistics`, some resamples at a time.

    Args:
        scores: the trials, or the subjects.
        weights: from `resample_weights`.
        thresholds: decision thresholds.
        mapper: where to work.
    """
    return _resampled(partial(_statistics_of, scores, tuple(thresholds)), scores, weights, mapper)


def _statistics_of(scores: Scores, thresholds: Sequence[float], weights: Counts) -> dict[str, Array]:
    return statistics(scores, weights.astype(np.float64), thresholds)


def _decision_statistics_of(scores: Scores, rules: Mapping[str, Bools], weights: Counts) -> dict[str, Array]:
    return decision_statistics(scores, weights.astype(np.float64), rules)


def _resampled(
    function: Callable[[Counts], dict[str, Array]], scores: Scores, weights: Array, mapper: Mapper
) -> dict[str, Array]:
    counts = weights.astype(np.uint16)
    compact: Counts = counts if np.array_equal(counts, weights) else weights  # a quarter of the bytes has to travel
    parts = mapper(function, [compact[part] for part in chunks(len(weights), len(scores.labels))])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def estimates(
    scores: Scores, weights: Array, thresholds: Sequence[float], *, confidence: float, mapper: Mapper = serial
) -> dict[str, Estimate]:
    """The statistics of ``scores`` with percentile intervals (Efron & Tibshirani 1993, chapter 13).

    Args:
        scores: the trials, or the subjects.
        weights: from `resample_weights`; with a single subject there are no intervals.
        thresholds: decision thresholds.
        confidence: e.g. 0.95.
        mapper: where to work.

    Returns:
        An estimate per statistic that is defined; resamples in which one is undefined are left out of its
        interval.
    """
    resampled = resampled_statistics(scores, weights, thresholds, mapper)
    return _with_intervals(point_values(scores, thresholds), resampled, weights, confidence)


def decision_estimates(
    scores: Scores, weights: Array, rules: Mapping[str, Bools], *, confidence: float, mapper: Mapper = serial
) -> dict[str, Estimate]:
    """`decision_statistics` with percentile intervals; the arguments are explained there and in `estimates`."""
    point = _defined(decision_statistics(scores, as_they_are(scores), rules))
    resampled = _resampled(partial(_decision_statistics_of, scores, rules), scores, weights, mapper)
    return _with_intervals(point, resampled, weights, confidence)


def _with_intervals(
    point: Mapping[str, float], resampled: Mapping[str, Array], weights: Array, confidence: float
) -> dict[str, Estimate]:
    result: dict[str, Estimate] = {}
    for name, value in point.items():
        result[name] = {"value": value}
        defined = resampled[name][np.isfinite(resampled[name])]
        if weights.shape[1] > 1 and len(defined):
            if name == "ece":
                # A resample holds fewer distinct subjects, which inflates its calibration error: take that off again.
                defined = np.maximum(0.0, defined - (defined.mean() - value))
            low, high = percentile_interval(defined, confidence)
            result[name] |= {"low": float(low), "high": float(high)}
    return result


def percentile_interval(resampled: Array, confidence: float) -> tuple[Array, Array]:
    """Percentile interval over the first axis; what is not a number is left out."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail], axis=0)
    return low, high


def roc_band(
    scores: Scores, false_positive_rates: Array, weights: Array, *, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Pointwise percentile band of the true positive rate, both of shape ``false_positive_rates.shape``.

    Resamples with one class are left out.
    """
    curves = []
    for tp, fp in _cumulative(scores, weights):
        defined = (tp[:, -1] > 0) & (fp[:, -1] > 0)
        for hits, alarms in zip(tp[defined], fp[defined], strict=True):
            rates = np.interp(
                false_positive_rates, np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])
            )
            curves.append(rates)
    return percentile_interval(np.array(curves), confidence)


def precision_band(scores: Scores, recalls: Array, weights: Array, *, confidence: float = 0.95) -> tuple[Array, Array]:
    """Pointwise percentile band of the precision, both of shape ``recalls.shape``.

    At a recall between two points of a curve the precision is that of the next point, without interpolation
    (Davis & Goadrich 2006, ICML 23:233-240). Resamples with one class are left out.
    """
    curves = []
    for tp, fp in _cumulative(scores, weights):
        defined = (tp[:, -1] > 0) & (fp[:, -1] > 0)
        for hits, alarms in zip(tp[defined], fp[defined], strict=True):
            reached = np.searchsorted(hits / hits[-1], recalls - 1e-12)
            curves.append(_ratio(hits, hits + alarms, otherwise=0.0)[reached])
    return percentile_interval(np.array(curves), confidence)


def _ratio(numerator: Array, denominator: Array, otherwise: float = np.nan) -> Array:
    result = np.full(denominator.shape, otherwise)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def _codes(scores: Scores) -> npt.NDArray[np.intp]:
    return np.unique(scores.subjects, return_inverse=True)[1]


def _per_subject(scores: Scores, amounts: npt.NDArray[np.floating | np.bool_]) -> Array:
    """Sum over the entries of each subject."""
    return np.bincount(_codes(scores), weights=amounts).astype(np.float64)


def _concordant_pairs(scores: Scores, weights: Array) -> Array:
    """Weighted number of (positive, negative) pairs in the right order, ties counting a half.

    Over all pairs that is AUC (Hanley & McNeil 1982). The pairs are counted once, per pair of subjects.
    """
    codes = _codes(scores)
    positive = scores.labels == 1
    negatives = scores.probabilities[~positive]
    subjects = weights.shape[1]
    pairs = np.zeros((subjects, subjects))
    for subject in np.unique(codes[positive]):
        own = np.sort(scores.probabilities[positive & (codes == subject)])
        above = len(own) - np.searchsorted(own, negatives, side="right")
        not_below = len(own) - np.searchsorted(own, negatives, side="left")
        pairs[subject] = np.bincount(codes[~positive], weights=(above + not_below) / 2, minlength=subjects)
    return np.asarray(((weights @ pairs) * weights).sum(axis=1))


def _cumulative(scores: Scores, weights: Array) -> Iterator[tuple[Array, Array]]:
    """True and false positives at every distinct probability, from the highest down.

    Yields a block of resamples at a time, to bound the memory. Each array has shape ``(resamples of the
    block, distinct probabilities)``.
    """
    order = np.argsort(-scores.probabilities, kind="stable")
    descending = scores.probabilities[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(descending)), len(order) - 1)
    codes, positive = _codes(scores)[order], (scores.labels == 1)[order]
    for block in chunks(len(weights), len(order)):
        entries = weights[block][:, codes]
        tp = np.cumsum(entries * positive, axis=1)[:, last_of_ties]
        yield tp, np.cumsum(entries, axis=1)[:, last_of_ties] - tp


def _average_precision(scores: Scores, weights: Array) -> Array:
    """Sum of precision times the step in recall, without interpolation, as scikit-learn defines it."""
    parts = []
    for tp, fp in _cumulative(scores, weights):
        precision = _ratio(tp, tp + fp, otherwise=0.0)
        parts.append(_ratio((np.diff(tp, prepend=0.0) * precision).sum(axis=1), tp[:, -1]))
    return np.concatenate(parts)
