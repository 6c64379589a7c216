"""Real Dask clusters of this machine: a scheduler and workers, each a process of its own, as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.conftest import ROOT, clean_environment

DASK = Path(sys.executable).with_name("dask")
# What Dask's processes do while they wait; together it is a tenth of a core.
QUIET = {
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "1m",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
}


@dataclass
class Cluster:
    """A scheduler on loopback and its workers.

    Attributes:
        folder: scratch space, with a log per process.
        address: of the scheduler.
        scheduler: its process.
        workers: their processes, without nannies unless asked for.
    """

    folder: Path
    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker; it joins within seconds."""
        options = options or ("--no-nanny", "--nthreads", "1")
        process = start(
            self.folder,
            f"worker-{len(self.workers)}",
            "worker",
            self.address,
            *options,
            "--no-dashboard",
            **environment,
        )
        self.workers.append(process)
        return process

    def wait_for_workers(self, count: int) -> None:
        """Until that many have joined."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def wait_until_paused(self) -> None:
        """Until there are workers and all of them are paused."""
        from distributed import Client

        deadline = time.monotonic() + 60
        with Client(self.address, set_as_default=False) as client:
            # One that has just joined does not take work either: it is paused a moment later, or first at work.
            ask = partial(client.scheduler.identity, n_workers=-1)
            while {worker["status"] for worker in client.sync(ask)["workers"].values()} != {"paused"}:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@contextmanager
def cluster(folder: Path, workers: int = 0, protocol: str = "tcp") -> Iterator[Cluster]:
    """A cluster that lives as long as the block."""
    described = folder / "scheduler.json"
    options = [*("--host", "127.0.0.1", "--port", "0", "--no-dashboard"), *("--protocol", protocol)]
    options += ["--scheduler-file", str(described)]
    made = Cluster(folder, "", start(folder, "scheduler", "scheduler", *options))
    try:
        deadline = time.monotonic() + 60
        while not made.address:
            assert made.scheduler.poll() is None, (folder / "scheduler.log").read_text()
            assert time.monotonic() < deadline
            if described.exists() and (text := described.read_text()):
                made.address = json.loads(text)["address"]
            time.sleep(0.05)
        for _ in range(workers):
            made.add_worker()
        if workers:
            made.wait_for_workers(workers)
        yield made
    finally:
        processes = [made.scheduler, *made.workers]
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process in processes:
            process.wait()


def start(folder: Path, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """``dask ...`` in a group of its own, far from this project.

    It finds the tests' work there, but `steps` is a trap: the code has to come from the driver.
    """
    trap = folder / "elsewhere" / "steps" / "__init__.py"
    trap.parent.mkdir(parents=True, exist_ok=True)
    trap.write_text("raise ImportError('this is not the code of the driver')\n")
    tests = folder / "elsewhere" / "tests"
    if not tests.exists():
        tests.symlink_to(ROOT / "tests")
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [str(DASK), *arguments],
            cwd=folder / "elsewhere",
            env=clean_environment()
            | QUIET
            | {"PYTHONPATH": str(folder / "elsewhere"), "DASK_TEMPORARY_DIRECTORY": str(folder / "dask")}
            | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
