"""What a search has found, as text: whether it is any better first, then the settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from steps.core.data.tried import Tried, Value
from steps.core.metrics.names import SUBJECT
from steps.core.metrics.statistic import Statistic
from steps.parameter_types import as_text
from steps.report.comparison import answer, first_is_better
from steps.writing.estimates import estimate_text
from steps.writing.markdown import plain, table

TUNED, DEFAULTS = "tuned", "defaults"


def verdict(document: Mapping[str, Any]) -> str:
    """Whether the search was worth it, in a sentence.

    Args:
        document: from `steps.core.metrics.comparison.comparison`, first what the searches found.
    """
    people = document["counts"]["subjects"]
    if document["identical"]:
        return "The search is no better than the defaults: what it chose says the same of everybody. Keep the defaults."
    if not document["primary"]["seen"]:
        return f"The search is no better than the defaults, as far as {people} subjects can tell. Keep the defaults."
    if first_is_better(document):
        return "The search is better than the defaults, on people who had no part in it: use best.yaml."
    return "The search is worse than the defaults, on people who had no part in it: keep the defaults."


def nested_estimate(document: Mapping[str, Any]) -> str:
    """The number to report for a training with a search, and of whom it is."""
    metric = document["primary"]["metric"]
    value = estimate_text(document[SUBJECT][metric]["first"])
    people = document["counts"]["subjects"]
    return f"{Statistic(metric).title} of {people} subjects, whom the search of their fold has never seen: {value}"


def settings_text(settings: Mapping[str, Value]) -> str:
    """``model=cnn, epochs=40``."""
    return ", ".join(f"{name}={as_text(value)}" for name, value in settings.items())


def settings_file(settings: Mapping[str, Value], document: Mapping[str, Any], run_id: str) -> str:
    """``best.yaml``: what `config` reads, with what it is worth as a comment."""
    lines = [
        f"# Found by run {run_id} of tune on all subjects: nobody is left to say what these very settings are worth.",
        f"# Nested estimate of such a search: {nested_estimate(document)}.",
        f"# {verdict(document)}",
    ]
    return "\n".join(lines) + "\n" + yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)


def chosen_text(chosen: Sequence[Mapping[str, Value]]) -> str:
    """Which settings the folds chose, the most frequent first."""
    counted = Counter(settings_text(settings) for settings in chosen)
    listed = [f"{settings} ({folds} of {len(chosen)} folds)" for settings, folds in counted.most_common(3)]
    more = f" and {len(counted) - 3} others" if len(counted) > 3 else ""
    return "; ".join(listed) + more


def description(
    document: Mapping[str, Any],
    chosen: Mapping[str, Tried],
    everybody: Tried,
    importance: Mapping[str, float],
) -> str:
    """The run's description, in Markdown.

    Args:
        document: from `steps.core.metrics.comparison.comparison`.
        chosen: fold -> the best try of its search.
        everybody: the best try of the search on all subjects.
        importance: mean share of each parameter; empty where it cannot be told.
    """
    lines = [f"**{plain(verdict(document))}**", "", plain(answer(document)), ""]
    lines += [f"Nested estimate: {plain(nested_estimate(document))}.", ""]
    lines += [f"`best.yaml`, for new people: {plain(settings_text(everybody.settings))}.", ""]
    if importance:
        ranked = sorted(importance.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {share:.0%}" for name, share in ranked)
        lines += [f"Share in how much tries differ: {plain(shares)}.", ""]
    rows = [
        (name, str(one.number + 1), f"{one.values[-1]:.3f}", settings_text(one.settings))
        for name, one in chosen.items()
    ]
    lines += [table(("fold", "try", "Brier score, inner", "settings"), rows), ""]
    lines += [
        "Try 1 is always the defaults. An inner score is the best of many tries on the subjects of the search: it "
        "estimates nothing.",
    ]
    return "\n".join(lines)
