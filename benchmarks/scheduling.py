"""What scheduling costs: folds that do nothing, through a real Dask scheduler and real workers on this machine.

    python -m benchmarks.scheduling

Everything but training happens: the fold travels to a worker, which has the project's code from the driver and reports
back; something of the size of a fold's record returns. Where a fold names as many subjects as there are folds, that is
leave-one-subject-out.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import click

from benchmarks.command import part
from benchmarks.measure import CORES
from benchmarks.noop_folds import Load, put_through
from benchmarks.report import Result, Series

HEADER = (
    "folds",
    "subjects named by each",
    "record, kB",
    "workers",
    "wall, s",
    "per fold, ms",
    "driver, peak MB",
    "scheduler, peak MB",
)
# A fold of `cnn` with 24 features leaves about as much: its network and tables.
RECORD_KB = 400


@dataclass(frozen=True)
class Size:
    """Loads, and with how many workers."""

    passages: tuple[tuple[Load, int], ...]


FULL = Size(
    (
        *((Load(folds), workers) for workers in (1, 2, 4) for folds in (1_000, 3_000, 10_000)),
        *((Load(folds, record_kb=RECORD_KB), 2) for folds in (1_000, 10_000)),
        *((Load(folds, subjects=folds), 2) for folds in (1_000, 3_000, 10_000)),
    )
)
QUICK = Size(((Load(50), 1), (Load(50, record_kb=RECORD_KB), 1)))


def measure(size: Size) -> Result:
    """Put every load through once, each from a fresh process to a fresh cluster."""
    rows: list[tuple[float | str, ...]] = []
    for load, workers in size.passages:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            outcome = fresh.submit(put_through, load, workers).result()
        rows.append(
            (
                *(
                    load.folds,
                    load.subjects,
                    load.record_kb,
                    workers,
                    outcome.wall_s,
                    1000 * outcome.wall_s / load.folds,
                ),
                *(outcome.driver_bytes / 1e6, outcome.scheduler_bytes / 1e6),
            )
        )
        click.echo("  ".join(f"{name} {value:.5g}" for name, value in zip(HEADER, rows[-1], strict=True)), err=True)
    title = f"Folds that do nothing; driver, scheduler and workers share {CORES} cores:"
    return Result(series=[Series(title, HEADER, tuple(rows))])


@part(__doc__)
def main(quick: bool) -> Result:
    """Measure at full size, or in miniature."""
    return measure(QUICK if quick else FULL)


if __name__ == "__main__":
    main()
