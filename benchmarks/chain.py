"""What chaining the steps costs beside their work: ``python -m steps.main`` on a tiny study in an empty store.

    python -m benchmarks.chain

Overhead is the wall time of the chain minus the work of its steps: what the same steps take in one process that has
everything imported and its store made, without the imports of the processes they start. It is compared with the bare
imports: Python processes that import what the chain's processes were seen to import and do nothing else, as many at a
time as in the chain, one group after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from benchmarks.command import part
from benchmarks.measure import ROOT, common_environment, run
from benchmarks.report import Bar, Result, Row

STEPS = ("prepare", "train", "evaluate", "attribute")
TIMES_ALLOWED = 1.5
PROBE = "BENCHMARK_PROBE"
_STUDY = {
    "simulated_subjects": 4,
    "simulated_controls": 0,
    "simulated_trials_min": 2,
    "simulated_trials_max": 2,
    "simulated_features": 3,
    "epochs": 2,
    "output_dir": "none",
}


@dataclass(frozen=True)
class Seen:
    """A Python process that the probe saw.

    Attributes:
        pid: its number.
        parent: that of the process that made it.
        command: its command line.
        began: when its interpreter had started, Unix seconds.
        imports: module and members of every import statement, in order, with when it began and ended.
    """

    pid: int
    parent: int
    command: Sequence[str]
    began: float
    imports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def import_s(self) -> float:
        """Seconds of all its imports together."""
        return float(sum(entry["ended"] - entry["began"] for entry in self.imports))

    @property
    def is_pool(self) -> bool:
        """Whether it belongs to a pool of processes that work side by side."""
        return "--multiprocessing-fork" in self.command

    @property
    def is_module(self) -> bool:
        """Whether it is a module of this project that was run."""
        return any(before == "-m" and name.startswith("steps.") for before, name in pairwise(self.command))


def measure(turns: int, folder: Path) -> Result:
    """Run the chain, and its bare imports, by turns; then its work.

    Args:
        turns: how often.
        folder: empty folder to work in.
    """
    walls, bare = [], []
    for turn in range(turns):
        here = folder / f"chain-{turn}"
        here.mkdir()
        chain = [sys.executable, "-m", "steps.main", *_options(here)]
        walls.append(run(chain, here, _probing(here / "seen")).wall_s)
        groups = import_groups(read_probe(here / "seen"))
        bare.append(sum(import_together(group, here) for group in groups))
    warm = run([sys.executable, "-m", "benchmarks.chain", "--work-in", str(here)], here, _probing(here / "warm"))
    work = json.loads(warm.output.splitlines()[-1])
    overheads = tuple(wall - sum(work.values()) for wall in walls)
    processes = sum(map(len, groups))
    row = Row(
        f"chain of five steps: all but their work, {processes} processes",
        "s",
        overheads,
        tuple(bare),
        "bare imports",
        Bar("longer", TIMES_ALLOWED),
    )
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in work.items())
    took = ", ".join(f"{wall:.1f} s" for wall in walls)
    return Result([row], [f"The tiny study took {took}; work in it: {parts}."])


def read_probe(folder: Path) -> list[Seen]:
    """The processes that the probe saw, in the order they began."""
    found = []
    for path in folder.glob("*.jsonl"):
        first, *rest = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        found.append(Seen(int(path.stem), first["parent"], first["command"], first["began"], rest))
    return sorted(found, key=lambda seen: seen.began)


def import_groups(seen: Iterable[Seen]) -> list[list[Seen]]:
    """The processes of a chain that matter, as groups that import at the same time.

    The processes of a pool are such a group; all others, one after the other, are alone.
    """
    groups: list[list[Seen]] = []
    for process in seen:
        if process.is_pool and groups and groups[-1][0].is_pool and groups[-1][0].parent == process.parent:
            groups[-1].append(process)
        elif process.is_pool or process.is_module:
            groups.append([process])
    return groups


def import_together(group: Sequence[Seen], folder: Path) -> float:
    """Wall time of processes that start at once and import what these imported."""
    commands = []
    for process in group:
        listed = folder / f"imports-{process.pid}.json"
        listed.write_text(json.dumps([(entry["name"], entry["members"]) for entry in process.imports]))
        commands.append([sys.executable, "-c", _IMPORT, str(listed)])
    before = time.perf_counter()
    running = [subprocess.Popen(command, cwd=folder, env=common_environment(folder)) for command in commands]
    statuses = [process.wait() for process in running]
    if any(statuses):
        raise click.ClickException("a process that only imports has failed")
    return time.perf_counter() - before


_IMPORT = """
import json, sys
for name, members in json.load(open(sys.argv[1])):
    try:
        __import__(name, None, None, members)
    except ImportError:
        pass
"""


def work_of_steps(folder: Path) -> dict[str, float]:
    """Seconds of each step in this process, the second time; the study of `measure` has been done in ``folder``.

    Waiting for other processes to import is no work: a pool's slowest process counts.
    """
    arguments = _options(folder)
    seconds: dict[str, float] = {}
    for _ in range(2):
        for name in STEPS:
            seconds[name] = _work(f"steps.{name}.__main__", _of_step(name, folder))
        # Its steps are done: what is left is finding that out, the report and the registration.
        seconds["main"] = _work("steps.main", arguments)
    return seconds


def _work(module: str, arguments: list[str]) -> float:
    command: click.Command = import_module(module).main
    began, before = time.time(), time.perf_counter()
    command.main(arguments, standalone_mode=False)
    elapsed = time.perf_counter() - before
    started = [p for p in read_probe(Path(os.environ[PROBE])) if p.began > began and p.is_pool]
    return elapsed - sum(max(process.import_s for process in group) for group in import_groups(started))


def _options(folder: Path) -> list[str]:
    return [part for name, value in _STUDY.items() for part in (f"--{name}", str(value))] + ["--cwd", str(folder)]


def _of_step(name: str, folder: Path) -> list[str]:
    from steps.parameters import ENTRY_POINTS

    given = {key: value for key, value in _STUDY.items() if key in ENTRY_POINTS[name]}
    return [part for key, value in given.items() for part in (f"--{key}", str(value))] + ["--cwd", str(folder)]


def _probing(folder: Path) -> dict[str, str]:
    folder.mkdir()
    return {PROBE: str(folder), "PYTHONPATH": f"{ROOT / 'benchmarks' / 'probe'}{os.pathsep}{ROOT}"}


@part(__doc__)
@click.option("--work-in", type=click.Path(path_type=Path), hidden=True)
def main(quick: bool, work_in: Path | None) -> Result:
    """Measure the chain."""
    if work_in:
        seconds = work_of_steps(work_in)
        print(json.dumps(seconds))
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        return measure(1 if quick else 2, Path(scratch))


if __name__ == "__main__":
    main()
