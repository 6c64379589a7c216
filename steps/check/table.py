"""Showing outcomes: a table, and how to mend what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from steps.check.checklist import FAILED, OK, SKIPPED, WARNING, Outcome
from steps.writing.markdown import table as as_markdown

SELF_TEST, DRY_RUN = "Self-test", "Dry run: nothing is recorded"
_COLOUR = {OK: "green", WARNING: "bold yellow", FAILED: "bold red", SKIPPED: "yellow"}


def show(outcomes: Sequence[Outcome], console: Console | None = None, title: str = SELF_TEST) -> None:
    """Print the table, then a line per failure and warning with what to do, then the verdict."""
    console = console or Console(highlight=False)
    table = Table("check", "", "ms", "found", title=title)
    table.columns[2].justify = "right"
    table.columns[3].overflow = "fold"
    for outcome in outcomes:
        status = f"[{_COLOUR[outcome.status]}]{outcome.status}[/]"
        table.add_row(outcome.name, status, _milliseconds(outcome), escape(outcome.finding))
    console.print(table)
    # Whole lines, never wrapped at the terminal's width: a command in them can be copied.
    for outcome in outcomes:
        if outcome.status in (FAILED, WARNING):
            said = f"[{_COLOUR[outcome.status]}]{outcome.status}[/]: {outcome.name}: {escape(outcome.finding)}"
            console.print(said, soft_wrap=True)
            console.print(f"  mend: {escape(outcome.mend)}", soft_wrap=True)
    console.print(verdict(outcomes))


def verdict(outcomes: Sequence[Outcome]) -> str:
    """How many checks were fine, in words."""
    count = {status: sum(outcome.status == status for outcome in outcomes) for status in (OK, WARNING, FAILED, SKIPPED)}
    skipped = f", {count[SKIPPED]} skipped" if count[SKIPPED] else ""
    warned = f", {count[WARNING]} warning{'s' * (count[WARNING] > 1)}" if count[WARNING] else ""
    if count[FAILED]:
        return f"{count[FAILED]} of {len(outcomes)} checks failed{warned}{skipped}"
    return f"{'nothing failed' if warned else 'all fine'}: {count[OK]} checks ok{warned}{skipped}"


def markdown(outcomes: Sequence[Outcome], title: str = SELF_TEST) -> str:
    """The same as a Markdown table, for a run's description."""
    rows = (
        (outcome.name, outcome.status, _milliseconds(outcome), f"{outcome.finding} {outcome.mend}".strip())
        for outcome in outcomes
    )
    return f"{title}: {verdict(outcomes)}.\n\n{as_markdown(('check', '', 'ms', 'found'), rows)}\n"


def _milliseconds(outcome: Outcome) -> str:
    return "" if outcome.milliseconds is None else f"{outcome.milliseconds:.0f}"


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Say what is being checked, on a terminal only."""
    console = Console(highlight=False)
    with console.status("checking") as status:
        yield lambda name: status.update(f"checking: {escape(name)}")
