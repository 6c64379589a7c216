"""What chaining the steps costs beside their work: ``python -m steps.main`` on a tiny study in an empty store.

    python -m benchmarks.chain

Overhead is the wall time of the chain minus the work of its steps: what the same steps take in one process that has
everything imported and its store made, without the imports of the processes they start. It is compared with the bare
imports: a chain of Python processes that import what those were seen to import, start one another where those did, wait
for one another where those did, and do nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from benchmarks.command import part
from benchmarks.measure import ROOT, run
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
        command: its command line, or that of the process it was forked from.
        forked: whether it began with the modules of its parent.
        began: when it was first seen, Unix seconds.
        imports: module and members of every import statement, in order, with when it began and ended.
    """

    pid: int
    parent: int
    command: Sequence[str]
    forked: bool
    began: float
    imports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def import_s(self) -> float:
        """Seconds of all its imports together."""
        return float(sum(entry["ended"] - entry["began"] for entry in self.imports))

    @property
    def is_step(self) -> bool:
        """Whether it is a step, which the driver waits for before it starts the next."""
        return any(before == "-m" and name.startswith("steps.") for before, name in pairwise(self.command))


def measure(turns: int, folder: Path) -> Result:
    """Run the chain, and its bare imports, by turns; then its work.

    Args:
        turns: how often.
        folder: empty folder to work in.
    """
    walls, bare = [], []
    for turn in range(turns):
        place = folder / f"chain-{turn}"
        place.mkdir()
        chain = [sys.executable, "-m", "steps.main", *_options(place)]
        walls.append(run(chain, place, probing(place / "seen")).wall_s)
        seen = read_probe(place / "seen")
        bare.append(import_all(seen, place))
    warm = run([sys.executable, "-m", "benchmarks.chain", "--work-in", str(place)], place, probing(place / "warm"))
    if warm.output.count(": reused run ") != 2 * len(STEPS):
        raise click.ClickException("the driver did not find the steps of the tiny study done, so their work is unknown")
    work = json.loads(warm.output.splitlines()[-1])
    overheads = tuple(wall - sum(work.values()) for wall in walls)
    processes = sum(not process.forked for process in seen)
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
    processes = []
    for path in folder.glob("*.jsonl"):
        first, *rest = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        processes.append(Seen(int(path.stem), **first, imports=rest))
    return sorted(processes, key=lambda process: process.began)


def script_of(process: Seen, seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """What a process did, as far as imports go: modules imported and processes started, in order.

    Forked processes import on top of what the process has that they are forked from, and do the same side by side: of
    them, the one that imports longest counts, as if its parent had done it.
    """
    children = [child for child in seen if child.parent == process.pid]
    forked = max((child for child in children if child.forked), key=lambda child: child.import_s, default=None)
    imports = [*process.imports, *(forked.imports if forked else [])]
    events = [(entry["began"], {"name": entry["name"], "members": entry["members"]}) for entry in imports]
    events += [
        (child.began, {"script": script_of(child, seen), "wait": child.is_step})
        for child in children
        if not child.forked
    ]
    return [event for _, event in sorted(events, key=lambda event: event[0])]


def import_all(seen: Sequence[Seen], folder: Path, path: str = str(ROOT)) -> float:
    """Wall time of a chain of processes that import what these imported, started where these were, and do no more.

    Args:
        seen: the processes.
        folder: to work in.
        path: where to import from besides what is installed.
    """
    numbers = {process.pid for process in seen}
    (root,) = (process for process in seen if process.parent not in numbers)
    script = folder / "imports.json"
    script.write_text(json.dumps(script_of(root, seen)), encoding="utf-8")
    code = Path(__file__).with_name("only_imports.py")
    return run([sys.executable, "-P", str(code), str(script)], folder, {"PYTHONPATH": path}).wall_s


def work_of_steps(folder: Path) -> dict[str, float]:
    """Seconds of each step in this process, the second time; the study of `measure` has been done in ``folder``.

    Waiting for the processes of a pool to import is no work.
    """
    arguments = _options(folder)
    seconds: dict[str, float] = {}
    for _ in range(2):
        for name in STEPS:
            seconds[name] = _work(f"steps.{name}.__main__", _of_step(name, folder))
        # Its steps are done: what is left is finding that out, the report and the registration.
        seconds["main"] = _work("steps.main.__main__", arguments)
    return seconds


def _work(module: str, arguments: list[str]) -> float:
    command: click.Command = import_module(module).main
    began, before = time.time(), time.perf_counter()
    command.main(arguments, standalone_mode=False)
    elapsed = time.perf_counter() - before
    started = [process.import_s for process in read_probe(Path(os.environ[PROBE])) if process.began > began]
    return elapsed - max(started, default=0.0)


def _options(folder: Path) -> list[str]:
    return [part for name, value in _STUDY.items() for part in (f"--{name}", str(value))] + ["--cwd", str(folder)]


def _of_step(name: str, folder: Path) -> list[str]:
    from steps.parameters import STEPS

    given = {key: value for key, value in _STUDY.items() if key in STEPS[name].parameters}
    return [part for key, value in given.items() for part in (f"--{key}", str(value))] + ["--cwd", str(folder)]


def probing(folder: Path) -> dict[str, str]:
    """Variables that let every Python process of a command note its imports in ``folder``, which is made."""
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
