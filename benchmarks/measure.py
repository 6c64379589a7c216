"""Measuring: sides by turns, commands as processes of their own, the memory of a tree of processes."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import psutil

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
_SAMPLING_S = 0.2
# Looking at the memory of large processes takes tens of milliseconds, in which they may have to wait.
_SAMPLING_SHARE = 0.04
_TAIL = 20

T = TypeVar("T")


@dataclass(frozen=True)
class Finished:
    """A command that ended well.

    Attributes:
        wall_s: from before its process was made until it had ended.
        cpu_s: user and system time of it and of the children it waited for.
        peak_bytes: the most memory its tree of processes had at a time; None where it was not sampled.
        output: what it printed.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int | None
    output: str


def by_turns(sides: Mapping[str, Callable[[int], T]], turns: int) -> dict[str, list[T]]:
    """Call every side with 0, 1, ..., A B A B, so that a slow minute of the machine meets all of them."""
    results: dict[str, list[T]] = {name: [] for name in sides}
    for turn in range(turns):
        for name, side in sides.items():
            results[name].append(side(turn))
    return results


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time of a call, which starts without garbage: what the other side left must not be searched in its time."""
    gc.collect()
    before = time.perf_counter()
    action()
    return time.perf_counter() - before


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, *, memory: bool = False
) -> Finished:
    """Run a command in ``folder`` and wait for it.

    Args:
        arguments: the command and its arguments.
        folder: working folder; the MLflow store is ``mlflow.db`` in it.
        environment: variables to add.
        memory: sample the memory of its processes.

    Raises:
        ClickException: it failed; with its last lines.
    """
    with tempfile.TemporaryFile("w+") as output:
        before, cpu = time.perf_counter(), _cpu_of_children()
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=common_environment(folder) | dict(environment or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        sampler = MemorySampler(process.pid) if memory else None
        status = process.wait()
        wall, cpu = time.perf_counter() - before, _cpu_of_children() - cpu
        peak = sampler.stop() if sampler else None
        output.seek(0)
        text = output.read()
    if status:
        tail = "\n".join(text.splitlines()[-_TAIL:])
        raise click.ClickException(f"{' '.join(arguments)} ended with status {status}:\n{tail}")
    return Finished(wall, cpu, peak, text)


def python(*arguments: str, interpreter: str = sys.executable) -> list[str]:
    """A command line of this project's Python, or of another."""
    return [interpreter, *arguments]


class MemorySampler:
    """Samples the memory of a process and all its descendants until it is stopped.

    Proportional set size: pages that several processes share count once, so the sum is what the machine gives.
    Where the system does not tell it, resident memory, which counts them several times.
    """

    def __init__(self, pid: int) -> None:
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, args=(pid,), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The largest sum of a sample, in bytes."""
        self._done.set()
        self._thread.join()
        return self._peak

    def _sample(self, pid: int) -> None:
        try:
            root = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return
        while True:
            before = time.perf_counter()
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                family = []
            self._peak = max(self._peak, sum(_memory_of(process) for process in family))
            if self._done.wait(max(_SAMPLING_S, (time.perf_counter() - before) / _SAMPLING_SHARE)):
                return


def _memory_of(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def common_environment(folder: Path) -> dict[str, str]:
    """What both sides get: an MLflow store of their own, nothing of MLflow's from outside, this repository's code."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return inherited | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder.resolve() / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
