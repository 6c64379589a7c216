"""Every metric, once: what it is called, how it is computed, and where it is shown.

A metric that is added to `METRICS` is in ``summary.json`` with its interval, in the metrics of the evaluation's run, in
the tables of the report and among the differences of ``compare``. Confusion counts have no interval and no row here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from steps.core.metrics.calibration import bin_gaps
from steps.core.metrics.names import FOLD, POOLED, SUBJECT, VOTE
from steps.core.metrics.sample import Array, Confusion, Sample, ratio

PROBABILITY_EPSILON = 1e-7  # Keras clips probabilities to [1e-7, 1 - 1e-7] before it takes a logarithm
PRIMARY = "auc"  # the metric that a study is judged by
FALLBACK = "brier"  # where there is one class only, so that there is no AUC
DECIDED = "balanced_accuracy"  # the metric of decisions that is reported beside it
_WITH_FOLDS = (POOLED, SUBJECT, VOTE, FOLD)


@dataclass(frozen=True)
class Counts:
    """How many subjects, or entries, there are.

    Attributes:
        negatives: of class 0; a subject with entries of both classes is in both.
        positives: of class 1.
        everybody: all.
        called: those, of either class, that are decided to be positive; all where nothing is decided.
    """

    negatives: int
    positives: int
    everybody: int
    called: int


def _of_both_classes(people: Counts) -> int:
    """The chance that all are right is largest where both classes are as hard."""
    return min(2 * people.negatives, 2 * people.positives, people.everybody)


def _pairs(people: Counts) -> int:
    """As many pairs of a positive and a negative subject can be made that have nobody in common."""
    return min(people.negatives, people.positives, people.everybody // 2)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Which of `steps.core.metrics.intervals` a metric has.

    Attributes:
        kind: a ``share`` of what is counted, exact where each subject is counted once; another value ``between`` the
            ends of its span; or the mean ``error`` of a subject's probabilities.
        people: how many subjects it rests on.
        tries: how many independent answers, right or wrong, a perfect value is worth at least; None: ``people``.
    """

    kind: Literal["share", "between", "error"]
    people: Callable[[Counts], int]
    tries: Callable[[Counts], int] | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known of a metric but its function.

    Attributes:
        title: what people read.
        direction: what is better.
        span: lowest and highest value there can be.
        headline: among the first results: on the terminal, in the descriptions, in the metrics of a study's own run.
        compared: in the table and the figure of ``compare``, and logged for baselines.
        spread: in the table of test numbers, and in their figure if it lies between 0 and 1.
        logged_again: whether a study's own run and the baselines may log it; an evaluation logs all there are.
        interval: which it has; None where none was found that holds.
        without_interval: why it has none.
    """

    title: str
    direction: Literal["higher", "lower", "none"] = "higher"
    span: tuple[float, float] = (0.0, 1.0)
    headline: bool = False
    compared: bool = False
    spread: bool = False
    logged_again: bool = True
    interval: Interval | None = None
    without_interval: str = ""


@dataclass(frozen=True, kw_only=True)
class ProbabilityMetric(Metric):
    """A metric of labels and probabilities.

    Attributes:
        levels: where it is made.
        function: its value in every resample, shape ``(resamples,)``; NaN where it is undefined.
    """

    function: Callable[[Sample], Array]
    levels: tuple[str, ...] = (POOLED, SUBJECT)


@dataclass(frozen=True, kw_only=True)
class DecisionMetric(Metric):
    """A metric of labels and yes-or-no decisions, made for every threshold.

    Attributes:
        levels: where it is made; with ``fold`` also on the run of every fold, where it is 0 if it is undefined.
        function: its value in every resample, shape ``(resamples,)``; NaN where it is undefined.
        reach: lowest and highest value with these numbers of positives and negatives, each of shape ``(resamples,)``;
            None: the ends of the span.
    """

    function: Callable[[Confusion], Array]
    levels: tuple[str, ...] = (POOLED, SUBJECT, VOTE)
    reach: Callable[[Confusion], tuple[Array, Array]] | None = None


def auc(sample: Sample) -> Array:
    """Share of the (positive, negative) pairs in the right order, ties counting a half (Hanley & McNeil 1982).

    The pairs are counted once, per pair of subjects: the number is bilinear in the weights.
    """
    positive, codes, weights = sample.positive, sample.codes, sample.weights
    negatives = sample.scores.probabilities[~positive]
    subjects = weights.shape[1]
    pairs = np.zeros((subjects, subjects))
    for subject in np.unique(codes[positive]):
        own = np.sort(sample.scores.probabilities[positive & (codes == subject)])
        above = len(own) - np.searchsorted(own, negatives, side="right")
        not_below = len(own) - np.searchsorted(own, negatives, side="left")
        pairs[subject] = np.bincount(codes[~positive], weights=(above + not_below) / 2, minlength=subjects)
    concordant = np.asarray(((weights @ pairs) * weights).sum(axis=1))
    return ratio(concordant, sample.positives * sample.negatives)


def average_precision(sample: Sample) -> Array:
    """Sum of precision times the step in recall, without interpolation, as scikit-learn defines it."""
    tp, fp = sample.cumulative()
    precision = ratio(tp, tp + fp, otherwise=0.0)
    value = ratio((np.diff(tp, prepend=0.0) * precision).sum(axis=1), tp[:, -1])
    return np.where((sample.positives > 0) & (sample.negatives > 0), value, np.nan)


def cross_entropy(sample: Sample) -> Array:
    """Mean negative logarithm of the probability of the true class, in nats."""
    clipped = np.clip(sample.scores.probabilities, PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON)
    return sample.sums(-np.log(np.where(sample.positive, clipped, 1 - clipped))) / sample.total


def brier(sample: Sample) -> Array:
    """Mean squared error of the probability (Brier 1950)."""
    return sample.sums((sample.scores.probabilities - sample.positive) ** 2) / sample.total


def calibration_error(sample: Sample) -> Array:
    """Expected calibration error in ten bins; see `steps.core.metrics.calibration.bin_gaps`."""
    return np.asarray(np.abs(sample.weights @ bin_gaps(sample.scores, sample.codes)).sum(axis=1) / sample.total)


def recall(made: Confusion) -> Array:
    """Share of the positives that are found; undefined without positives."""
    return ratio(made.tp, made.positives)


def specificity(made: Confusion) -> Array:
    """Share of the negatives that are left alone; undefined without negatives."""
    return ratio(made.tn, made.negatives)


def mcc(made: Confusion) -> Array:
    """Matthews correlation (1975, Biochim. Biophys. Acta 405:442-451); 0 where all are decided alike."""
    product = (made.tp + made.fp) * (made.fn + made.tn) * made.positives * made.negatives
    correlation = ratio(made.tp * made.tn - made.fp * made.fn, np.sqrt(product), otherwise=0.0)
    return np.where(made.positives * made.negatives > 0, correlation, np.nan)


def net_benefit(tp: Array, fp: Array, total: Array, threshold: float | npt.NDArray[np.float64]) -> Array:
    """The share of true positives less the weighted share of false positives.

    A false positive weighs ``t / (1 − t)`` of a true positive for someone who acts from a probability of ``t`` on
    (Vickers & Elkin 2006, Med. Decis. Making 26:565-574).
    """
    return np.asarray((tp - threshold / (1 - threshold) * fp) / total)


def _net_benefit(made: Confusion) -> Array:
    """Undefined without one threshold for all: the probability to act from is what net benefit is about."""
    if made.threshold is None:
        return np.full(made.tp.shape, np.nan)
    return net_benefit(made.tp, made.fp, made.total, made.threshold)


def _net_benefit_reach(made: Confusion) -> tuple[Array, Array]:
    """All wrong, and all right."""
    threshold = 0.5 if made.threshold is None else made.threshold  # without one there is no net benefit
    none = np.zeros(made.total.shape)
    return (
        net_benefit(none, made.negatives, made.total, threshold),
        net_benefit(made.positives, none, made.total, threshold),
    )


_EVERYBODY = Interval(kind="share", people=lambda people: people.everybody)
_BOTH_CLASSES = Interval(kind="between", people=_of_both_classes)
_RANKING = Interval(kind="between", people=_of_both_classes, tries=_pairs)

METRICS: Mapping[str, ProbabilityMetric | DecisionMetric] = {
    "auc": ProbabilityMetric(
        title="AUC", function=auc, headline=True, compared=True, spread=True, interval=_RANKING
    ),
    "average_precision": ProbabilityMetric(
        title="average precision", function=average_precision,
        headline=True, compared=True, spread=True, logged_again=False, interval=_RANKING,
    ),
    "loss": ProbabilityMetric(
        title="cross-entropy (nats)", function=cross_entropy, direction="lower", span=(0.0, math.inf),
        without_interval="one confident error, which few people need not hold, may outweigh all others",
    ),
    "brier": ProbabilityMetric(
        title="Brier score", function=brier, direction="lower", headline=True, compared=True, spread=True,
        interval=Interval(kind="error", people=lambda people: people.everybody),
    ),
    "ece": ProbabilityMetric(
        title="expected calibration error", function=calibration_error, direction="lower", spread=True,
        without_interval="the fewer the cases, the more it is too high, even of perfect probabilities",
    ),
    "accuracy": DecisionMetric(
        title="accuracy", function=lambda made: (made.tp + made.tn) / made.total, compared=True, levels=_WITH_FOLDS,
        interval=_EVERYBODY,
    ),
    "balanced_accuracy": DecisionMetric(
        title="balanced accuracy", function=lambda made: (recall(made) + specificity(made)) / 2,
        headline=True, compared=True, spread=True, interval=_BOTH_CLASSES,
    ),
    "precision": DecisionMetric(
        title="precision", function=lambda made: ratio(made.tp, made.tp + made.fp, otherwise=0.0), levels=_WITH_FOLDS,
        interval=Interval(kind="share", people=lambda people: people.called),
    ),
    "recall": DecisionMetric(
        title="sensitivity (recall)", function=recall, headline=True, levels=_WITH_FOLDS,
        interval=Interval(kind="share", people=lambda people: people.positives),
    ),
    "specificity": DecisionMetric(
        title="specificity", function=specificity, headline=True,
        interval=Interval(kind="share", people=lambda people: people.negatives),
    ),
    "f1": DecisionMetric(
        title="F1", function=lambda made: ratio(2 * made.tp, made.positives + made.tp + made.fp, otherwise=0.0),
        levels=_WITH_FOLDS, interval=Interval(kind="between", people=lambda people: people.positives),
    ),
    "mcc": DecisionMetric(title="MCC", function=mcc, span=(-1.0, 1.0), spread=True, interval=_BOTH_CLASSES),
    "net_benefit": DecisionMetric(
        title="net benefit", function=_net_benefit, span=(-math.inf, 1.0), levels=(POOLED, SUBJECT),
        reach=_net_benefit_reach,
        interval=Interval(kind="between", people=lambda people: min(people.negatives, people.positives)),
    ),
}  # fmt: skip
