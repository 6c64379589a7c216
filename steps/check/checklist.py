"""Running checks one after the other: each within a time limit, none able to end the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from steps.system.deadline import within

Status = Literal["ok", "warning", "failed", "skipped"]
OK: Status = "ok"
WARNING: Status = "warning"
FAILED: Status = "failed"
SKIPPED: Status = "skipped"


class CheckError(Exception):
    """A check that failed.

    Attributes:
        finding: what was found, one line.
        mend: what to do about it, one line.
    """

    def __init__(self, finding: str, mend: str) -> None:
        super().__init__(finding)
        self.finding = finding
        self.mend = mend


class CheckWarningError(CheckError):
    """Something that a person should see to, but that stops nothing."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        name: what was checked.
        status: ``ok``, ``warning``, ``failed`` or ``skipped``.
        finding: one line.
        mend: how to mend a failure, or what to do about a warning, one line; empty otherwise.
        milliseconds: wall time; None where nothing ran.
    """

    name: str
    status: Status
    finding: str
    mend: str = ""
    milliseconds: float | None = None


class Checklist:
    """The outcomes so far, in order."""

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        """Make an empty list; ``hide`` removes from a text what must not be printed."""
        self._hide = hide
        self.announce: Callable[[str], None] = lambda name: None
        """Told the name of each check before it runs."""
        self.outcomes: list[Outcome] = []

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(outcome.status == FAILED for outcome in self.outcomes)

    def ok(self, *names: str) -> bool:
        """Whether all of the named checks ran and were fine, or gave no more than a warning."""
        fine = {outcome.name for outcome in self.outcomes if outcome.status in (OK, WARNING)}
        return fine.issuperset(names)

    def failed_among(self, *names: str) -> bool:
        """Whether any of the named checks failed."""
        return any(outcome.status == FAILED and outcome.name in names for outcome in self.outcomes)

    def first_failed(self, *names: str) -> str:
        """The first of the named checks that failed; the first that was not ok when none did."""
        failed = [outcome.name for outcome in self.outcomes if outcome.status == FAILED]
        return next((name for name in names if name in failed), next(name for name in names if not self.ok(name)))

    def run(self, name: str, probe: Callable[[], str], *, mend: str, limit: float, needs: Sequence[str] = ()) -> None:
        """Run one check and note its outcome.

        Args:
            name: what is checked.
            probe: says what it found; raises `CheckWarningError`, `CheckError`, or anything else, when something
                is wrong.
            mend: what to do when ``probe`` raises anything but `CheckError`, or does not return in time.
            limit: seconds after which the probe is given up; its thread is left behind.
            needs: checks that must be ok, or this one is skipped.
        """
        missing = [need for need in needs if not self.ok(need)]
        if missing:
            self.skip(name, f"needs: {missing[0]}")
            return
        self.announce(name)
        started = time.perf_counter()
        try:
            status, said, how = OK, within(limit, probe), ""
        except CheckWarningError as warning:
            status, said, how = WARNING, warning.finding, warning.mend
        except CheckError as failure:
            status, said, how = FAILED, failure.finding, failure.mend
        except Exception as error:  # whatever a library raises is a finding here, not a crash
            status, said, how = FAILED, in_one_line(error), mend
        milliseconds = (time.perf_counter() - started) * 1000
        self._add(Outcome(name, status, said, how, milliseconds))

    def skip(self, name: str, reason: str) -> None:
        """Note that a check was not run, and why."""
        self._add(Outcome(name, SKIPPED, reason))

    def fail(self, name: str, error: Exception, mend: str) -> None:
        """Note an error that belongs to no check."""
        self._add(Outcome(name, FAILED, in_one_line(error), mend))

    def _add(self, outcome: Outcome) -> None:
        said, mend = (" ".join(self._hide(text).split()) for text in (outcome.finding, outcome.mend))
        self.outcomes.append(Outcome(outcome.name, outcome.status, said, mend, outcome.milliseconds))


def in_one_line(error: BaseException, width: int = 300) -> str:
    """An exception as one line: its type, unless the message is meant for users, and the first line of the message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    text = f"{name}: {lines[0]}" if lines else name
    return text if len(text) <= width else f"{text[: width - 1]}…"
