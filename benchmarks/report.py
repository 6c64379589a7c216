"""What was measured, beside the bar it should pass: rows, one table, Markdown and JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from benchmarks.measure import CORES

_PACKAGES = ("tensorflow", "keras", "mlflow", "numpy", "pandas")


@dataclass(frozen=True)
class Bar:
    """What a row should reach.

    Attributes:
        kind: ``faster``: the other side takes at least ``limit`` times as long; ``longer``: the project takes at most
            ``limit`` times as long as the other side; ``at most``: the project's value is at most ``limit``.
        limit: in times, or in the row's unit.
    """

    kind: Literal["faster", "longer", "at most"]
    limit: float

    def __str__(self) -> str:
        """In words."""
        if self.kind == "faster":
            return f"{self.limit:g} x faster"
        return f"at most {self.limit:g}{' x' if self.kind == 'longer' else ''}"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        work: what was done.
        unit: of the values.
        project: values of the project, one per run.
        other: values of the other side; as many where they were measured in pairs, or none.
        against: the other side.
        bar: what should be reached.
        is_share: of something limited: more is better.
    """

    work: str
    unit: str
    project: tuple[float, ...]
    other: tuple[float, ...] = ()
    against: str = "plain"
    bar: Bar | None = None
    is_share: bool = False

    @property
    def ratios(self) -> tuple[float, ...]:
        """Of each pair: how many times faster, or, with a bar on that, how many times longer the project is.

        Of a share: how many times larger.
        """
        if not self.other:
            return ()
        pairs = list(zip(self.other, self.project, strict=False)) if len(self.other) == len(self.project) else []
        pairs = pairs or [(statistics.median(self.other), statistics.median(self.project))]
        longer = self.is_share or (self.bar is not None and self.bar.kind == "longer")
        return tuple(project / other if longer else other / project for other, project in pairs)

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached by the median; None where there is none."""
        if self.bar is None:
            return None
        if self.bar.kind == "at most":
            return statistics.median(self.project) <= self.bar.limit
        ratio = statistics.median(self.ratios)
        return ratio >= self.bar.limit if self.bar.kind == "faster" else ratio <= self.bar.limit

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        ratios = self.ratios
        ratio = ""
        if ratios:
            ratio = f"{statistics.median(ratios):.3g}"
            if len(ratios) > 1:
                ratio += f" ({min(ratios):.3g} to {max(ratios):.3g})"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        other = f"{self.against}: {_shown(self.other)} {self.unit}" if self.other else ""
        return self.work, other, f"{_shown(self.project)} {self.unit}", ratio, str(self.bar or ""), met


HEADER = ("work", "against", "project", "ratio", "bar", "met")


@dataclass(frozen=True)
class Series:
    """How something grows: a table of its own."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[float | str, ...], ...]


@dataclass(frozen=True)
class Result:
    """What one part of the benchmark found.

    Attributes:
        rows: the comparisons.
        facts: sentences that belong to them: accuracy of both sides, errors, phases.
        series: tables of growth.
    """

    rows: list[Row] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Take over what another part found."""
        self.rows.extend(other.rows)
        self.facts.extend(other.facts)
        self.series.extend(other.series)


def markdown(result: Result, command: str, machine: str) -> str:
    """One table of all rows (medians; range of the ratios of pairs), the facts, the tables of growth."""
    lines = [f"`{command}`", "", machine, ""]
    if result.rows:
        lines += table(HEADER, [row.cells() for row in result.rows])
    lines += [f"- {fact}" for fact in result.facts]
    for series in result.series:
        cells = [tuple(value if isinstance(value, str) else f"{value:.4g}" for value in row) for row in series.rows]
        lines += ["", series.title, "", *table(series.header, cells)]
    return "\n".join(lines).rstrip() + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table with aligned columns, and an empty one."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, *rows)]
    lines.insert(1, ["-" * width for width in widths])
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]


def machine_in_words() -> str:
    """Processor, cores, memory, versions, and how busy the machine is: a busy one gives no figures to keep."""
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    load = f", load {os.getloadavg()[0]:.2f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {CORES} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}, "
        f"{versions}; {time.strftime('%Y-%m-%d %H:%M')}{load}."
    )


def write(result: Result, command: str, machine: str, output: Path | None) -> str:
    """Print the Markdown, and write ``<output>.md`` and ``<output>.json``; returns the Markdown."""
    text = markdown(result, command, machine)
    print(text, flush=True)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.with_suffix(".md").write_text(text, encoding="utf-8")
        output.with_suffix(".json").write_text(as_json(result, command, machine), encoding="utf-8")
    return text


def as_json(result: Result, command: str, machine: str) -> str:
    """Every value of every run, with the ratios and whether bars are met."""
    rows = [{**asdict(row), "ratios": row.ratios, "met": row.met} for row in result.rows]
    content: dict[str, Any] = {
        "command": command,
        "machine": machine,
        "rows": rows,
        "facts": result.facts,
        "series": [asdict(series) for series in result.series],
    }
    return json.dumps(content, indent=2) + "\n"


def from_json(content: dict[str, Any]) -> Result:
    """What `as_json` wrote."""
    rows = [
        Row(
            work=row["work"],
            unit=row["unit"],
            project=tuple(row["project"]),
            other=tuple(row["other"]),
            against=row["against"],
            bar=Bar(**row["bar"]) if row["bar"] else None,
            is_share=row["is_share"],
        )
        for row in content["rows"]
    ]
    series = [
        Series(entry["title"], tuple(entry["header"]), tuple(map(tuple, entry["rows"]))) for entry in content["series"]
    ]
    return Result(rows, content["facts"], series)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g}"
