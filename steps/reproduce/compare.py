"""Comparing what two runs recorded, value by value. Times are not compared: they differ from run to run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from steps.core.metrics.names import is_of_fold_evaluation

TOLERANCE = 1e-6
Verdict = Literal["identical", "within 1e-6", "different", "missing", "new"]
IDENTICAL: Verdict = "identical"
WITHIN: Verdict = "within 1e-6"
DIFFERENT: Verdict = "different"
MISSING: Verdict = "missing"  # recorded, but not made again
NEW: Verdict = "new"  # made now, but not recorded then
# Seconds, milliseconds, rates and memory, and what MLflow measures of the machine; how many processes took part,
# and which steps had run before.
_OF_THE_MACHINE = re.compile(
    r"^system/|(^|[_/])(s|ms|seconds|milliseconds|per_second|wall|rss|mib|gib|mb|gb|bytes)(_|$)"
    r"|^(workers|reused)$"
)
# Columns whose cells are names, even where they look like numbers: subject 007 is not subject 7.
_NAMES = {"subject", "trial", "feature", "class_name", "predicted_class"}


@dataclass(frozen=True)
class Evidence:
    """What a run recorded that ought to come out again.

    Attributes:
        metrics: last value of each metric.
        curves: step and value of every point, per metric that has a value per epoch.
        tables: CSV artifacts, every cell as text.
        documents: JSON artifacts.
        digest: of the dataset; empty where the run names none.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True)
class Comparison:
    """One thing compared.

    Attributes:
        run: which run of the study, e.g. ``fold S01 1``.
        kind: ``digest``, ``metric``, ``curve``, ``table`` or ``document``.
        name: of the metric, or of file and column.
        verdict: how the two agree.
        values: how many values were compared.
        difference: largest absolute difference; NaN where there is no number to subtract.
        recorded: the value that was recorded, where it is a single one.
        reproduced: the value that came out now.
    """

    run: str
    kind: str
    name: str
    verdict: Verdict
    values: int = 1
    difference: float = math.nan
    recorded: str = ""
    reproduced: str = ""


def is_deterministic(name: str) -> bool:
    """Whether a metric, column or key should come out again: not a time, a rate or an amount of memory."""
    return not _OF_THE_MACHINE.search(name)


def compare(run: str, recorded: Evidence, again: Evidence, *, evaluated: bool = True) -> list[Comparison]:
    """Everything the two runs recorded, in a fixed order.

    Args:
        run: what to call them.
        recorded: the run to reproduce.
        again: the new one.
        evaluated: False leaves out what `evaluate` adds to folds.
    """
    comparisons = []
    if recorded.digest or again.digest:
        same = IDENTICAL if recorded.digest == again.digest else DIFFERENT
        comparisons.append(Comparison(run, "digest", "dataset", same, 1, math.nan, recorded.digest, again.digest))
    for name, left, right in _pairs(recorded.metrics, again.metrics, evaluated):
        comparisons.append(_metric(run, name, left, right))
    for name, left, right in _pairs(recorded.curves, again.curves, evaluated):
        comparisons.append(_curve(run, name, left, right))
    for name, left, right in _pairs(recorded.tables, again.tables):
        comparisons.extend(_table(run, name, left, right))
    for name, left, right in _pairs(recorded.documents, again.documents):
        comparisons.append(_document(run, name, left, right))
    return comparisons


def left_out(recorded: Evidence) -> int:
    """How many of the metrics `evaluate` added to a fold."""
    return sum(map(is_of_fold_evaluation, recorded.metrics))


def difference(left: Sequence[float], right: Sequence[float]) -> tuple[Verdict, float]:
    """Verdict and largest absolute difference of two equally long sequences; NaN equals NaN."""
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return IDENTICAL, 0.0
    if not np.isfinite(a[~same] - b[~same]).all():
        return DIFFERENT, math.inf
    apart = np.abs(a - b)[~same]
    close = apart <= TOLERANCE * np.maximum(1.0, np.abs(a[~same]))
    return (WITHIN if close.all() else DIFFERENT), float(apart.max())


def verdict_of(comparisons: Iterable[Comparison]) -> Verdict:
    """The worst of them; what is new does not count."""
    verdicts = {comparison.verdict for comparison in comparisons}
    if verdicts & {DIFFERENT, MISSING}:
        return DIFFERENT
    return WITHIN if WITHIN in verdicts else IDENTICAL


def _pairs(
    left: Mapping[str, Any], right: Mapping[str, Any], evaluated: bool = True
) -> Iterator[tuple[str, Any | None, Any | None]]:
    for name in [*left, *(name for name in right if name not in left)]:
        if is_deterministic(name) and (evaluated or not is_of_fold_evaluation(name)):
            yield name, left.get(name), right.get(name)


def _metric(run: str, name: str, left: float | None, right: float | None) -> Comparison:
    if left is None or right is None:
        return _one_sided(run, "metric", name, left is None)
    verdict, largest = difference([left], [right])
    return Comparison(run, "metric", name, verdict, 1, largest, repr(left), repr(right))


def _one_sided(run: str, kind: str, name: str, is_new: bool) -> Comparison:
    return Comparison(run, kind, name, NEW if is_new else MISSING, 0)


def _curve(
    run: str, name: str, left: Sequence[tuple[int, float]] | None, right: Sequence[tuple[int, float]] | None
) -> Comparison:
    if left is None or right is None:
        return _one_sided(run, "curve", name, left is None)
    if [step for step, _ in left] != [step for step, _ in right]:
        return Comparison(
            run, "curve", name, DIFFERENT, len(left), math.nan, f"{len(left)} points", f"{len(right)} points"
        )
    verdict, largest = difference([value for _, value in left], [value for _, value in right])
    return Comparison(run, "curve", name, verdict, len(left), largest)


def _table(run: str, name: str, left: pd.DataFrame | None, right: pd.DataFrame | None) -> Iterator[Comparison]:
    if left is None or right is None:
        yield _one_sided(run, "table", name, left is None)
        return
    if len(left) != len(right):
        yield Comparison(run, "table", name, DIFFERENT, left.size, math.nan, f"{len(left)} rows", f"{len(right)} rows")
        return
    columns, columns_now = ({str(name): frame[name].tolist() for name in frame} for frame in (left, right))
    for column, a, b in _pairs(columns, columns_now):
        full = f"{name}: {column}"
        if a is None or b is None:
            yield _one_sided(run, "table", full, a is None)
            continue
        verdict, largest = (IDENTICAL if a == b else DIFFERENT, math.nan) if column in _NAMES else _texts(a, b)
        yield Comparison(run, "table", full, verdict, len(a), largest)


def _texts(left: Sequence[str], right: Sequence[str]) -> tuple[Verdict, float]:
    """Cells that are the same text are the same; others are compared as numbers where both are numbers."""
    apart = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    try:
        numbers = [(float(a), float(b)) for a, b in apart]
    except ValueError:
        return DIFFERENT, math.nan
    return difference([a for a, _ in numbers], [b for _, b in numbers]) if numbers else (IDENTICAL, 0.0)


def _document(run: str, name: str, left: Any | None, right: Any | None) -> Comparison:
    if left is None or right is None:
        return _one_sided(run, "document", name, left is None)
    a, b = dict(_leaves(left)), dict(_leaves(right))
    if list(a) != list(b):
        odd = sorted(set(a) ^ set(b))
        return Comparison(run, "document", name, DIFFERENT, len(a), math.nan, f"other keys: {', '.join(odd[:3])}")
    numbers = [key for key in a if _is_number(a[key]) and _is_number(b[key])]
    if any(a[key] != b[key] for key in a if key not in numbers):
        return Comparison(run, "document", name, DIFFERENT, len(a))
    verdict, largest = difference([a[key] for key in numbers], [b[key] for key in numbers])
    return Comparison(run, "document", name, verdict, len(a), largest)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, inner in items:
        if is_deterministic(str(key)):
            yield from _leaves(inner, f"{path}/{key}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
