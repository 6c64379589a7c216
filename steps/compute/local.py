"""A warm pool of processes of this machine."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from steps.compute.base import OnEvent, Pool, T, Task
from steps.compute.process import work_for
from steps.compute.where import LOCAL
from steps.errors import UserError
from steps.system.environment_variables import environment_variables
from steps.system.project import ROOT
from steps.system.scratch import put_temporary_files_in

# Enough that no process waits for work, few enough that results do not pile up.
_TASKS_PER_WORKER = 4
_CAN_FORK = sys.platform == "linux"
_PRELOAD = "steps.compute.preload"


class LocalPool(Pool):
    """Processes of this machine."""

    def __init__(self, executor: ProcessPoolExecutor, workers: int) -> None:
        self.workers = workers
        self.where = f"{workers} process{'es' if workers > 1 else ''}"
        self._executor = executor

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> Task[T]:
        """Hand out ``function(*arguments)``; it returns at once."""
        return self._executor.submit(function, *arguments)

    def no_more(self) -> None:
        """Let processes end that have nothing left to do."""
        self._executor.shutdown(wait=False)

    def _at_a_time(self) -> int:
        return _TASKS_PER_WORKER * self.workers

    def _next(self, finished: SimpleQueue[Task[T]]) -> Task[T]:
        return finished.get()


def warm_up() -> None:
    """Begin to import what TensorFlow work needs, in a process of its own, from which a pool's processes are forked.

    Returns at once. So the import, seconds long, is done once for all processes, and while the caller opens stores and
    reads data. Where processes cannot be forked, nothing happens and each imports for itself.
    """
    if _CAN_FORK:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _context().set_forkserver_preload([_PRELOAD])
        with _on_python_path(ROOT):  # the server is told our sys.path, and does not use it
            forkserver.ensure_running()


@contextmanager
def _on_python_path(folder: Path) -> Iterator[None]:
    """Let Python processes that are started inside the block find what is in the folder."""
    path = os.pathsep.join(part for part in (str(folder), os.environ.get("PYTHONPATH")) if part)
    with environment_variables({"PYTHONPATH": path}):
        yield


def _context() -> BaseContext:
    """How processes are made.

    Forking a process that holds database connections and threads is not safe. The fork server holds none: it has
    imported TensorFlow, whose threads are made by its first operation, and does nothing else.
    """
    return mp.get_context("forkserver" if _CAN_FORK else "spawn")


@contextmanager
def local_pool(workers: int, on_event: OnEvent | None) -> Iterator[LocalPool]:
    """A pool of ``workers`` processes inside the block.

    Raises:
        UserError: a process was killed, most likely for memory.
    """
    context = _context()
    with ExitStack() as stack:
        queue = None
        if on_event:
            queue = context.Queue()
            stack.enter_context(_listening(queue, on_event))
        ends_with_us, ours = context.Pipe(duplex=False)
        for end in (ends_with_us, ours):
            stack.callback(end.close)
        executor = stack.enter_context(
            ProcessPoolExecutor(
                workers, context, initializer=_start, initargs=(queue, ends_with_us, tempfile.gettempdir())
            )
        )
        try:
            yield LocalPool(executor, workers)
        except BaseException as error:
            # Results of running tasks are not needed any more, and queued tasks must not begin.
            executor.shutdown(wait=False, cancel_futures=True)
            for process in mp.active_children():
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    f"a worker process was killed; with workers={workers} the machine may have run out of memory: "
                    "try fewer workers"
                ) from error
            raise


@contextmanager
def _listening(queue: Queue[Any], on_event: OnEvent) -> Iterator[None]:
    thread = threading.Thread(target=_listen, args=(queue, on_event), daemon=True)
    thread.start()
    try:
        yield
    finally:
        # A process that was killed while it held the queue's lock must not block this one.
        queue.cancel_join_thread()
        queue.put(None)
        thread.join(timeout=5)


def _listen(queue: Queue[Any], on_event: OnEvent) -> None:
    while (event := queue.get()) is not None:
        on_event(event)


def _start(queue: Queue[Any] | None, ends_with_owner: Connection, temporary: str) -> None:
    """In a new process of the pool."""
    put_temporary_files_in(temporary)
    # The pool's owner decides when to stop. An interrupt here would only end one task and begin the next.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, args=(ends_with_owner,), daemon=True).start()
    work_for(LOCAL, queue.put if queue else None)


def _end_with_owner(pipe: Connection) -> None:
    """End this process when the pool's owner ends. Its parent may be the fork server, which lives longer."""
    pipe.poll(None)
    os._exit(1)
