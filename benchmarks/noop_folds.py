"""Folds that do nothing, and a Dask cluster on this machine to put them through."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from distributed import Client

from benchmarks.measure import ROOT, MemorySampler
from steps.compute import Compute, open_pool, report
from steps.core.data.fold import Fold
from steps.train.worker import Progress

_START_S = 60.0


@dataclass(frozen=True)
class Load:
    """So many folds, each of which names so many subjects and leaves a record of that size."""

    folds: int
    subjects: int = 100
    record_kb: int = 0


@dataclass(frozen=True)
class Passage:
    """How a load went through: seconds, and the most memory of driver and scheduler in bytes."""

    wall_s: float
    driver_bytes: int
    scheduler_bytes: int


@dataclass(frozen=True)
class Record:
    """What comes back of a fold."""

    name: str
    content: bytes


def do_nothing(record_kb: int, fold: Fold) -> Record:
    """A fold without training: it says when it begins and ends, and leaves a record."""
    report(Progress(*fold.key, 0))
    report(Progress(*fold.key, 1))
    return Record(fold.name, os.urandom(1000 * record_kb))


def folds_of(load: Load) -> Iterator[Fold]:
    """As leave-one-subject-out makes them."""
    names = [f"S{number:05d}" for number in range(load.subjects)]
    validating = load.subjects // 5
    for number in range(load.folds):
        test = number % load.subjects
        others = (*names[:test], *names[test + 1 :])
        yield Fold(f"S{number:05d}", 1, (names[test],), others[:validating], others[validating:], "fear", number)


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[tuple[str, int]]:
    """Address and process ID of a scheduler that has that many workers."""
    described = folder / "scheduler.json"
    environment = os.environ | {"DASK_LOGGING__DISTRIBUTED": "error", "PYTHONPATH": str(ROOT)}
    dask, only_local = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--no-dashboard"]
    one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    command = [*dask, "scheduler", *only_local, "--port", "0", "--scheduler-file", str(described)]
    started = [subprocess.Popen(command, env=environment)]
    try:
        deadline = time.monotonic() + _START_S
        while not (described.exists() and described.read_text(encoding="utf-8")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no scheduler after {_START_S:.0f} s")
            time.sleep(0.1)
        address = json.loads(described.read_text(encoding="utf-8"))["address"]
        started += [
            subprocess.Popen([*dask, "worker", address, *only_local, *one], env=environment) for _ in range(workers)
        ]
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_START_S)
        yield address, started[0].pid
    finally:
        for process in started:
            process.kill()
            process.wait()


def put_through(load: Load, workers: int) -> Passage:
    """Run a load on a fresh cluster, in a process that has done nothing else.

    Raises:
        RuntimeError: folds were lost.
    """
    with tempfile.TemporaryDirectory() as scratch, dask_cluster(Path(scratch), workers) as (address, scheduler):
        heard = 0

        def hear(_event: object) -> None:
            nonlocal heard
            heard += 1

        sampler = MemorySampler(scheduler)
        before = time.perf_counter()
        with open_pool(Compute(address), load.folds, on_event=hear) as pool:
            done = {record.name for _, record in pool.each(partial(do_nothing, load.record_kb), folds_of(load))}
        wall = time.perf_counter() - before
        peak = sampler.stop()
    if (len(done), heard) != (load.folds, 2 * load.folds):
        raise RuntimeError(f"{len(done)} of {load.folds} folds came back, {heard} of {2 * load.folds} events")
    # Linux counts in KiB.
    return Passage(wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, peak)
