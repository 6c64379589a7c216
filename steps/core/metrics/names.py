"""What levels, columns and metrics are called. Names are made here, from numbers, and taken apart nowhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal, NotRequired, TypedDict

POOLED, SUBJECT, VOTE = "pooled", "subject", "subject_vote"
# Level -> what it counts. Trials and subjects have probabilities; a majority vote is a decision only.
UNITS: Final = {POOLED: "trials", SUBJECT: "subjects", VOTE: "subjects, majority vote"}
LEVELS: Final = (POOLED, SUBJECT)

IN_FOLD: Final = "in_fold"
Rule = float | Literal["in_fold"]
"""How a probability becomes a decision: at a declared threshold, or at the one that its fold chose."""

BOUNDED: Final = ("value", "low", "high")
PARTS: Final = (*BOUNDED, "p_value")


class Estimate(TypedDict):
    """A statistic and its percentile interval; the interval is absent where it cannot be estimated.

    ``p_value`` is that of `steps.core.metrics.permutation`, on the statistics that are tested.
    """

    value: float
    low: NotRequired[float]
    high: NotRequired[float]
    p_value: NotRequired[float]


def rule_name(rule: Rule) -> str:
    """``threshold_0.43``, or ``threshold_in_fold``."""
    return f"threshold_{rule if rule == IN_FOLD else float(rule)}"


def statistic_name(metric: str, rule: Rule | None = None) -> str:
    """``auc``, or with a rule ``threshold_0.43/accuracy``."""
    return metric if rule is None else f"{rule_name(rule)}/{metric}"


def at_level(level: str, name: str) -> str:
    """``subject/auc``."""
    return f"{level}/{name}"


def prediction_column(threshold: float) -> str:
    """The column of the predictions made at a threshold: ``prediction_0.43``."""
    return f"prediction_{float(threshold)}"


def vote_column(threshold: float) -> str:
    """The column of a subject's decision by majority vote at a threshold: ``vote_0.43``."""
    return f"vote_{float(threshold)}"


def part_name(name: str, part: str) -> str:
    """``auc`` for its value, ``auc_low`` and so on for the other parts of an estimate."""
    return name if part == "value" else f"{name}_{part}"


def flat(name: str, estimate: Mapping[str, float], parts: Collection[str] = PARTS) -> dict[str, float]:
    """An estimate as metrics: ``auc``, ``auc_low``, ``auc_high``, ``auc_p_value``, as far as it has them."""
    return {part_name(name, part): float(estimate[part]) for part in parts if part in estimate}


def estimate_in(metrics: Mapping[str, float], name: str) -> dict[str, float] | None:
    """The estimate that `flat` wrote into ``metrics``; None where it is not among them."""
    if name not in metrics:
        return None
    return {part: metrics[part_name(name, part)] for part in PARTS if part_name(name, part) in metrics}


def estimate_text(estimate: Mapping[str, float], digits: int = 3, sign: Literal["", "+"] = "") -> str:
    """``0.917 [0.770, 1.000]``, or the value alone where there is no interval.

    Args:
        estimate: ``{value, low, high}``.
        digits: after the point.
        sign: ``+`` writes it in front of what is positive, as differences want it.
    """
    value, *bounds = (format(estimate[part], f"{sign}.{digits}f") for part in BOUNDED if part in estimate)
    return f"{value} [{', '.join(bounds)}]" if bounds else value
