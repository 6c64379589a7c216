"""A level of a summary in a line, for the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.core.metrics.abstention import at_declared
from steps.core.metrics.conformal import subjects_needed
from steps.core.metrics.names import POOLED, SUBJECT, UNITS
from steps.core.metrics.statistic import Statistic, primary
from steps.writing.estimates import estimate_text


def level_text(document: Mapping[str, Any], level: str) -> str:
    """``24 subjects: AUC 0.917 [0.770, 1.000], at 0.5 balanced accuracy 0.833 [0.667, 0.962], accuracy ...``.

    Args:
        document: from `steps.core.metrics.summary.summary`.
        level: ``pooled`` or ``subject``.
    """
    threshold, estimates = document["thresholds"][0], document[level]
    auc, balanced_accuracy = primary([threshold])
    free, decided = (
        ", ".join(f"{one.row.title} {estimate_text(estimates[one.name])}" for one in shown if one.name in estimates)
        for shown in ([auc], [balanced_accuracy, Statistic("accuracy", threshold)])
    )
    count = document["counts"][UNITS[level]]
    unit = UNITS[level].removesuffix("s") if count == 1 else UNITS[level]
    return f"{count} {unit}: {free or 'one class only, nothing to tell apart'}, at {threshold:g} {decided}"


def abstention_text(document: Mapping[str, Any]) -> str:
    """``at a declared error rate of 10% it answers for 20 of 24 people and is wrong for 2; ...``.

    Args:
        document: from `steps.core.metrics.abstention.abstention`.
    """
    people, trials, rate = at_declared(document, SUBJECT), at_declared(document, POOLED), document["declared"]
    who = f"{people['cases']} people"
    if people["cases"] > document["people"]:
        who = f"{people['cases']} sets of trials of one class and person"
    said = (
        f"at a declared error rate of {rate:.0%} it answers for {people['answered']} of {who} and is wrong for "
        f"{people['wrong']}; of their trials it answers {trials['answered_share']:.0%} and is wrong for "
        f"{trials['error']:.0%}"
    )
    if not people["answered"]:
        said += f" (to rule out a class takes {subjects_needed(rate)} training subjects of it)"
    return said
