"""What hands out work, wherever it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Item = TypeVar("Item")
OnEvent = Callable[[Any], None]


class Task(Protocol[T_co]):
    """Work that was handed out."""

    def result(self) -> T_co:
        """Wait until it is done; returns what the function returned.

        Raises:
            UserError: the processes or the cluster that should do it are gone.
            Exception: whatever the function raised.
        """

    def add_done_callback(self, function: Callable[[Any], object], /) -> None:
        """Call ``function`` with this task, in some thread, when it is done, failed or lost."""


class Pool(ABC):
    """Processes that work.

    Attributes:
        workers: how many things are done at a time, as far as is known.
        where: the same as text, for people.
    """

    workers: int
    where: str

    @abstractmethod
    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Task[T]:
        """Hand out ``function(*arguments)``; it returns at once."""

    def each(self, function: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, T]]:
        """Every item with ``function(item)``, in the order in which they are finished.

        No more items than the workers need are taken from ``items`` and handed out, and no more results are held, until
        the caller asks for the next one.

        Raises:
            Exception: what `Task.result` raises; the rest is given up when the pool is left.
        """
        finished: SimpleQueue[Task[T]] = SimpleQueue()
        handed_out: dict[Task[T], Item] = {}
        left = iter(items)
        while True:
            for item in islice(left, self._at_a_time() - len(handed_out)):
                task = self.submit(function, item)
                handed_out[task] = item
                task.add_done_callback(finished.put)
            if not handed_out:
                return
            done = self._next(finished)
            yield handed_out.pop(done), done.result()

    def no_more(self) -> None:  # noqa: B027 - most pools have nothing to do
        """Say that nothing more will be handed out, so that processes may end while something else is done."""

    @abstractmethod
    def _at_a_time(self) -> int:
        """How many tasks may be handed out whose results have not been taken yet."""

    @abstractmethod
    def _next(self, finished: SimpleQueue[Task[T]]) -> Task[T]:
        """The next finished task."""
