"""Metrics of whole labels, a row each: `LABEL_METRICS` says what they are called, and which interval they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, rankdata

from steps.core.data.labelling import CLASSES, ORDERED, SCORE
from steps.core.metrics.labels.predictions import LabelScores

Array = npt.NDArray[np.float64]
_EPSILON: Final = 1e-7


@dataclass(frozen=True, kw_only=True)
class LabelMetric:
    """What is known of a metric.

    Attributes:
        title: what people read.
        kinds: of labels that it is for.
        function: its value; NaN where it is undefined.
        interval: ``share`` of what is right; another value ``between`` 0 and 1, or (``correlation``) -1 and 1; the mean
            of an ``error``, in levels or in units of a score; None where it has none.
        ranks: whether it only asks who is higher, so that a perfect value is worth as many tries as there are pairs.
        direction: what is better.
    """

    title: str
    kinds: tuple[str, ...]
    function: Callable[[LabelScores], float]
    interval: Literal["share", "between", "correlation", "error"] | None = None
    ranks: bool = False
    direction: Literal["higher", "lower"] = "higher"


def auc(positive: npt.NDArray[np.bool_], scores: Array) -> float:
    """Share of the (positive, negative) pairs in the right order, ties counting a half; NaN with one class."""
    positives = int(positive.sum())
    pairs = positives * (len(positive) - positives)
    if not pairs:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - positives * (positives + 1) / 2) / pairs)


def macro_auc(scores: LabelScores) -> float:
    """Mean over classes of the AUC of one class against the rest (Fawcett 2006, Pattern Recognit. Lett. 27:861-874)."""
    of_classes = [auc(scores.values == place, scores.outputs[:, place]) for place in range(scores.labelling.width)]
    return float(np.mean(of_classes))


def concordance(scores: LabelScores) -> float:
    """Share of the pairs of different labels whose higher one is ranked higher, ties counting a half.

    Of two classes it is the AUC (Harrell, Lee & Mark 1996, Stat. Med. 15:361-387). NaN where all labels are the same.
    """
    labels, ranks = scores.values, scores.rank
    pairs = len(labels) * (len(labels) - 1) / 2
    comparable, unequal = pairs - _tied(labels), pairs - _tied(ranks)
    if not comparable:
        return float("nan")
    if not unequal:
        return 0.5
    surplus = float(kendalltau(labels, ranks).statistic) * np.sqrt(comparable * unequal)
    return float((surplus / comparable + 1) / 2)


def _tied(values: Array) -> float:
    counts = np.unique(values, return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / 2)


def rank_correlation(scores: LabelScores) -> float:
    """Spearman's; NaN where all labels are the same, 0 where all ranks are."""
    labels, ranks = rankdata(scores.values), rankdata(scores.rank)
    if np.ptp(labels) == 0:
        return float("nan")
    return 0.0 if np.ptp(ranks) == 0 else float(np.corrcoef(labels, ranks)[0, 1])


def absolute_error(scores: LabelScores) -> float:
    """Mean absolute error: in units of the score, or in levels of the most probable class."""
    said = scores.classes if scores.labelling.has_classes else scores.outputs[:, 0]
    return float(np.abs(said - scores.values).mean())


def error_of_guessing(scores: LabelScores) -> float:
    """Mean absolute error of whoever knows all labels and says the median of them of everybody."""
    return float(np.abs(np.median(scores.values) - scores.values).mean())


def accuracy(scores: LabelScores) -> float:
    """Share whose most probable class is the label."""
    return float((scores.classes == scores.values).mean())


def balanced_accuracy(scores: LabelScores) -> float:
    """Mean over classes of the share of a class that is recognised; NaN without one of the classes."""
    shares = [
        float((scores.classes[own] == place).mean()) if (own := scores.values == place).any() else np.nan
        for place in range(scores.labelling.width)
    ]
    return float(np.mean(shares))


def macro_f1(scores: LabelScores) -> float:
    """Mean over classes of F1, which is 0 where a class is never right."""
    values = []
    for place in range(scores.labelling.width):
        own, said = scores.values == place, scores.classes == place
        values.append(2 * float((own & said).sum()) / max(float(own.sum() + said.sum()), 1.0))
    return float(np.mean(values))


def cross_entropy(scores: LabelScores) -> float:
    """Mean negative logarithm of the probability of the label, in nats."""
    chosen = scores.outputs[np.arange(len(scores.values)), scores.values.astype(np.intp)]
    return float(-np.log(np.clip(chosen, _EPSILON, 1.0)).mean())


_ANY_CLASSES, _IN_ORDER = (CLASSES, ORDERED), (ORDERED, SCORE)
PRIMARY: Final[Mapping[str, str]] = {CLASSES: "macro_auc", ORDERED: "concordance", SCORE: "concordance"}

LABEL_METRICS: Final[Mapping[str, LabelMetric]] = {
    "macro_auc": LabelMetric(title="macro AUC", kinds=_ANY_CLASSES, function=macro_auc, interval="between", ranks=True),
    "concordance": LabelMetric(title="concordance", kinds=_IN_ORDER, function=concordance, interval="between",
                               ranks=True),
    "rank_correlation": LabelMetric(title="rank correlation", kinds=_IN_ORDER, function=rank_correlation,
                                    interval="correlation", ranks=True),
    "mae": LabelMetric(title="mean absolute error", kinds=_IN_ORDER, function=absolute_error, interval="error",
                       direction="lower"),
    "mae_of_guessing": LabelMetric(title="error of saying the median", kinds=_IN_ORDER, function=error_of_guessing,
                                   direction="lower"),
    "accuracy": LabelMetric(title="accuracy", kinds=_ANY_CLASSES, function=accuracy, interval="share"),
    "balanced_accuracy": LabelMetric(title="balanced accuracy", kinds=_ANY_CLASSES, function=balanced_accuracy,
                                     interval="between"),
    "macro_f1": LabelMetric(title="macro F1", kinds=_ANY_CLASSES, function=macro_f1, interval="between"),
    "cross_entropy": LabelMetric(title="cross-entropy", kinds=_ANY_CLASSES, function=cross_entropy, direction="lower"),
}  # fmt: skip


def metrics_of(kind: str) -> dict[str, LabelMetric]:
    """Those of a kind of label."""
    return {name: metric for name, metric in LABEL_METRICS.items() if kind in metric.kinds}
