"""Writing records while others compute, giving way to them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

# More than this and whoever submits helps: a fold is half a dozen writes, and a killed study should not lose many.
MOST_WAITING: Final = 60
LONGEST_WAIT_S: Final = 20.0
_NICENESS = 19


class Writer:
    """Does what it is given, in that order, one at a time.

    Its thread computes when nobody who trains wants the core. So that this cannot put off the record for ever, a second
    thread does at full priority what has waited too long, and so does whoever submits when too much is waiting, or
    waits for all to be done.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        """Start the threads.

        Args:
            name: of the threads.
            most_waiting: how much may wait.
            longest_wait_s: after how many seconds a write is begun at the latest, but for those before it.
        """
        self._most, self._longest_s = most_waiting, longest_wait_s
        self._waiting: deque[tuple[float, Future[Any], Callable[[], Any]]] = deque()
        self._given: list[Future[Any]] = []
        self._turn = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True) for target in (self._work, self._do_overdue)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Have something done after all that was given before; returns at once unless too much is waiting."""
        done: Future[Any] = Future()
        self._given.append(done)
        self._waiting.append((time.monotonic(), done, write))
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
            self._closed.set()
            self._wake.release()
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        give_way()
        while not self._closed.is_set():
            self._wake.acquire()
            self._do_next()

    def _do_overdue(self) -> None:
        while not self._closed.wait(max(self._longest_s - self._waited_s(), 0.0)):
            if self._waited_s() >= self._longest_s:
                self._do_next()

    def _waited_s(self) -> float:
        """How long the next write has waited; 0 when there is none."""
        try:
            since, *_ = self._waiting[0]
        except IndexError:
            return 0.0
        return time.monotonic() - since

    def _do_next(self) -> None:
        with self._turn:
            if not self._waiting:  # somebody else has done it
                return
            _, done, write = self._waiting.popleft()
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
