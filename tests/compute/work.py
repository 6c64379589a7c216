"""Work for pools under test; worker processes find it by its name."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from steps.compute import report, resident
from steps.errors import UserError


@dataclass(frozen=True)
class Job:
    """Something that is slow to make ready."""

    factor: int


@resident
def made_ready(job: Job) -> tuple[int, float]:
    return job.factor, time.monotonic()


def times(job: Job, number: int) -> int:
    factor, _ = made_ready(job)
    report(f"{number} begun")
    report(f"{number} done")
    return factor * number


def has_keras() -> bool:
    """Whether this process has imported Keras."""
    return "keras" in sys.modules


def made_at(job: Job) -> tuple[int, float]:
    """Which process, and when it made the job ready."""
    return os.getpid(), made_ready(job)[1]


def refuse(_number: int) -> None:
    raise UserError("file x.csv: found 3, expected 4")


def touch(folder: Path, number: int) -> None:
    (folder / str(number)).touch()
    time.sleep(0.2)


def refuse_first(folder: Path, number: int) -> None:
    touch(folder, number)
    if number == 0:
        raise ValueError("the first is broken")


def kill_first_time(folder: Path, number: int) -> int:
    """Count the times a number is worked on; the first time of number 3 ends with a ``kill -9`` of the process."""
    tries = len(list(folder.glob(f"{number}-*")))
    (folder / f"{number}-{tries}").touch()
    time.sleep(0.05)
    if (number, tries) == (3, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def report_for_ever(file: Path) -> None:
    while True:
        with file.open("a") as lines:
            lines.write("still here\n")
        report("still here")
        time.sleep(0.05)


def go_on_as(status: str, seconds: int) -> int:
    """Go on for a while on a worker of a cluster that has this status, in which it is given no more work."""
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    worker.loop.add_callback(setattr, worker, "status", Status[status])
    time.sleep(seconds)
    return seconds


def process_and_times(_number: int) -> tuple[int, float, float]:
    """Which process, from when to when."""
    begun = time.monotonic()
    time.sleep(0.02)
    return os.getpid(), begun, time.monotonic()


def kill_itself(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ignores_interrupts() -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def temporary_file() -> Path:
    """A file made where this process puts temporary ones."""
    handle, name = tempfile.mkstemp()
    os.close(handle)
    return Path(name)
