"""A thread that writes records while others compute, and gives way to them."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

# More than this and whoever submits helps: a fold is half a dozen writes, and a killed study should not lose many.
MOST_WAITING: Final = 60
_NICENESS = 19


class Writer:
    """Does what it is given, in that order, one at a time.

    Its thread computes when nobody who trains wants the core. So that this cannot put off the record for ever, whoever
    submits when too much is waiting, or waits for all to be done, does some of it at their own priority.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        """Start the thread.

        Args:
            name: of the thread.
            most_waiting: how much may wait.
        """
        self._most = most_waiting
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._given: list[Future[Any]] = []
        self._turn = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Have something done after all that was given before; returns at once unless too much is waiting."""
        done: Future[Any] = Future()
        self._given.append(done)
        self._waiting.append((done, write))
        self._wake.release()
        while len(self._waiting) > self._most:
            self._do_next()
        return done

    def flush(self) -> None:
        """Return when all that was given so far is done.

        Raises:
            Exception: what the first of it that failed has raised.
        """
        given, self._given = self._given, []
        while self._waiting:
            self._do_next()
        for done in given:
            done.result()

    def close(self) -> None:
        """`flush`, and let the thread end."""
        try:
            self.flush()
        finally:
            self._closed = True
            self._wake.release()
            self._thread.join()

    def _work(self) -> None:
        give_way()
        while not self._closed:
            self._wake.acquire()
            self._do_next()

    def _do_next(self) -> None:
        with self._turn:
            if not self._waiting:  # somebody else has done it
                return
            done, write = self._waiting.popleft()
            try:
                done.set_result(write())
            except Exception as error:
                done.set_exception(error)
            except BaseException as error:  # an interrupt is not the write's affair alone
                done.set_exception(error)
                raise


def give_way() -> None:
    """Let this thread compute when nobody who trains wants the core; only Linux has priorities for threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
