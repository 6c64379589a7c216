"""What recording a training costs: the same study with tracking and without, by turns, in one run.

    python -m benchmarks.tracking [--model cnn] [--pairs 11]

12 subjects, leave-one-subject-out, 60 epochs, early stopping off, in as many processes as there are cores; MLflow's
default SQLite store in an empty folder. *With* is the command `python -m steps.train` as users run it, from starting
Python until everything is in the store: parameters, curves, models, splits, dataset inputs, system metrics. *Without*
is a command that does the same work, with the same processes started as early, and throws the results away
(`benchmarks/untracked.py`).
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import click

from benchmarks.command import part
from benchmarks.measure import by_turns, run
from benchmarks.report import Bar, Result, Row
from benchmarks.study import simulated
from steps.core.data.artifact import write_artifact


@dataclass(frozen=True)
class Size:
    """Of the study, epochs of each fold, and how often each is measured."""

    subjects: int = 12
    trials: int = 10
    epochs: int = 60
    pairs: int = 11


QUICK = Size(4, 3, 5, 1)
TIMES_ALLOWED = 1.1
UNTRACKED = "benchmarks.untracked"


def measure(model: str, size: Size, folder: Path) -> Result:
    """Train with and without tracking, by turns."""
    write_artifact(simulated(size.subjects, size.trials), folder / "dataset")
    named = {"model": model, "early_stopping_patience": 0, "dataset_uri": folder / "dataset", "output_dir": "none"}
    options = [part for name, value in named.items() for part in (f"--{name}", str(value))]

    def side(module: str, epochs: int) -> float:
        command = [sys.executable, "-m", module, *options, "--resume", "false", "--epochs", str(epochs)]
        return run(command, folder).wall_s

    for module in ("steps.train", UNTRACKED):
        side(module, 1)  # makes the store's tables, fills the caches of the disk
    timings = by_turns(
        {"without": lambda _turn: side(UNTRACKED, size.epochs), "with": lambda _turn: side("steps.train", size.epochs)},
        size.pairs,
    )
    work = f"`{model}`, {size.subjects} subjects, {size.epochs} epochs: training with tracking"
    bar = Bar("longer", TIMES_ALLOWED)
    return Result([Row(work, "s", tuple(timings["with"]), tuple(timings["without"]), "without", bar)])


@part(__doc__)
@click.option("--model", type=click.Choice(("cnn", "cnn_wide")), default="cnn", show_default=True)
@click.option("--pairs", type=click.IntRange(1), help="how often each is measured")
def main(quick: bool, model: str, pairs: int | None) -> Result:
    """Measure the recording of one training."""
    size = QUICK if quick else Size()
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, replace(size, pairs=pairs or size.pairs), Path(scratch))


if __name__ == "__main__":
    main()
