"""Writing records in a thread of its own, while others compute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, Final

# With more waiting than this, `submit` blocks, so that memory does not fill up. A fold is half a dozen writes.
MOST_WAITING: Final = 500


class Writer:
    """A thread that does what it is given, in that order, one at a time.

    Its priority is not lowered: if it waited for a core in the middle of a write, the locks it holds would block the
    process.
    """

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        """Make the thread, which begins with the first write.

        Args:
            name: of the thread.
            most_waiting: how much may wait.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._room = BoundedSemaphore(most_waiting)
        self._given: list[Future[Any]] = []

    def submit(self, write: Callable[[], Any]) -> Future[Any]:
        """Have something done after all that was given before; returns at once unless too much is waiting."""
        self._room.acquire()
        done = self._thread.submit(write)
        done.add_done_callback(lambda _done: self._room.release())
        self._given.append(done)
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
            self._thread.shutdown()
