"""Chooses where work is done: in processes of this machine or on a cluster."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from steps.compute.base import OnEvent, Pool
from steps.compute.where import Compute
from steps.errors import UserError, shown_path
from steps.system.capacity import worker_count

_PROBE_S = 5.0


def check_reachable(compute: Compute) -> None:
    """Refuse an address without a scheduler, before anything is recorded.

    Raises:
        UserError: nobody listens at its address.
    """
    if compute.is_local:
        return
    try:
        socket.create_connection(compute.address, timeout=_PROBE_S).close()
    except (OSError, OverflowError, UnicodeError) as error:  # a name that is none
        raise UserError(
            f"no Dask scheduler answers at {shown_path(compute.scheduler[:200])} ({error}); start one with: dask "
            "scheduler"
        ) from error


def warm_up(compute: Compute) -> None:
    """Prepare a local pool for TensorFlow work (`steps.compute.local.warm_up`); best called early."""
    if compute.is_local:
        from steps.compute.local import warm_up as warm_up_processes

        warm_up_processes()


@contextmanager
def open_pool(
    compute: Compute, jobs: int, *, process_mib: float = 0.0, on_event: OnEvent | None = None
) -> Iterator[Pool]:
    """A pool inside the block. When the block raises, what has not begun does not begin.

    Args:
        compute: where, and how many processes.
        jobs: how much there is to do; a local pool needs no more processes than that.
        process_mib: memory that one local process takes.
        on_event: given, in another thread, what the work reports (`steps.compute.report`), in order per process.

    Raises:
        UserError: there is no scheduler, a process was killed, the cluster was lost.
    """
    check_reachable(compute)
    # Dask takes a third of a second to import, and most studies need none.
    if compute.is_local:
        from steps.compute.local import local_pool

        with local_pool(worker_count(compute.workers, jobs, process_mib), on_event) as pool:
            yield pool
    else:
        from steps.compute.cluster import cluster_pool

        with cluster_pool(compute.scheduler, compute.workers and min(compute.workers, max(1, jobs)), on_event) as pool:
            yield pool
