"""Calls that end in time, whatever the other side does.

The time-outs of HTTP libraries are for each read: a server that sends a byte a second is never late. Database drivers
have none once they are connected, and the lookup of a host name has none at all. So a call runs in a thread of its own,
and the caller stops waiting for it. A thread cannot be ended; it is left behind and ends with the process.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

# How long a call that was given up keeps others from being tried. The call itself may never end.
_BLOCKS_S = 300.0

T = TypeVar("T")


def within(seconds: float, action: Callable[[], T]) -> T:
    """What ``action`` returns or raises.

    Raises:
        TimeoutError: it took longer; its thread goes on, and does not keep the process alive.
    """
    result, _ = _started(seconds, action)
    return _finished(result, seconds)


class Line:
    """The way to one server.

    While a call that was given up is still running, further ones fail at once. So threads do not pile up, and a caller
    with several questions waits only once.
    """

    def __init__(self) -> None:
        self._given_up: list[tuple[threading.Thread, float]] = []

    def within(self, seconds: float, action: Callable[[], T]) -> T:
        """`within`, for a call to this server.

        Raises:
            TimeoutError: it took longer, or an earlier one did and has not ended.
        """
        now = time.monotonic()
        self._given_up = [(thread, at) for thread, at in self._given_up if thread.is_alive() and now - at < _BLOCKS_S]
        if self._given_up:
            raise TimeoutError("the server has not answered an earlier call yet")
        result, thread = _started(seconds, action)
        if not result.done():
            self._given_up.append((thread, time.monotonic()))
        return _finished(result, seconds)


@cache
def line_to(server: str) -> Line:
    """The one line of this process to a server."""
    return Line()


def _started(seconds: float, action: Callable[[], T]) -> tuple[Future[T], threading.Thread]:
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(action())
        except BaseException as error:
            result.set_exception(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="call", daemon=True)
    thread.start()
    thread.join(seconds)
    return result, thread


def _finished(result: Future[T], seconds: float) -> T:
    if not result.done():
        raise TimeoutError(f"no answer within {seconds:g} s")
    return result.result()
