"""The network beside its baselines, as a table that HTML, Markdown and the terminal share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.core.metrics.method_comparison import DIFFERENCE, NETWORK
from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.statistic import primary
from steps.report.table import Table, difference_cell, estimate_cell
from steps.writing.estimates import estimate_text

METHODS_CAPTION = (
    "Same folds and training subjects. The difference is paired: network minus baseline in the same resamples, "
    "so an interval without 0 tells the two apart."
)
_TITLES = {
    "majority": "majority class",
    "logistic": "logistic regression on summary features",
    "minirocket": "MiniRocket with a ridge classifier",
}
_GUESSING = "majority"


def method_columns(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The header of `method_rows`."""
    auc, balanced = (one.title for one in primary(summary["thresholds"]))
    return (
        "method",
        *(f"{title}, {UNITS[SUBJECT]}" for title in (auc, balanced)),
        f"{auc}, {UNITS[POOLED]}",
        f"{auc} of {UNITS[SUBJECT]}, network minus method",
    )


def method_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for the network and one for each baseline; none where no baseline was run.

    Args:
        summary: from `steps.core.metrics.summary.summary`, with ``baselines`` where there are any.
    """
    baselines: Mapping[str, Any] = summary.get("baselines", {})
    if not baselines:
        return []
    auc, balanced = (one.name for one in primary(summary["thresholds"]))
    rows = []
    for name, levels in {NETWORK: summary, **baselines}.items():
        estimates = (levels[SUBJECT].get(auc), levels[SUBJECT].get(balanced), levels[POOLED].get(auc))
        difference = levels.get(DIFFERENCE, {}).get(SUBJECT, {}).get(auc)
        rows.append((_TITLES.get(name, name), *map(estimate_cell, estimates), difference_cell(difference)))
    return rows


@dataclass(frozen=True)
class Rival:
    """The simpler method with the highest subject AUC, majority guessing aside.

    Attributes:
        title: in words.
        auc: of subjects, ``{value, low, high}``.
        difference: network minus method, paired over subjects, ``{value, low, high}``.
    """

    title: str
    auc: Mapping[str, float]
    difference: Mapping[str, float]

    @property
    def does_as_well(self) -> bool:
        """Whether its AUC is at least the network's."""
        return self.difference["value"] <= 0

    @property
    def sentence(self) -> str:
        """What a reader of the answer has to know about it."""
        difference = estimate_text(self.difference, sign="+")
        return f"{self._beginning}: {self.title}, AUC {estimate_text(self.auc)} (network minus method: {difference})."

    @property
    def short_sentence(self) -> str:
        """The same with as few figures as can be."""
        return f"{self._beginning}: {_short(self.title)}, AUC {estimate_text(self.auc)}."

    @property
    def _beginning(self) -> str:
        low, high = (self.difference.get(bound) for bound in ("low", "high"))
        if high is not None and high < 0:
            return "A simpler method did better"
        if self.does_as_well:
            return "A simpler method did at least as well"
        if low is None or low <= 0:
            return "A simpler method cannot be told apart from the network with these subjects"
        return "No simpler method that was tried did as well; the best of them"


def rival(summary: Mapping[str, Any]) -> Rival | None:
    """The best of the simpler methods; None where none was run or AUC is undefined."""
    rivals = [
        Rival(_TITLES.get(name, name), levels[SUBJECT][PRIMARY], levels[DIFFERENCE][SUBJECT][PRIMARY])
        for name, levels in summary.get("baselines", {}).items()
        if name != _GUESSING and PRIMARY in levels[SUBJECT] and PRIMARY in levels[DIFFERENCE][SUBJECT]
    ]
    return max(rivals, key=lambda method: method.auc["value"], default=None)


def short_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, AUC of subjects, and network minus method, as short as a terminal needs them; none without baselines.

    Args:
        summary: as for `method_rows`.
    """
    return [(_short(row[0]), row[1], row[4]) for row in method_rows(summary)]


def _short(title: str) -> str:
    """``logistic regression`` for ``logistic regression on summary features``."""
    return re.split(" on | with ", title)[0]


def methods_table(summary: Mapping[str, Any]) -> Table | None:
    """The network beside its baselines; none where no baseline was run."""
    rows = method_rows(summary)
    return Table.of(method_columns(summary), rows, METHODS_CAPTION) if rows else None
