"""The results of a study as tables: trials and subjects side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import POOLED, SUBJECT, UNITS, VOTE
from steps.core.metrics.statistic import Statistic, at_first, headlines, statistics_of
from steps.report.table import Table, estimate_cell

RESULT_COLUMNS = ("metric", UNITS[POOLED], UNITS[SUBJECT])
RESULT_CAPTION = (
    "Held-out subjects only; in brackets 95% intervals over subjects. Primary: the AUC of subjects; all others are "
    "exploratory."
)
_VOTES = "A majority vote counts the decisions of a subject's trials; a tie is decided by their mean probability."


def result_rows(summary: Mapping[str, Any], statistics: Sequence[Statistic]) -> list[tuple[str, str, str]]:
    """Rows of metric, trials, subjects: value and 95% interval, or a dash where undefined.

    Args:
        summary: from `steps.core.metrics.summary.summary`.
        statistics: what is wanted, in this order.
    """
    return [
        (one.title, estimate_cell(summary[POOLED].get(one.name)), estimate_cell(summary[SUBJECT].get(one.name)))
        for one in statistics
    ]


def headline_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the metrics that matter first, decisions at the first threshold."""
    return result_rows(summary, headlines(summary["thresholds"]))


def headlines_table(summary: Mapping[str, Any]) -> Table:
    """`headline_rows` as a table; the report shows every metric there is."""
    return Table.of(RESULT_COLUMNS, headline_rows(summary), RESULT_CAPTION)


def results_table(summary: Mapping[str, Any]) -> Table:
    """Metrics at the first threshold: trials, subjects by mean probability, subjects by majority vote, side by side."""
    return _side_by_side(summary, [one for one in _defined(summary) if is_first(one, summary)])


def other_thresholds_table(summary: Mapping[str, Any]) -> Table | None:
    """The same at the other thresholds, also at the one chosen in the fold; None where there are no others."""
    others = [one for one in _defined(summary) if not is_first(one, summary)]
    return _side_by_side(summary, others) if others else None


def is_first(statistic: Statistic, summary: Mapping[str, Any]) -> bool:
    """Whether a statistic needs no threshold, or is at the first that was declared."""
    return statistic in at_first(summary["thresholds"])


def _defined(summary: Mapping[str, Any]) -> list[Statistic]:
    """The statistics that any level has, and AUC, whose absence has to be seen."""
    return [
        one
        for one in statistics_of(summary["thresholds"])
        if one.metric == PRIMARY or one.name in summary[POOLED] or one.name in summary[SUBJECT]
    ]


def _side_by_side(summary: Mapping[str, Any], statistics: Sequence[Statistic]) -> Table:
    counts, voted = summary["counts"], summary.get(VOTE, {})
    columns = ("metric", f"trials ({counts['trials']})", f"subjects ({counts['subjects']})", UNITS[VOTE])
    rows = [
        (*row, estimate_cell(voted.get(one.name)))
        for one, row in zip(statistics, result_rows(summary, statistics), strict=True)
    ]
    return Table.of(columns, rows, " ".join([RESULT_CAPTION, _VOTES, *_without_interval(statistics)]))


def _without_interval(statistics: Sequence[Statistic]) -> list[str]:
    return [
        f"No interval that holds is known for {one.title}: {one.row.without_interval}."
        for one in statistics
        if one.row.without_interval
    ]
