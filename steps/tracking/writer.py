"""Writing records in a thread of its own, while others compute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Queue
from typing import Any, Final

# More than this and whoever submits waits, so that what is to be written does not fill the memory: a fold is half a
# dozen writes.
MOST_WAITING: Final = 500


class Writer:
    """A thread that does what it is given, in that order, one at a time.

    It has no low priority: kept from a core in the middle of a write, it would keep what it holds from the whole
    process.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        """Start the thread.

        Args:
            name: of the thread.
            most_waiting: how much may wait.
        """
        self._waiting: Queue[tuple[Future[Any], Callable[[], Any]] | None] = Queue(most_waiting)
        self._given: list[Future[Any]] = []
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Have something done after all that was given before; returns at once unless too much is waiting."""
        done: Future[Any] = Future()
        self._given.append(done)
        self._waiting.put((done, write))
        return done

    def flush(self) -> None:
        """Return when all that was given so far is done.

        Raises:
            Exception: what the first of it that failed has raised.
        """
        given, self._given = self._given, []
        errors = [error for done in given if (error := done.exception())]
        if errors:
            raise errors[0]

    def close(self) -> None:
        """`flush`, and let the thread end."""
        try:
            self.flush()
        finally:
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        while waiting := self._waiting.get():
            done, write = waiting
            try:
                done.set_result(write())
            except BaseException as error:  # whoever flushes is told
                done.set_exception(error)
