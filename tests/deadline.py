"""A limit for what might hang."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TooLongError(BaseException):
    """Nobody waits that long; no handler of errors takes it for one."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fail when the block takes longer."""

    def stop(_signal: int, _frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
