"""The checks an attribution has to pass, with the limits they are held to, declared beforehand."""

from __future__ import annotations

from collections.abc import Mapping

from steps.core.attribution.faithfulness import KINDS, area_name
from steps.writing.estimates import estimate_in

CHECKS = ("completeness", *KINDS, "randomisation")

COMPLETENESS_TOLERANCE = 0.01  # of the output change, for every trial
# Attributions of a trained and of an untrained network should be unrelated. Maps are smooth in time, so that even
# unrelated ones correlate by chance to 0.1 or 0.2; those of two folds' models, trained on nearly the same people, were
# measured to correlate by 0.5.
CORRELATION_LIMIT = 0.5


def check_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """1 for every check that was passed and 0 for every one that was not.

    ``check_completeness``: every trial's attributions add up to within 1%. ``check_deletion`` and ``check_insertion``:
    the interval of the area between attribution order and random order, over cells, is above 0; without an interval
    (one subject) the check cannot be made and is absent. ``check_randomisation``: under random weights the
    attributions' mean rank correlation with the model's own is below 0.5; absent where it is undefined.
    """
    passed = {"completeness": metrics["trials_above_tolerance"] == 0}
    for kind in KINDS:
        area = estimate_in(metrics, area_name(kind)) or {}
        if "low" in area:
            passed[kind] = area["low"] > 0
    if "randomised_correlation" in metrics:
        passed["randomisation"] = metrics["randomised_correlation"] < CORRELATION_LIMIT
    return {check_name(check): float(outcome) for check, outcome in passed.items()}


def checks_in(metrics: Mapping[str, float]) -> dict[str, bool]:
    """Check -> whether it was passed, of those that `check_metrics` wrote into ``metrics``."""
    return {check: bool(metrics[check_name(check)]) for check in CHECKS if check_name(check) in metrics}


def check_name(check: str) -> str:
    """The metric of a check: ``check_deletion``."""
    return f"check_{check}"
