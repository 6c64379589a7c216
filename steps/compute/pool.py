"""Chooses where work is done: in processes of this machine or on a cluster."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from steps.compute.base import LOCAL, OnEvent, Pool
from steps.errors import UserError, shown, shown_path
from steps.system.capacity import worker_count

_PROBE_S = 5.0


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
