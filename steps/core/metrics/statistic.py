"""A metric at a threshold, or a metric that needs none: what results are listed by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from steps.core.metrics.metrics import DECIDED, METRICS, PRIMARY, DecisionMetric, ProbabilityMetric
from steps.core.metrics.names import IN_FOLD, Rule, statistic_name


class Statistic(NamedTuple):
    """One statistic of a level.

    Attributes:
        metric: its name in `METRICS`.
        rule: the threshold of its decisions; None for a metric of probabilities.
    """

    metric: str
    rule: Rule | None = None

    @property
    def name(self) -> str:
        """As files and metrics name it: ``auc``, ``threshold_0.5/accuracy``."""
        return statistic_name(self.metric, self.rule)

    @property
    def row(self) -> ProbabilityMetric | DecisionMetric:
        """What is known of the metric."""
        return METRICS[self.metric]

    @property
    def title(self) -> str:
        """As people read it: ``AUC``, ``accuracy at 0.5``, ``accuracy in-fold``."""
        if self.rule is None:
            return self.row.title
        return f"{self.row.title} {'in-fold' if self.rule == IN_FOLD else f'at {self.rule:g}'}"

    @property
    def title_with_direction(self) -> str:
        """The title, and a note where more is worse: ``Brier score (lower is better)``."""
        return self.title + (" (lower is better)" if self.row.direction == "lower" else "")


def statistics_of(thresholds: Sequence[Rule]) -> list[Statistic]:
    """All statistics, in the order of a summary; those at the thresholds of the folds come last."""
    free = [Statistic(name) for name, metric in METRICS.items() if isinstance(metric, ProbabilityMetric)]
    decided = [name for name, metric in METRICS.items() if isinstance(metric, DecisionMetric)]
    rules: list[Rule] = [*thresholds, IN_FOLD]
    return [*free, *(Statistic(name, rule) for rule in rules for name in decided)]


def at_first(thresholds: Sequence[float]) -> list[Statistic]:
    """Those that need no threshold, and those at the first that was declared."""
    return [one for one in statistics_of(thresholds) if one.rule in (None, thresholds[0])]


def headlines(thresholds: Sequence[float]) -> list[Statistic]:
    """Those that matter first, decisions at the first threshold: what should be high, then errors."""
    shown = [one for one in at_first(thresholds) if one.row.headline]
    return sorted(shown, key=lambda one: one.row.direction == "lower")


def primary(thresholds: Sequence[float]) -> tuple[Statistic, Statistic]:
    """The two that are said in a sentence: AUC, and the balanced accuracy at the first threshold."""
    return Statistic(PRIMARY), Statistic(DECIDED, thresholds[0])
