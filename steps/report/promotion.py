"""A decision about a challenger as text: what was decided, and gate by gate why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from steps.tracking.promotion import ROLLED_BACK, Entry
from steps.writing.markdown import plain, table

_WIDTH = 13


class Said(Protocol):
    """A gate."""

    @property
    def name(self) -> str:
        """Which."""

    @property
    def outcome(self) -> str:
        """Passed, failed, not judged, skipped."""

    @property
    def said(self) -> str:
        """A sentence."""

    @property
    def lets_pass(self) -> bool:
        """Whether it does not stand in the way."""


def headline(name: str, entry: Entry, gates: Iterable[Said] = ()) -> str:
    """What was decided, in a sentence."""
    model, was = f"{name}, version {entry.version},", f"version {entry.before}" if entry.before else "none"
    if entry.action == ROLLED_BACK:
        return f"{model} is the champion again; version {entry.before} no longer is"
    failed = [gate.name for gate in gates if not gate.lets_pass]
    skipped = [gate.name for gate in gates if gate.outcome == "skipped"]
    if failed:
        return f"{model} was not promoted: {', '.join(failed)}; the champion is still {was}"
    but = f"; not looked at: {', '.join(skipped)}" if skipped else ""
    return f"{model} is the champion now (before: {was}){but}"


def gate_lines(gates: Iterable[Said]) -> list[str]:
    """A line per gate for a terminal."""
    return [f"{gate.outcome:<10} {gate.name:<{_WIDTH}} {gate.said}" for gate in gates]


def description(name: str, entry: Entry, gates: Sequence[Said]) -> str:
    """The same in Markdown, with who and when."""
    parts = [f"**{plain(headline(name, entry, gates))}.**"]
    if gates:
        parts.append(table(("gate", "outcome", ""), [(gate.name, gate.outcome, gate.said) for gate in gates]))
    report = f", report {entry.report}" if entry.report else ""
    parts.append(plain(f"Decided by {entry.by} on {entry.at}, code {entry.commit[:12] or 'unknown'}{report}."))
    return "\n\n".join(parts)
