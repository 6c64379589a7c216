"""A pool on a Dask cluster: the same functions, on other machines."""

from __future__ import annotations

import logging
import pickle
import platform
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Generic, NamedTuple

import click
import dask.config
from dask.utils import format_bytes, parse_timedelta
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.client import ClosedClientError

from steps.compute import remote, shipping
from steps.compute.base import OnEvent, Pool, T
from steps.errors import UserError

_CONNECT_S = 8.0
# How long a scheduler may leave a question unanswered; one with thousands of tasks is busy for seconds.
_ANSWER_S = 60.0
_LOOK_S = 2.0
_CLOSE_S = 5.0
# Work handed out in advance: enough for workers that have yet to come, not all of a large study.
_AHEAD = 1000
# Workers of Slurm and Kubernetes wait in queues. DASK_FEAR__WAIT_FOR_WORKERS=2h in the environment changes it.
_WAIT = "fear.wait-for-workers"
_WAIT_DEFAULT = "10 minutes"
_NOBODY = "has no workers; waiting for some"


class _Stuck(NamedTuple):
    """Since when no worker takes work, because all are short of memory or because there is no worker."""

    is_full: bool
    since: float


class ClusterPool(Pool):
    """The workers of a Dask cluster, those that join later included."""

    def __init__(self, client: Client, address: str, most: int | None, code: str) -> None:
        self._client, self._address, self._most, self._code = client, address, most, code
        self._name = uuid.uuid4().hex
        self._patience_s = parse_timedelta(dask.config.get(_WAIT, _WAIT_DEFAULT))
        self._stuck: _Stuck | None = None
        self._looked = 0.0
        self.handed_out: set[_RemoteTask[Any]] = set()
        self.workers = 0
        self.look()
        count = f"{self.workers} worker{'s' * (self.workers > 1)}" if self.workers else "the workers to come"
        self.where = f"{count} of {address}"

    @property
    def name(self) -> str:
        """Unique name, by which events are told from those of other pools."""
        return self._name

    def submit(self, function: Callable[..., T], /, *arguments: Any) -> _RemoteTask[T]:
        """Hand out ``function(*arguments)``; it returns at once."""
        work = shipping.work(self._code, self._name, remote.versions(), function, arguments)
        title = getattr(function, "func", function).__name__
        future = self._client.submit(pickle.loads, work, key=f"{title}-{uuid.uuid4().hex}", pure=False)
        task: _RemoteTask[T] = _RemoteTask(self, future)
        self.handed_out.add(task)
        return task

    def look(self) -> None:
        """See whether the cluster can still do anything; say so while it cannot.

        Raises:
            UserError: the scheduler does not answer, or nothing could be done for too long.
        """
        now = self._looked = time.monotonic()
        threads = self._ask(self._client.scheduler.ncores)
        self.workers = len(threads) or self.workers
        idle = self._idle() if threads else []
        if idle is None:
            self._stuck = None
            return
        # Idle workers that are not paused are starting or closing. They count as no workers.
        full = [worker for worker in idle if worker["status"] == "paused"]
        wait = f"{self._patience_s:g} s"
        if self._stuck is None or self._stuck.is_full != bool(full):
            self._stuck = _Stuck(bool(full), now)
            what = f"takes no work: its workers' memory ({_size(full)}) is nearly full; waiting" if full else _NOBODY
            click.echo(f"the cluster at {self._address} {what}, {wait} at most", err=True)
        if now - self._stuck.since <= self._patience_s:
            return
        if full:
            raise UserError(
                f"the workers of the cluster at {self._address} have taken no work for {wait}, as their memory "
                f"({_size(full)}) is nearly full: start them with a higher --memory-limit"
            )
        raise UserError(
            f"the cluster at {self._address} has had no workers for {wait}, expected at least one: start some with: "
            f"dask worker {self._address}"
        )

    def _idle(self) -> list[Mapping[str, Any]] | None:
        """All workers, if none of them takes work and none is still working; None otherwise."""
        if self._ask(self._client.scheduler.ncores_running):
            return None
        known = list(self._ask(partial(self._client.scheduler.identity, n_workers=-1))["workers"].values())
        is_at_work = any(worker["metrics"].get("task_counts", {}).get("executing") for worker in known)
        return None if is_at_work else known

    def lost(self, why: str) -> UserError:
        """What to raise when the cluster is gone."""
        return UserError(
            f"the cluster at {self._address} was lost ({why}); what was finished is recorded: run the same command "
            "again to go on"
        )

    def _ask(self, question: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return self._client.sync(question, callback_timeout=_ANSWER_S)
        except (OSError, TimeoutError, ClosedClientError) as error:
            raise self.lost("its scheduler does not answer") from error

    def _at_a_time(self) -> int:
        return self._most or max(_AHEAD, 2 * self.workers)

    def _next(self, finished: SimpleQueue[Any]) -> Any:
        done = None
        while done is None:
            with suppress(Empty):
                done = finished.get(timeout=_LOOK_S)
            if not self.workers or time.monotonic() - self._looked > _LOOK_S:
                self.look()
        return done


class _RemoteTask(Generic[T]):
    def __init__(self, pool: ClusterPool, future: Future[bytes]) -> None:
        self._pool, self.future = pool, future
        self._done = Event()
        future.add_done_callback(lambda _future: self._done.set())

    def result(self) -> T:
        """What the function returned; the cluster may forget it then."""
        while not self._done.wait(_LOOK_S):
            self._pool.look()
        try:
            content = self.future.result()
        except (CancelledError, ClosedClientError, OSError) as error:
            raise self._pool.lost("the connection to its scheduler broke") from error
        except KilledWorker as error:
            raise UserError(
                f"{error.allowed_failures + 1} workers died one after another of the same work, the last of them "
                f"{error.last_worker.address}; most likely they have too little memory: see their logs"
            ) from error
        finally:
            self._pool.handed_out.discard(self)
        return pickle.loads(content)  # type: ignore[no-any-return]  # noqa: S301 - from the cluster, who may run anything

    def add_done_callback(self, function: Callable[[Any], object], /) -> None:
        """Call ``function`` with this task when it is done, failed or lost."""
        self.future.add_done_callback(lambda _future: function(self))


def _size(workers: Sequence[Mapping[str, Any]]) -> str:
    least = min(worker["memory_limit"] for worker in workers)
    return f"{len(workers)} of {format_bytes(least)}"


@contextmanager
def cluster_pool(address: str, most: int | None, on_event: OnEvent | None) -> Iterator[ClusterPool]:
    """A pool on the cluster whose scheduler is at ``address``.

    Args:
        address: ``tcp://host:port`` or ``tls://host:port``.
        most: tasks to have on the cluster at a time; None for as many as it has workers.
        on_event: given what the work reports.

    Raises:
        UserError: there is no scheduler, or the cluster was lost.
    """
    # Dask reports a lost connection in many lines; our one line says more.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with _connected(address) as client:
        _check_interpreters(client)
        code, upload = shipping.packed()
        client.register_plugin(upload, name=code)
        pool = ClusterPool(client, address, most, code)
        with _listening(client, pool.name, on_event):
            try:
                yield pool
            except BaseException:
                with suppress(Exception):  # the cluster may be what failed
                    client.cancel([task.future for task in pool.handed_out], force=True)
                raise


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ImportError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"no Dask scheduler answers at {address} ({reason}); start one with: dask scheduler") from error
    try:
        yield client
    finally:
        with suppress(Exception):  # the connection may be gone already
            client.close(timeout=_CLOSE_S)


def _check_interpreters(client: Client) -> None:
    """Refuse workers with another version of Python, which cannot run our code; they compare packages themselves."""
    own = remote.versions()["python"]
    for worker, version in client.run(platform.python_version, on_error="ignore").items():
        if version.split(".")[:2] != own.split(".")[:2]:
            raise UserError(
                f"worker {worker} has python {version}, expected {own} as on this side; start workers in an "
                "environment made from the same conda.yaml"
            )


@contextmanager
def _listening(client: Client, pool: str, on_event: OnEvent | None) -> Iterator[None]:
    if on_event is None:
        yield
        return
    events: SimpleQueue[bytes | None] = SimpleQueue()

    def listen(listener: OnEvent) -> None:
        while (event := events.get()) is not None:
            listener(pickle.loads(event))  # noqa: S301 - from the cluster, who may run anything

    def sort(event: tuple[float, dict[str, Any]]) -> None:
        if event[1]["pool"] == pool:
            events.put(event[1]["event"])

    thread = Thread(target=listen, args=(on_event,), daemon=True)
    thread.start()
    client.subscribe_topic(remote.TOPIC, sort)
    try:
        yield
    finally:
        with suppress(Exception):
            client.unsubscribe_topic(remote.TOPIC)
        events.put(None)
        thread.join(timeout=_CLOSE_S)
