"""The network beside its baselines, as a table that HTML, Markdown and the terminal share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.core.baselines.choice import BASELINES, Baseline
from steps.core.metrics.method_comparison import DIFFERENCE, NETWORK
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.statistic import primary
from steps.report.table import UNDEFINED, Table, difference_cell, estimate_cell
from steps.writing.estimates import estimate_text

METHODS_CAPTION = (
    "Same folds and training subjects, best first. Methods that share a letter cannot be told apart with these "
    "subjects; any two that share none can: the 95% interval of their paired difference in AUC leaves out 0 (each pair "
    "by itself; with several methods one of many pairs may do so by chance). p: of the AUC of subjects; exact where "
    "the method was trained again for every permutation of the labels, else a guide."
)


@dataclass(frozen=True)
class Method:
    """The network or a baseline, with what is compared.

    Attributes:
        baseline: what is known of it; a title only where this version has no such baseline, and for the network.
        auc: of subjects, ``{value, low, high}``; None where undefined, as the others.
        balanced_accuracy: of subjects at the first threshold.
        pooled_auc: of trials.
        difference: AUC of subjects, network minus method, paired; None for the network.
        letters: methods that share one cannot be told apart; empty where nothing was ranked.
        tested: how the AUC of subjects compares with permuted labels, `steps.core.metrics.permutation.Tested`; None
            where nothing was tested.
    """

    baseline: Baseline
    auc: Mapping[str, float] | None
    balanced_accuracy: Mapping[str, float] | None
    pooled_auc: Mapping[str, float] | None
    difference: Mapping[str, float] | None
    letters: str = ""
    tested: Mapping[str, Any] | None = None

    @property
    def p_text(self) -> str:
        """Its p value and how it came about."""
        if self.tested is None:
            return UNDEFINED
        return f"{self.tested['p_value']:.2g}, {'' if self.tested.get('retrained') else 'not '}trained again"


def methods(summary: Mapping[str, Any]) -> list[Method]:
    """The network and its baselines, best first; none where no baseline was run.

    Args:
        summary: from `steps.core.metrics.summary.summary`, with ``baselines`` and ``ranking`` where there are any.
    """
    baselines: Mapping[str, Any] = summary.get("baselines", {})
    if not baselines:
        return []
    auc, balanced = (one.name for one in primary(summary["thresholds"]))
    everybody: dict[str, Mapping[str, Any]] = {NETWORK: summary, **baselines}
    # Evaluations of earlier versions have no ranking, nor has a study with one class.
    letters = {one["method"]: one["letters"] for one in summary.get("ranking", {}).get("methods", ())}
    return [
        Method(
            BASELINES.get(name, Baseline(name, name)),
            everybody[name][SUBJECT].get(auc),
            everybody[name][SUBJECT].get(balanced),
            everybody[name][POOLED].get(auc),
            everybody[name].get(DIFFERENCE, {}).get(SUBJECT, {}).get(auc),
            letters.get(name, ""),
            everybody[name].get("permutation", {}).get(SUBJECT, {}).get(auc),
        )
        for name in [*letters, *(name for name in everybody if name not in letters)]
    ]


def methods_table(summary: Mapping[str, Any]) -> Table | None:
    """The network beside its baselines, best first; none where no baseline was run."""
    rows = [
        (
            method.baseline.title,
            method.letters or UNDEFINED,
            *map(estimate_cell, (method.auc, method.balanced_accuracy, method.pooled_auc)),
            difference_cell(method.difference),
            method.p_text,
        )
        for method in methods(summary)
    ]
    if not rows:
        return None
    auc, balanced = (one.title for one in primary(summary["thresholds"]))
    columns = (
        "method",
        "alike",
        *(f"{title}, {UNITS[SUBJECT]}" for title in (auc, balanced)),
        f"{auc}, {UNITS[POOLED]}",
        f"{auc} of {UNITS[SUBJECT]}, network minus method",
        "p",
    )
    return Table.of(columns, rows, METHODS_CAPTION)


def short_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, AUC of subjects, and network minus method, as short as a terminal needs them; none without baselines.

    Args:
        summary: as for `methods`.
    """
    return [
        (method.baseline.short_title, estimate_cell(method.auc), difference_cell(method.difference))
        for method in methods(summary)
    ]


@dataclass(frozen=True)
class Rival:
    """The simpler method with the highest subject AUC, guessing aside.

    Attributes:
        baseline: what is known of it.
        auc: of subjects, ``{value, low, high}``.
        difference: network minus method, paired over subjects, ``{value, low, high}``.
    """

    baseline: Baseline
    auc: Mapping[str, float]
    difference: Mapping[str, float]

    @property
    def does_as_well(self) -> bool:
        """Whether its AUC is at least the network's."""
        return self.difference["value"] <= 0

    @property
    def sentence(self) -> str:
        """A sentence that sets the answer beside this method."""
        auc, difference = estimate_text(self.auc), estimate_text(self.difference, sign="+")
        return f"{self._beginning}: {self.baseline.title}, AUC {auc} (network minus method: {difference})."

    @property
    def short_sentence(self) -> str:
        """The same with as few figures as can be."""
        return f"{self._beginning}: {self.baseline.short_title}, AUC {estimate_text(self.auc)}."

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
        Rival(method.baseline, method.auc, method.difference)
        for method in methods(summary)
        if method.auc and method.difference and not method.baseline.is_guess
    ]
    return max(rivals, key=lambda one: one.auc["value"], default=None)
