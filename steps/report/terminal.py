"""A finished study as a terminal shows it: six rows of results, the methods, and eight lines that say it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steps.core.data.manifest import WARNING
from steps.report.content import SPLITS, named_short_answer
from steps.report.data import ReportData
from steps.report.methods import short_rows
from steps.report.quality import LOOK_FIRST, section
from steps.report.results import RESULT_COLUMNS, headline_rows

_MOST_COLUMNS = 120
_NAMES = 9  # columns that the names of the last lines take


def console() -> Console:
    """Standard output, as wide as the terminal but no wider than can be read."""
    return Console(highlight=False, width=min(Console().width, _MOST_COLUMNS))


def show_results(summary: Mapping[str, Any], to: Console) -> None:
    """Print the headline results, and the network beside simpler methods where any were run.

    Args:
        summary: from `steps.core.metrics.summary.summary`.
        to: where.
    """
    counts = summary["counts"]
    columns = (RESULT_COLUMNS[0], f"{counts['subjects']} subjects", f"{counts['trials']} trials")
    rows = [(metric, subjects, trials) for metric, trials, subjects in headline_rows(summary)]
    _print(Table(*columns, title="People the models had not seen, 95% intervals over subjects"), rows, to)
    if methods := short_rows(summary):
        _print(Table("method", "AUC of subjects", "network minus method", title="Beside simpler methods"), methods, to)


def closing_lines(data: ReportData, model: str, report: str, page: Sequence[str]) -> list[tuple[str, str]]:
    """The last lines: a name each, and what is said under it.

    Args:
        data: the study.
        model: where the model for new people is; empty where none was registered.
        report: path of the report; empty where none was written.
        page: how to open the study in MLflow, a line each.
    """
    manifest = data.manifest
    subjects = data.summary["counts"]["subjects"]
    lines = named_short_answer(data.summary, data.label_names, data.audit)
    lines.append(
        (
            "Data",
            f"{manifest.source}: {manifest.trials} trials, {subjects} subjects tested, "
            f"{manifest.timesteps} time points × {len(manifest.features)} features, digest {manifest.digest[:12]}",
        )
    )
    lines += [("Warning", note.removeprefix(WARNING)) for note in manifest.notes if note.startswith(WARNING)]
    if data.quality and (alarm := section(data.quality).alarm):
        lines.append(("Warning", f"{LOOK_FIRST} {alarm}"))
    cv = str(data.parameters["cv"])
    network = f"{data.parameters['model']}, {SPLITS.get(cv, cv)}"
    lines.append(("Model", network + (f"; for new people: {model}" if model else "")))
    if report:
        lines.append(("Report", report))
    lines += [("MLflow" if number == 0 else "", line) for number, line in enumerate(page)]
    return lines


def show_closing(lines: Sequence[tuple[str, str]], to: Console) -> None:
    """Print `closing_lines`: sentences as wide as the terminal; paths and addresses whole, fit to be copied."""
    to.print()
    for name, text in lines:
        if name in ("Report", "MLflow", ""):
            to.print(Text(f"{name:<{_NAMES}}{text}"), soft_wrap=True)
            continue
        grid = Table.grid(padding=(0, 0))
        grid.add_column(width=_NAMES)
        grid.add_column()
        grid.add_row(name, Text(text))
        to.print(grid)


def _print(table: Table, rows: Sequence[Sequence[str]], to: Console) -> None:
    table.box, table.title_justify = None, "left"
    table.padding = (0, 2, 0, 0)
    for row in rows:
        table.add_row(*map(Text, row))
    to.print()
    to.print(table)
