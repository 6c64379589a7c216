"""How far work is: a bar on a terminal, a line now and then elsewhere, and about how long the rest will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

# A log must not grow with the number of folds. Lines are at least so many seconds apart, and further apart the longer
# the work takes.
_LINE_EVERY_S = 5.0
_LINE_EVERY_SHARE = 0.1
_FIRST_ESTIMATE = 4  # results; the first ones of all processes come together, which says nothing about the pace


class Remaining:
    """About how long what is left will take, from when results came.

    What came before the first result, importing and compiling, does not come again and does not count.

    Args:
        total: how many results there will be.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._times: list[float] = []

    def add(self, at: float | None = None) -> None:
        """One more result, now or at a reading of a clock, in seconds."""
        self._times.append(time.monotonic() if at is None else at)

    @property
    def seconds(self) -> float | None:
        """Estimated seconds until the last result; None as long as that cannot be told."""
        done = len(self._times)
        if done < _FIRST_ESTIMATE:
            return None
        first = max(1, done // 4)
        each = (self._times[-1] - self._times[first - 1]) / (done - first)
        return each * (self._total - done)

    @property
    def text(self) -> str:
        """``; about 12 s left``, or nothing."""
        left = self.seconds
        if left is None or len(self._times) == self._total:
            return ""
        minutes, seconds = divmod(round(left), 60)
        return f"; about {minutes} min {seconds} s left" if minutes else f"; about {seconds} s left"


class Lines:
    """Prints the first line, the last one, and some between."""

    def __init__(self) -> None:
        self._started = self._printed = time.monotonic()

    def show(self, line: Callable[[], str], *, always: bool = False) -> None:
        """Print ``line()`` if it is time for one."""
        now = time.monotonic()
        pause = max(_LINE_EVERY_S, _LINE_EVERY_SHARE * (now - self._started))
        if always or now - self._printed >= pause:
            print(line(), flush=True)
            self._printed = now


class Show(Protocol):
    """Takes news of work."""

    def __call__(self, done: int, beside: str, line: str = "") -> None:
        """Show it.

        Args:
            done: how many steps are done.
            beside: text beside the bar.
            line: where there is no bar; empty as long as there is no new result.
        """


@contextmanager
def progress(results: int, steps: int, unit: str = "", *, ends: bool = False) -> Iterator[Show]:
    """Show inside the block how far work is; yields what is to be called with news of it.

    Args:
        results: how many results there will be; when they come says how long the rest will take.
        steps: how many steps the bar has.
        unit: what they are, beside the bar.
        ends: print the lines of the first and the last result in any case.
    """
    remaining = Remaining(results)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        bar = Progress(*columns, console=Console(stderr=True))
        task = bar.add_task("", total=steps, left="")

        def show(done: int, beside: str, line: str = "") -> None:
            bar.start()  # not before: what is printed until then would land in the bar's line
            if line:
                remaining.add()
            bar.update(task, completed=done, description=beside, left=remaining.text.removeprefix("; "))

        try:
            yield show
        finally:
            bar.stop()
        return
    lines, finished = Lines(), 0

    def write(done: int, beside: str, line: str = "") -> None:
        nonlocal finished
        if line:
            finished += 1
            remaining.add()
            lines.show(lambda: line + remaining.text, always=ends and finished in (1, results))

    yield write


@contextmanager
def counting(total: int, what: str) -> Iterator[Callable[[], None]]:
    """Show inside the block how many of ``total`` are done; yields what is to be called for each.

    Args:
        total: how many there are.
        what: what they are, in the singular: ``fold``.
    """
    done = 0
    with progress(total, total) as show:

        def count() -> None:
            nonlocal done
            done += 1
            show(done, what, f"{what} {done}/{total}")

        yield count
