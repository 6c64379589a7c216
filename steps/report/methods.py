"""The network beside its baselines, as a table that HTML, Markdown and the terminal share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.core.metrics.thresholds import threshold_key
from steps.report.answer import estimate_text
from steps.report.tables import UNDEFINED, Table

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
    balanced = f"balanced accuracy at {summary['thresholds'][0]:g}"
    return ("method", "AUC, subjects", f"{balanced}, subjects", "AUC, trials", "AUC of subjects, network minus method")


def method_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for the network and one for each baseline; none where no baseline was run.

    Args:
        summary: from `steps.core.metrics.summary.summary`, with ``baselines`` where there are any.
    """
    baselines: Mapping[str, Any] = summary.get("baselines", {})
    if not baselines:
        return []
    balanced = f"{threshold_key(summary['thresholds'][0])}/balanced_accuracy"
    rows = []
    for name, found in {"network": summary, **baselines}.items():
        cells = [found["subject"].get("auc"), found["subject"].get(balanced), found["pooled"].get("auc")]
        texts = [estimate_text(cell) if cell else UNDEFINED for cell in cells]
        difference = found.get("network_minus", {}).get("subject", {}).get("auc")
        rows.append((_TITLES.get(name, name), *texts, _signed(difference) if difference else UNDEFINED))
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
        figures = f"{self.title}, AUC {estimate_text(self.auc)} (network minus method: {_signed(self.difference)})"
        return f"{self._beginning}: {figures}."

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
    found = [
        Rival(_TITLES.get(name, name), baseline["subject"]["auc"], baseline["network_minus"]["subject"]["auc"])
        for name, baseline in summary.get("baselines", {}).items()
        if name != _GUESSING and "auc" in baseline["subject"] and "auc" in baseline["network_minus"]["subject"]
    ]
    return max(found, key=lambda method: method.auc["value"], default=None)


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


def _signed(estimate: Mapping[str, float]) -> str:
    if "low" not in estimate:
        return f"{estimate['value']:+.3f}"
    return f"{estimate['value']:+.3f} [{estimate['low']:+.3f}, {estimate['high']:+.3f}]"
