"""The network beside its baselines, as a table that HTML, Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.evaluate.thresholds import threshold_key
from steps.report.answer import estimate_text
from steps.report.tables import UNDEFINED, Table

METHODS_CAPTION = (
    "Same folds and training subjects. The difference is paired: network minus baseline in the same resamples, "
    "so an interval without 0 tells the two apart."
)
_TITLES = {
    "majority": "majority class",
    "logistic": "logistic regression, summary features",
    "minirocket": "MiniRocket, ridge",
}


def method_columns(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The header of `method_rows`."""
    balanced = f"balanced accuracy at {summary['thresholds'][0]:g}"
    return ("method", "AUC, subjects", f"{balanced}, subjects", "AUC, trials", "AUC of subjects, network minus method")


def method_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for the network and one for each baseline; none where no baseline was run.

    Args:
        summary: from `steps.evaluate.summary.summary`, with ``baselines`` where there are any.
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


def methods_table(summary: Mapping[str, Any]) -> Table | None:
    """The network beside its baselines; none where no baseline was run."""
    rows = method_rows(summary)
    return Table.of(method_columns(summary), rows, METHODS_CAPTION) if rows else None


def _signed(estimate: Mapping[str, float]) -> str:
    if "low" not in estimate:
        return f"{estimate['value']:+.3f}"
    return f"{estimate['value']:+.3f} [{estimate['low']:+.3f}, {estimate['high']:+.3f}]"
