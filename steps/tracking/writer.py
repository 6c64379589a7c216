"""Writing records while others compute, giving way to them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

# More than this and whoever submits helps, so that what waits does not fill the memory: a fold is half a dozen writes.
MOST_WAITING: Final = 500
LONGEST_WAIT_S: Final = 10.0
_LOOK_S = 0.05


class Writer:
    """Does what it is given, in that order, one at a time.

    Its thread writes when nobody who computes wants the core, as far as it is told. What has waited too long is written
    all the same; so does whoever submits when too much is waiting, or waits for all to be done. The thread has no low
    priority: kept from a core in the middle of a write, it would keep what it holds from the whole process.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        """Start the thread.

        Args:
            name: of the thread.
            most_waiting: how much may wait.
            longest_wait_s: after how many seconds a write is begun at the latest, but for those before it.
        """
        self._most, self._longest_s = most_waiting, longest_wait_s
        self._waiting: deque[tuple[float, Future[Any], Callable[[], Any]]] = deque()
        self._given: list[Future[Any]] = []
        self._is_wanted: Callable[[], bool] = lambda: False
        self._turn = threading.Lock()
        self._wake = threading.Semaphore(0)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def give_way_while(self, is_wanted: Callable[[], bool]) -> None:
        """Write from now on only while this says that nobody else wants the core; it is asked often."""
        self._is_wanted = is_wanted

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
            self._thread.join()

    def _work(self) -> None:
        while not self._closed.is_set():
            self._wake.acquire()
            while self._is_wanted() and (left_s := self._may_wait_s()) > 0:
                self._closed.wait(min(_LOOK_S, left_s))
            self._do_next()

    def _may_wait_s(self) -> float:
        """For how long the next write may still wait; 0 where there is none, or nobody wants more."""
        try:
            since, *_ = self._waiting[0]
        except IndexError:
            return 0.0
        return 0.0 if self._closed.is_set() else since + self._longest_s - time.monotonic()

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
