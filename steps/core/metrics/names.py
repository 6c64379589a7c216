"""What levels, columns and metrics are called. Names are made here, from numbers, and taken apart nowhere."""

from __future__ import annotations

from typing import Final, Literal, NotRequired, TypedDict

POOLED, SUBJECT, VOTE, FOLD = "pooled", "subject", "subject_vote", "fold"
# Level -> what it counts. Trials and subjects have probabilities; a majority vote is a decision only.
UNITS: Final = {POOLED: "trials", SUBJECT: "subjects", VOTE: "subjects, majority vote"}
LEVELS: Final = (POOLED, SUBJECT)

CONFIDENCE: Final = 0.95  # of all intervals
CHANCE: Final = 0.5  # of AUC and of balanced accuracy, whatever the shares of the classes
IN_FOLD: Final = "in_fold"
Rule = float | Literal["in_fold"]
"""How a probability becomes a decision: at a declared threshold, or at the one that its fold chose."""


class Estimate(TypedDict):
    """A statistic and its interval, which is absent where it cannot be estimated.

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


def is_of_fold_evaluation(name: str) -> bool:
    """Whether a metric of a fold's run is one that `evaluate` adds, by `fold_metrics` or by the fold's threshold."""
    return name.startswith(("test_", "threshold_", "in_fold_"))


def prediction_column(threshold: float) -> str:
    """The column of the predictions made at a threshold: ``prediction_0.43``."""
    return f"prediction_{float(threshold)}"


def vote_column(threshold: float) -> str:
    """The column of a subject's decision by majority vote at a threshold: ``vote_0.43``."""
    return f"vote_{float(threshold)}"
