"""What came of a reproduction, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from steps.reproduce.compare import DIFFERENT, IDENTICAL, MISSING, NEW, WITHIN, Comparison, Verdict, verdict_of
from steps.reproduce.surroundings import Surroundings
from steps.writing.markdown import plain, table

_ORDER: tuple[Verdict, ...] = (IDENTICAL, WITHIN, DIFFERENT, MISSING, NEW)
COLUMNS = ("run", "compared", *_ORDER, "largest")


@dataclass(frozen=True)
class Reproduction:
    """A run, its repetition, and how they agree.

    Attributes:
        run_id: the run that was to be reproduced.
        entry_point: what it is a run of.
        again_id: the new run.
        comparisons: everything that was compared.
        surroundings: code, interpreter, packages, machine, then and now.
        not_compared: metrics that a later step had added.
        defaulted: parameters the run did not record, taken at their defaults.
    """

    run_id: str
    entry_point: str
    again_id: str
    comparisons: Sequence[Comparison]
    surroundings: Surroundings
    not_compared: int = 0
    defaulted: Sequence[str] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of all comparisons."""
        return verdict_of(self.comparisons)

    @property
    def expected(self) -> Verdict:
        """What counts as reproduced: with everything the same, the same bits; otherwise, equal within 1e-6."""
        return IDENTICAL if self.surroundings.exact else WITHIN

    @property
    def reproduced(self) -> bool:
        """Whether the verdict is as good as expected, and there was something to compare."""
        return bool(self.comparisons) and _ORDER.index(self.verdict) <= _ORDER.index(self.expected)

    @property
    def largest_difference(self) -> float:
        """Of all numbers compared; NaN where there was none."""
        return _largest(self.comparisons)

    def counts(self) -> dict[Verdict, int]:
        """How many things have which verdict."""
        return {verdict: sum(c.verdict == verdict for c in self.comparisons) for verdict in _ORDER}

    def sentence(self) -> str:
        """The verdict in one sentence."""
        values = sum(comparison.values for comparison in self.comparisons)
        what = f"{self.entry_point} run {self.run_id}"
        if not self.comparisons:
            return f"NOT reproduced: {what} recorded nothing to compare with"
        if self.reproduced:
            exactly = "identical" if self.verdict == IDENTICAL else "equal within 1e-6"
            return f"reproduced: all {values} values of {what} are {exactly}"
        counts = self.counts()
        if self.verdict == WITHIN:
            return (
                f"NOT reproduced exactly: {what} differs by up to {self.largest_difference:.1e}, though code, packages "
                "and processor are the same"
            )
        missing = f", {counts[MISSING]} missing" if counts[MISSING] else ""
        return f"NOT reproduced: {counts[DIFFERENT]} of {len(self.comparisons)} things of {what} differ{missing}"

    def summary(self) -> list[tuple[str, ...]]:
        """A row per run: how many things have which verdict, and the largest difference."""
        rows = []
        for run in dict.fromkeys(comparison.run for comparison in self.comparisons):
            of_run = [comparison for comparison in self.comparisons if comparison.run == run]
            counts = [sum(c.verdict == verdict for c in of_run) for verdict in _ORDER]
            rows.append((run, str(len(of_run)), *(str(n) if n else "" for n in counts), _shown(_largest(of_run))))
        return rows

    def worst(self, number: int = 10) -> list[Comparison]:
        """What differs most, missing things first."""
        odd = [c for c in self.comparisons if c.verdict in (DIFFERENT, MISSING, WITHIN)]
        return sorted(odd, key=lambda c: (-_ORDER.index(c.verdict), -_or_zero(c.difference)))[:number]

    def table(self) -> pd.DataFrame:
        """A row per thing compared."""
        return pd.DataFrame([asdict(comparison) for comparison in self.comparisons])

    def as_json(self) -> dict[str, Any]:
        """Strict JSON: not-a-number is null, infinity a text."""
        return {
            "reproduced_run_id": self.run_id,
            "entry_point": self.entry_point,
            "rerun_run_id": self.again_id,
            "verdict": self.verdict,
            "expected": self.expected,
            "reproduced": self.reproduced,
            "counts": self.counts(),
            "values": sum(comparison.values for comparison in self.comparisons),
            "largest_difference": _number(self.largest_difference),
            "not_compared": self.not_compared,
            "parameters_not_recorded": list(self.defaulted),
            "surroundings": {
                name: {"recorded": recorded, "now": now} for name, (recorded, now) in self.surroundings.values.items()
            },
            "differing_surroundings": sorted(self.surroundings.different),
        }

    def markdown(self) -> str:
        """The run's description."""
        parts = [f"**{plain(self.sentence())}**", f"New run: `{self.again_id}`", table(COLUMNS, self.summary())]
        if different := self.surroundings.different:
            rows = ((name, *pair) for name, pair in different.items())
            parts.append(table(("differs", "recorded", "now"), rows))
        return "\n\n".join(parts) + "\n"


def _largest(comparisons: Sequence[Comparison]) -> float:
    differences = [c.difference for c in comparisons if not math.isnan(c.difference)]
    return max(differences, default=math.nan)


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _shown(value: float) -> str:
    return "" if math.isnan(value) else "0" if value == 0 else f"{value:.1e}"


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else "infinite" if math.isinf(value) else value
