"""A level of a summary in a line, for the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import UNITS
from steps.core.metrics.statistic import Statistic, primary
from steps.writing.estimates import estimate_text


def level_text(document: Mapping[str, Any], level: str) -> str:
    """``24 subjects: AUC 0.917 [0.770, 1.000], balanced accuracy 0.833 [0.667, 0.962] at 0.5, accuracy ...``.

    Args:
        document: from `steps.core.metrics.summary.summary`.
        level: ``pooled`` or ``subject``.
    """
    thresholds, estimates = document["thresholds"], document[level]
    shown = (*primary(thresholds), Statistic("accuracy", thresholds[0]))
    parts = [_text(one, estimates[one.name]) for one in shown if one.name in estimates]
    if PRIMARY not in estimates:
        parts.insert(0, "one class only, nothing to tell apart")
    count = document["counts"][UNITS[level]]
    return f"{count} {UNITS[level].removesuffix('s') if count == 1 else UNITS[level]}: {', '.join(parts)}"


def _text(statistic: Statistic, estimate: Mapping[str, float]) -> str:
    at = "" if statistic.rule is None else f" at {statistic.rule:g}"
    return f"{statistic.row.title} {estimate_text(estimate)}{at}"
