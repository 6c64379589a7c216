"""The one interface to processes of this machine and to a cluster."""

from __future__ import annotations

import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from steps.compute.capacity import worker_count
from steps.errors import UserError, shown, shown_path

LOCAL = "local"
_PROBE_S = 5.0

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Item = TypeVar("Item")
OnEvent = Callable[[Any], None]


class Task(Protocol[T_co]):
    """Work that was handed out."""

    def result(self) -> T_co:
        """Wait for it; what the function returned.

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
        where: the same in words.
    """

    workers: int
    where: str

    @abstractmethod
    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Task[T]:
        """Hand out ``function(*arguments)``; it returns at once."""

    def as_completed(self, tasks: Iterable[Task[T]]) -> Iterator[Task[T]]:
        """The tasks, each as soon as it is done."""
        finished: SimpleQueue[Task[T]] = SimpleQueue()
        waiting = list(tasks)
        for task in waiting:
            task.add_done_callback(finished.put)
        for _ in waiting:
            yield self._next(finished)

    def each(self, function: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, T]]:
        """Every item with ``function(item)``, as soon as it is done.

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

    def wants_all_cores(self) -> bool:
        """Whether what was handed out needs every core of this machine."""
        return False

    @abstractmethod
    def _at_a_time(self) -> int:
        """How much may be handed out and not yet taken back."""

    @abstractmethod
    def _next(self, finished: SimpleQueue[Task[T]]) -> Task[T]:
        """The next finished task."""


def is_local(scheduler: str) -> bool:
    """Whether this means processes of this machine."""
    return scheduler == LOCAL


def check_scheduler(scheduler: str) -> None:
    """Refuse what `open_pool` would refuse, as far as can be told without talking to a scheduler.

    Raises:
        UserError: neither ``local`` nor an address, or nobody listens at the address.
    """
    if is_local(scheduler):
        return
    match = re.fullmatch(r"(?:tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^/:@\s]+):(\d{1,5})/?", scheduler)
    if match is None:
        raise UserError(
            f"scheduler={shown(scheduler)}, expected 'local' or the address of a Dask scheduler, tcp://host:8786 or "
            "tls://host:8786"
        )
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=_PROBE_S).close()
    except (OSError, OverflowError, UnicodeError) as error:  # a name that is none
        raise UserError(
            f"no Dask scheduler answers at {shown_path(scheduler[:200])} ({error}); start one with: dask scheduler"
        ) from error


def check_compute(scheduler: str, workers: str) -> None:
    """Refuse where nobody can work and how many, before anything is recorded.

    Raises:
        UserError: as `check_scheduler`, or ``workers`` is neither ``auto`` nor a positive number.
    """
    worker_count(workers, 1)
    check_scheduler(scheduler)


def warm_up(scheduler: str) -> None:
    """To be called as early as it is known that a pool will do TensorFlow work: `steps.compute.local.warm_up`."""
    if is_local(scheduler):
        from steps.compute.local import warm_up as warm_up_processes

        warm_up_processes()


@contextmanager
def open_pool(
    scheduler: str, workers: str, jobs: int, *, process_mib: float = 0.0, on_event: OnEvent | None = None
) -> Iterator[Pool]:
    """A pool inside the block. When the block raises, what has not begun does not begin.

    Args:
        scheduler: ``local``, or the address of a Dask scheduler.
        workers: processes, or ``auto``: as many as cores and memory allow; with a cluster, how much to have there at a
            time, or ``auto``: as much as it has workers for.
        jobs: how much there is to do; a local pool needs no more processes than that.
        process_mib: memory that one local process takes.
        on_event: given, in another thread, what the work reports (`steps.compute.report`), in order per process.

    Raises:
        UserError: the parameters are malformed, there is no scheduler, a process was killed, the cluster was lost.
    """
    check_scheduler(scheduler)
    most = worker_count(workers, jobs, process_mib)
    # Dask takes a third of a second to import, and most studies need none.
    if is_local(scheduler):
        from steps.compute.local import local_pool

        with local_pool(most, on_event) as pool:
            yield pool
    else:
        from steps.compute.cluster import cluster_pool

        with cluster_pool(scheduler, None if workers == "auto" else most, on_event) as pool:
            yield pool
