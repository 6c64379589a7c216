"""A summary as metric names and values that MLflow accepts: all of it, and what the study's own run gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import LEVELS, POOLED, SUBJECT, UNITS, at_level
from steps.core.metrics.statistic import headlines
from steps.writing.estimates import BOUNDED, flat

_SPREAD = ("mean", "sd", "min", "max")


def flat_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a summary.

    ``pooled/auc``, ``pooled/auc_low``, ``pooled/auc_high``, ``pooled/auc_p_value``, ``pooled/auc_null_quantile``,
    ``pooled/threshold_0.5/accuracy`` and so on, the same under ``subject/`` and ``subject_vote/``;
    ``chance/subject/accuracy``; ``in_fold/mean`` and so on; and with several test numbers
    ``per_test_number/pooled/auc_mean``, ``_sd``, ``_min``, ``_max``, ``per_test_number/subject/probability_sd`` and
    ``per_test_number/subject/threshold_0.5/changed_decisions``.

    Args:
        document: from `steps.core.metrics.summary.summary`.
    """
    metrics: dict[str, float] = {}
    for level in UNITS:
        for name, estimate in document[level].items():
            metrics |= flat(at_level(level, name), estimate)
        for name, tested in document.get("permutation", {}).get(level, {}).items():
            metrics[f"{at_level(level, name)}_null_quantile"] = float(tested["null_quantile"])
    for level in LEVELS if "chance" in document else ():
        for name in ("accuracy", "balanced_accuracy"):
            metrics[f"chance/{at_level(level, name)}"] = float(document["chance"][level][name])
    for name, value in document.get("in_fold", {}).items():
        if isinstance(value, (int, float)):
            metrics[f"in_fold/{name}"] = float(value)
    spread = document.get("per_test_number", {})
    for part in _SPREAD:
        for name, value in spread.get(part, {}).items():
            metrics[f"per_test_number/{name}_{part}"] = float(value)
    for part in ("probability_sd", "changed_decisions"):
        for name, value in spread.get(part, {}).items():
            metrics[f"per_test_number/{name}/{part}"] = float(value)
    return metrics


def headline_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The headlines, for a run that people open; `summary.json` and the evaluation's run have the rest.

    Subjects decide, so theirs have bounds and p values; of the trials' only the AUC has bounds.

    Args:
        document: from `steps.core.metrics.summary.summary`.
    """
    metrics: dict[str, float] = {}
    for one in headlines(document["thresholds"]):
        if one.row.logged_again:
            parts = BOUNDED if one.metric == PRIMARY else ("value",)
            metrics |= flat(at_level(SUBJECT, one.name), document[SUBJECT].get(one.name, {}))
            metrics |= flat(at_level(POOLED, one.name), document[POOLED].get(one.name, {}), parts)
    return metrics


def primary_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The AUC of trials and of subjects with its bounds: the evidence for a model. Empty with one class."""
    metrics: dict[str, float] = {}
    for level in LEVELS:
        metrics |= flat(at_level(level, PRIMARY), document[level].get(PRIMARY, {}), BOUNDED)
    return metrics
