"""Could the labels have come out like this by chance? A permutation test over subjects.

Predictions stay as they are (`steps.core.metrics.retrained` trains again) and labels change places, among what is
exchangeable when labels mean nothing:

- subjects whose trials are all of one class exchange their labels among each other, each with all its trials;
- a subject with trials of both classes keeps how many it has of each, and its trials exchange labels among
  themselves, never with another subject's.

These are permutations within exchangeability blocks and of whole blocks (Anderson & ter Braak 2003, J. Stat. Comput.
Simul. 73:85-113; Winkler et al. 2015, NeuroImage 123:253-268).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.decisions import Array, Bools, decisions, majority, thresholds_of
from steps.core.metrics.metrics import DECIDED
from steps.core.metrics.names import LEVELS, Rule, statistic_name
from steps.core.metrics.predictions import Scores

_TIE = 1e-9  # statistics this close are equal: they differ by rounding alone
QUANTILE = 0.95
PERMUTATIONS: Final = 2000


class Tested(TypedDict):
    """A statistic's place among its permutations.

    ``value`` is the statistic that was tested, ``retrained`` whether models were trained again for every permutation;
    """

    value: float
    p_value: float
    null_quantile: float
    retrained: bool


@dataclass(frozen=True, eq=False)
class _Rows:
    """Subject-level rows under every permutation: one per single-class subject, two per other subject.

    Attributes:
        labels: bool, shape ``(permutations, rows)``.
        probabilities: mean over the row's trials, shape ``(permutations, rows)``.
        votes: rule -> trials decided positive, shape ``(permutations, rows)``.
        sizes: trials, shape ``(rows,)``.
        thresholds: rule -> threshold of each row, shape ``(rows,)``.
    """

    labels: Bools
    probabilities: Array
    votes: dict[Rule, Array]
    sizes: npt.NDArray[np.intp]
    thresholds: dict[Rule, Array]


def permuted_labels(trials: Scores, permutations: int, seed: int) -> Bools:
    """Labels of the trials under every permutation, shape ``(1 + permutations, trials)``; the first row is the truth.

    Args:
        trials: one entry per trial.
        permutations: how many, drawn at random.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    labels = np.tile(trials.labels == 1, (1 + permutations, 1))
    codes = np.unique(trials.subjects, return_inverse=True)[1]
    first, pure = _first_trials(trials, codes)
    whole = generator.permuted(np.tile(labels[0, first[pure]], (permutations, 1)), axis=1)
    of_subject = np.zeros((permutations, len(pure)), dtype=bool)
    of_subject[:, pure] = whole
    in_pure = pure[codes]
    labels[1:, in_pure] = of_subject[:, codes[in_pure]]
    for subject in np.flatnonzero(~pure):
        mine = codes == subject
        labels[1:, mine] = generator.permuted(labels[1:, mine], axis=1)
    return labels


def arrangements(trials: Scores) -> int:
    """How many different ways of placing the labels there are; a p value cannot be below one divided by that."""
    codes = np.unique(trials.subjects, return_inverse=True)[1]
    first, pure = _first_trials(trials, codes)
    positives = np.bincount(codes, weights=trials.labels == 1).astype(int)
    count = math.comb(int(pure.sum()), int((trials.labels[first[pure]] == 1).sum()))
    for size, positive in zip(np.bincount(codes)[~pure], positives[~pure], strict=True):
        count *= math.comb(int(size), int(positive))
    return count


def permutation_test(
    trials: Scores, thresholds: Sequence[float], *, permutations: int, seed: int, chunked: Chunked = AT_ONCE
) -> dict[str, dict[str, Tested]]:
    """One-sided p values of AUC and of the balanced accuracy at every threshold.

    The p value is ``(b + 1) / (m + 1)`` where ``b`` of ``m`` permutations are at least as good as the truth
    (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39), so it is never 0 and never too small.

    Args:
        trials: one probability per trial; both classes are among them.
        thresholds: the declared ones; the threshold chosen in the fold is tested where the scores have one.
        permutations: how many.
        seed: of the permutations.
        chunked: where to work, and on how many permutations at a time.

    Returns:
        ``pooled``, ``subject`` and ``subject_vote`` -> ``auc`` (not of votes), ``threshold_0.5/balanced_accuracy``
        and so on -> `Tested`; the ``null_quantile`` is what 95% of the permutations stay at or below.
    """
    labels = permuted_labels(trials, permutations, seed)
    statistics = partial(_statistics, trials, thresholds=tuple(thresholds))
    parts = chunked(statistics, labels, labels.shape[1])
    return {
        level: {name: place(np.concatenate([part[level][name] for part in parts])) for name in tested}
        for level, tested in parts[0].items()
    }


def auc_test(trials: Scores, *, permutations: int, seed: int, chunked: Chunked = AT_ONCE) -> dict[str, Tested]:
    """The p values of AUC alone, ``pooled`` and ``subject``; the arguments are those of `permutation_test`."""
    tested = permutation_test(trials, (), permutations=permutations, seed=seed, chunked=chunked)
    return {level: tested[level]["auc"] for level in LEVELS}


def place(values: Array, *, retrained: bool = False) -> Tested:
    """Where the first of these values lies among the others."""
    truth, permuted = values[0], values[1:]
    as_good = int((permuted >= truth - _TIE).sum())
    return {
        "value": float(truth),
        "p_value": (as_good + 1) / (len(permuted) + 1),
        "null_quantile": float(np.quantile(permuted, QUANTILE, method="inverted_cdf")),
        "retrained": retrained,
    }


def _statistics(trials: Scores, labels: Bools, thresholds: Sequence[float]) -> dict[str, dict[str, Array]]:
    """Level -> statistic -> its value under every permutation of ``labels``."""
    ranks = rankdata(trials.probabilities)
    decided = decisions(trials, thresholds)
    rows = _rows(trials, labels, decided, thresholds)
    by_mean = {rule: rows.probabilities >= threshold for rule, threshold in rows.thresholds.items()}
    by_vote = {rule: majority(rows.votes[rule], rows.sizes, by_mean[rule]) for rule in decided}
    return {
        "pooled": {
            "auc": auc_of_ranks(labels, ranks),
            **{statistic_name(DECIDED, rule): _balanced(labels, made) for rule, made in decided.items()},
        },
        "subject": {
            "auc": auc_of_ranks(rows.labels, rankdata(rows.probabilities, axis=1)),
            **{statistic_name(DECIDED, rule): _balanced(rows.labels, made) for rule, made in by_mean.items()},
        },
        "subject_vote": {statistic_name(DECIDED, rule): _balanced(rows.labels, made) for rule, made in by_vote.items()},
    }


def _rows(trials: Scores, labels: Bools, decided: dict[Rule, Bools], thresholds: Sequence[float]) -> _Rows:
    codes = np.unique(trials.subjects, return_inverse=True)[1]
    first, pure = _first_trials(trials, codes)
    columns: list[tuple[Array, Bools]] = []  # weights of the trials and label, per row
    sizes, members = [], []
    for subject, trial in enumerate(first):
        mine = np.flatnonzero(codes == subject)
        if pure[subject]:
            columns.append((np.ones((1, len(mine))), labels[:, trial]))
            sizes.append(len(mine))
            members.append(mine)
            continue
        for label in (False, True):
            chosen = labels[:, mine] == label
            columns.append((chosen.astype(np.float64), np.full(len(labels), label)))
            sizes.append(int(chosen[0].sum()))
            members.append(mine)

    def summed(values: npt.NDArray[np.floating | np.bool_]) -> Array:
        result = np.empty((len(labels), len(columns)))
        for row, ((chosen, _), mine) in enumerate(zip(columns, members, strict=True)):
            result[:, row] = chosen @ values[mine]
        return result

    count = np.array(sizes)
    one_each = np.array([mine[0] for mine in members])
    return _Rows(
        labels=np.column_stack([label for _, label in columns]),
        probabilities=summed(trials.probabilities) / count,
        votes={rule: summed(made) for rule, made in decided.items()},
        sizes=count,
        thresholds={rule: values[one_each] for rule, values in thresholds_of(trials, thresholds).items()},
    )


def _first_trials(trials: Scores, codes: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Bools]:
    """Index of each subject's first trial, and whether all of its trials are of one class."""
    first = np.unique(codes, return_index=True)[1]
    shares = np.bincount(codes, weights=trials.labels == 1) / np.bincount(codes)
    return first, (shares == 0) | (shares == 1)


def auc_of_ranks(labels: Bools, ranks: Array) -> Array:
    """From rank sums (Mann & Whitney 1947); ``ranks`` are shared by all permutations, or there is a row for each."""
    positives = labels.sum(axis=1)
    total = (labels * ranks).sum(axis=1) if ranks.ndim == 2 else labels @ ranks
    return np.asarray((total - positives * (positives + 1) / 2) / (positives * (labels.shape[1] - positives)))


def _balanced(labels: Bools, decided: Bools) -> Array:
    positives = labels.sum(axis=1)
    hits = (labels & decided).sum(axis=1)
    alarms = (~labels & decided).sum(axis=1)
    return np.asarray((hits / positives + 1 - alarms / (labels.shape[1] - positives)) / 2)
