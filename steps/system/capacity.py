"""How many processes fit this machine: by its cores and memory, or by a container's limits on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

MIB = 2**20
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# The rest of the free memory is left to the driver and to the file cache.
_USABLE_SHARE = 0.8


def worker_count(workers: int | None, jobs: int, process_mib: float = 0.0) -> int:
    """Processes to work in: a number, or None for as many as cores and memory allow; never more than jobs.

    Args:
        workers: how many are wanted.
        jobs: how much there is to do.
        process_mib: memory that one process takes.
    """
    wanted = workers
    if wanted is None:
        fitting = _USABLE_SHARE * available_mib() // process_mib if process_mib else jobs
        wanted = max(1, min(usable_cores(), int(fitting)))
    return min(wanted, max(1, jobs))


def usable_cores() -> int:
    """Cores this process may use: by its affinity, and by the processor quota of its container."""
    import joblib  # takes a tenth of a second, for one function

    return int(joblib.cpu_count())


def available_mib() -> float:
    """Memory that new processes may take, in MiB: what the machine has to spare, or less where a cgroup limits us."""
    spare = [float(psutil.virtual_memory().available), *_spare_in_cgroups()]
    return max(0.0, min(spare)) / MIB


def _spare_in_cgroups() -> Iterator[float]:
    """Bytes left in this process's cgroup and every one above it (containers, Slurm jobs); Linux, cgroups v2 and v1."""
    try:
        lines = _OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, used, cache = _CGROUPS, "memory.max", "memory.current", "inactive_file"
        elif controllers == "memory":
            root = _CGROUPS / "memory"
            limit, used, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        inside = root / path.lstrip("/")
        for folder in (inside, *inside.parents):
            if (room := _spare(folder, limit, used, cache)) is not None:
                yield room
            if folder == root:
                break


def _spare(folder: Path, limit: str, used: str, cache: str) -> float | None:
    try:
        allowed = (folder / limit).read_text(encoding="utf-8").strip()
        taken = float((folder / used).read_text(encoding="utf-8"))
        stat = (folder / "memory.stat").read_text(encoding="utf-8").split()
    except OSError:
        return None
    if allowed == "max":
        return None
    # The kernel gives up file pages that nobody reads before it kills anybody.
    return float(allowed) - taken + float(dict(zip(stat[::2], stat[1::2], strict=True)).get(cache, 0))
