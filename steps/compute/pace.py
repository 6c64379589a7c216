"""How fast something comes: after two seconds a bar on a terminal, a line now and then elsewhere; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_QUIET_S: Final = 2.0
_BAR_EVERY_S: Final = 0.2
_LINE_EVERY_S: Final = 5.0
_LINE_EVERY_SHARE: Final = 0.1  # of the time so far: a log must not grow with the number of files


@contextmanager
def pace(what: str) -> Iterator[Callable[[float, float, str], None]]:
    """Show inside the block how far something is; yields what is to be called with news of it.

    It takes how much is done, of how much, and of what: ``(300, 10_000, "files")``.

    Args:
        what: is being done: ``reading``.
    """
    shown = _Pace(what)
    try:
        yield shown.news
    finally:
        shown.end()


class _Pace:
    """One bar, or some lines."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._shown = time.monotonic()
        self._bar: tuple[Progress, TaskID] | None = None

    def news(self, done: float, of: float, unit: str) -> None:
        """Show it, if it is time to."""
        now = time.monotonic()
        since, last = now - self._started, now - self._shown
        if since < _QUIET_S:
            return
        if sys.stderr.isatty():
            if last >= _BAR_EVERY_S or done >= of:
                self._shown = now
                self._show(done, of, _speed(done, of, unit, since))
        elif last >= max(_LINE_EVERY_S, _LINE_EVERY_SHARE * since):
            self._shown = now
            line = f"{self._what}: {done:,.0f} of {of:,.0f} {unit}, {_speed(done, of, unit, since)}"
            print(line, file=sys.stderr, flush=True)

    def _show(self, done: float, of: float, speed: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}"))
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar = bar, bar.add_task(self._what, total=of, speed=speed)
            bar.start()
        bar, task = self._bar
        bar.update(task, completed=done, total=of, speed=speed)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar[0].stop()


def _speed(done: float, of: float, unit: str, seconds: float) -> str:
    each = done / seconds
    left = (of - done) / each if each else 0.0
    minutes, rest = divmod(round(left), 60)
    about = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{each:,.3g} {unit}/s" + (f", about {about} left" if each and left >= 1 else "")
