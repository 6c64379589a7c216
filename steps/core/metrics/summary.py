"""The study's result in one JSON-serialisable dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.metrics.calibration import reliability
from steps.core.metrics.chance import ALPHA, chance_level
from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.decision_curve import CURVE_RESAMPLES
from steps.core.metrics.decisions import Bools, decisions, votes
from steps.core.metrics.estimates import estimates, vote_estimates
from steps.core.metrics.in_fold_threshold import in_fold_summary
from steps.core.metrics.intervals import METHOD
from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import CONFIDENCE, POOLED, SUBJECT, VOTE, Rule, statistic_name
from steps.core.metrics.permutation import PERMUTATIONS, QUANTILE, Tested, arrangements, permutation_test
from steps.core.metrics.predictions import Scores, levels_of
from steps.core.metrics.repeats import per_test_number


def summary(
    results: pd.DataFrame,
    thresholds: Sequence[float],
    *,
    seed: int = 0,
    in_fold: pd.DataFrame | None = None,
    permutations: int = PERMUTATIONS,
    retrained: Mapping[str, Tested] | None = None,
    chunked: Chunked = AT_ONCE,
) -> dict[str, Any]:
    """Trial-level and subject-level metrics with intervals over subjects, and what chance would give.

    With several test numbers a trial's probability is its mean over them, so the models of a fold vote
    together; ``per_test_number`` shows how much they differ.

    Args:
        results: from `steps.core.metrics.predictions.results_table`.
        thresholds: decision thresholds.
        seed: of the permutations and of the bands around curves; the same seed and results give the same numbers.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`, for the threshold chosen in the fold.
        permutations: of the labels over subjects.
        retrained: from `steps.core.metrics.retrained.retrained_test`, for the p values of AUC; None keeps
            those of held-out probabilities, without training again.
        chunked: where intervals and permutations are worked on; the numbers are the same wherever.

    Returns:
        Plain numbers, strings, lists and dictionaries, never NaN: what is undefined is absent.

        - ``counts``: ``subjects``, ``positive_subjects``, ``negative_subjects`` (a subject with trials of
          both classes is in both), ``trials``, ``positive_trials``, ``negative_trials``, ``test_numbers``;
        - ``thresholds``: list of numbers;
        - ``intervals``: ``unit``, ``method``, ``confidence``;
        - ``bootstrap``, of the bands around curves: ``unit``, ``method``, ``resamples``, ``seed``;
        - ``primary``: ``level`` and ``metric`` of the one number that the study is judged by; all others explore;
        - ``pooled`` (over trials) and ``subject`` (over mean probabilities of subjects): the statistics of
          `steps.core.metrics.estimates.statistics`, each ``{value, low, high}`` (no ``low`` and ``high`` where
          `steps.core.metrics.estimates.estimates` has no interval; with a ``p_value`` where tested), and the counts
          ``threshold_0.5/tn``, ``fp``, ``fn``, ``tp``, each ``{value}``;
        - ``subject_vote``: the same of subjects decided by the majority of their trials, decisions only;
        - ``in_fold``, where folds chose thresholds: `steps.core.metrics.in_fold_threshold.in_fold_summary`;
        - ``permutation`` and ``chance``, with both classes: `steps.core.metrics.permutation` and
          `steps.core.metrics.chance`, per level;
        - ``calibration``: ``pooled`` and ``subject`` -> the bins of `steps.core.metrics.calibration.reliability`;
        - ``per_test_number``, with two or more: `steps.core.metrics.repeats.per_test_number`.
    """
    chosen = None if in_fold is None else in_fold_summary(in_fold)
    if chosen is None:
        in_fold = None
    levels = levels_of(results, in_fold)
    trials, subjects = levels[POOLED], levels[SUBJECT]
    test_numbers = results["test_number"].nunique()
    document: dict[str, Any] = {
        "counts": {
            "subjects": len(np.unique(trials.subjects)),
            "positive_subjects": int((subjects.labels == 1).sum()),
            "negative_subjects": int((subjects.labels == 0).sum()),
            "trials": len(trials.labels),
            "positive_trials": int((trials.labels == 1).sum()),
            "negative_trials": int((trials.labels == 0).sum()),
            "test_numbers": test_numbers,
        },
        "thresholds": list(thresholds),
        "intervals": {"unit": "subject", "method": METHOD, "confidence": CONFIDENCE},
        "bootstrap": {"unit": "subject", "method": "percentile", "resamples": CURVE_RESAMPLES, "seed": seed},
        "primary": {"level": SUBJECT, "metric": PRIMARY},
    }
    for level, scores in levels.items():
        document[level] = {
            **estimates(scores, thresholds, chunked=chunked),
            **_confusion_counts(scores.labels, decisions(scores, thresholds)),
        }
    voted = votes(trials, subjects, thresholds)
    document[VOTE] = {
        **vote_estimates(subjects, voted, chunked=chunked),
        **_confusion_counts(subjects.labels, voted),
    }
    if chosen is not None:
        document["in_fold"] = chosen
    if trials.has_both_classes:
        document["permutation"] = _permutation(
            document, trials, thresholds, permutations, seed, retrained or {}, chunked
        )
        document["chance"] = _chance(levels)
    document["calibration"] = {level: reliability(scores) for level, scores in levels.items()}
    if test_numbers > 1:
        document["per_test_number"] = per_test_number(results, thresholds, in_fold)
    return document


def _confusion_counts(labels: npt.NDArray[np.integer], rules: Mapping[Rule, Bools]) -> dict[str, dict[str, int]]:
    counts = {}
    for rule, predicted in rules.items():
        for name, truth, decision in (("tn", 0, False), ("fp", 0, True), ("fn", 1, False), ("tp", 1, True)):
            counts[statistic_name(name, rule)] = {"value": int(((labels == truth) & (predicted == decision)).sum())}
    return counts


def _permutation(
    document: Mapping[str, Any],
    trials: Scores,
    thresholds: Sequence[float],
    permutations: int,
    seed: int,
    retrained: Mapping[str, Tested],
    chunked: Chunked,
) -> dict[str, Any]:
    """The test, and its p values into the estimates they belong to."""
    tested_levels = permutation_test(trials, thresholds, permutations=permutations, seed=seed, chunked=chunked)
    for level, tested in retrained.items():
        tested_levels[level]["auc"] = tested
    for level, tests in tested_levels.items():
        for name, tested in tests.items():
            document[level][name]["p_value"] = tested["p_value"]
    return {
        "unit": "subject",
        "alternative": "greater",
        "permutations": permutations,
        "seed": seed,
        "quantile": QUANTILE,
        "smallest_p_value": max(1 / (permutations + 1), 1 / arrangements(trials)),
        **tested_levels,
    }


def _chance(levels: Mapping[str, Scores]) -> dict[str, Any]:
    reached = {
        level: chance_level(int((scores.labels == 1).sum()), int((scores.labels == 0).sum()))
        for level, scores in levels.items()
    }
    return {"alpha": ALPHA, "method": "binomial, as if the cases were independent", **reached}
