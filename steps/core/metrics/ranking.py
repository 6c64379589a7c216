"""Methods in the order of the primary metric, and which of them these subjects cannot tell apart.

Letters as in compact letter displays (Piepho 2004, J. Comput. Graph. Stat. 13:456-466): methods that share one cannot
be told apart, those that share none can. Each pair is looked at by itself, by its paired difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from string import ascii_lowercase
from typing import Any

from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import SUBJECT, Estimate
from steps.core.metrics.paired import Judged, paired_differences

Pair = frozenset[str]


def ranking(methods: Mapping[str, Judged]) -> dict[str, Any]:
    """Methods from best to worst.

    Args:
        methods: name -> what is known of the same subjects' scores; at most 26.

    Returns:
        Plain values: ``level`` and ``metric``; ``methods``, best first, each ``method``, ``value`` and ``letters``; and
        ``differences``: of every pair ``first`` (the better), ``second``, and ``value``, ``low``, ``high`` of first
        minus second. Both lists are empty where the metric is undefined, with one class.
    """
    values = {name: one.statistics[PRIMARY].value for name, one in methods.items() if PRIMARY in one.statistics}
    order = sorted(values, key=lambda name: -values[name])
    between = {
        (first, second): paired_differences(methods[first], methods[second])[PRIMARY]
        for first, second in combinations(order, 2)
    }
    alike = {frozenset(pair) for pair, difference in between.items() if not told_apart(difference)}
    letters = letters_of(order, alike)
    return {
        "level": SUBJECT,
        "metric": PRIMARY,
        "methods": [{"method": name, "value": values[name], "letters": letters[name]} for name in order],
        "differences": [{"first": first, "second": second, **one} for (first, second), one in between.items()],
    }


def told_apart(difference: Estimate | Mapping[str, float]) -> bool:
    """Whether the interval of a difference leaves out 0; without an interval nothing is told apart."""
    low, high = difference.get("low"), difference.get("high")
    return low is not None and high is not None and not low <= 0 <= high


def letters_of(order: Sequence[str], alike: Collection[Pair]) -> dict[str, str]:
    """The letters of each method.

    Args:
        order: the methods, best first.
        alike: pairs that cannot be told apart.

    Returns:
        Name -> letters: two names share one if and only if they are alike.
    """
    groups: list[frozenset[str]] = []
    for size in range(len(order), 0, -1):
        for chosen in combinations(order, size):
            group = frozenset(chosen)
            if all(frozenset(pair) in alike for pair in combinations(chosen, 2)) and not any(
                group <= larger for larger in groups
            ):
                groups.append(group)
    groups.sort(key=lambda group: sorted(map(order.index, group)))
    return {
        name: "".join(letter for letter, group in zip(ascii_lowercase, groups, strict=False) if name in group)
        for name in order
    }
