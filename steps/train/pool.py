"""Training every fold in a pool, and what is said meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from steps.compute import Pool, Task
from steps.compute.progress import Lines, Remaining
from steps.core.data.fold import Fold
from steps.core.models.refit import epochs_to_train
from steps.train import worker
from steps.train.worker import FoldRecord, Progress, TrainingJob

OnBegin = Callable[[Fold], None]
OnRecord = Callable[[FoldRecord], object]
Show = Callable[[Progress], None]


def train_folds(
    pool: Pool,
    job: TrainingJob,
    folds: Sequence[Fold],
    finished: Sequence[dict[str, float]],
    refit: Fold,
    on_record: OnRecord,
    meanwhile: Callable[[], object] | None = None,
) -> FoldRecord:
    """Train every fold, then the final model.

    Args:
        pool: where.
        job: what all folds have in common.
        folds: the folds to train.
        finished: metrics of folds that were trained before.
        refit: trains the final model on all subjects.
        on_record: given every fold's record, as soon as the fold is finished.
        meanwhile: called while the final model is being trained, alone.

    Returns:
        The record of the final model.

    Raises:
        Exception: what `steps.compute.Task.result` raises.
    """
    metrics = list(finished)
    last: Task[FoldRecord] | None = None

    def begin_refit() -> Task[FoldRecord]:
        return pool.submit(worker.run_refit, job, refit, epochs_to_train(metrics, job.settings))

    for _, record in pool.each(partial(worker.run_fold, job), folds):
        metrics.append(record.metrics)
        if len(metrics) == len(finished) + len(folds):
            last = begin_refit()  # nobody computes while this record is taken
        on_record(record)
    last = last or begin_refit()
    if meanwhile:
        meanwhile()
    return last.result()


@dataclass(frozen=True)
class Shown:
    """What to tell whoever shows how far a training is.

    Attributes:
        on_event: what a worker says.
        on_record: a fold that is finished, once it cannot be lost.
    """

    on_event: Show
    on_record: OnRecord


@contextmanager
def showing(folds: Sequence[Fold], epochs: int, on_begin: OnBegin) -> Iterator[Shown]:
    """Show progress inside the block: a bar on a terminal, a line now and then elsewhere.

    Args:
        folds: the folds that will be trained.
        epochs: the most epochs of a fold.
        on_begin: told of every fold that is begun.

    Yields:
        What to tell, from any thread.
    """
    by_key = {fold.key: fold for fold in folds}
    display = _on_terminal if sys.stderr.isatty() else _as_lines
    lock = threading.Lock()
    with display(len(folds), epochs) as show:

        def on_event(event: Progress) -> None:
            if event.epoch == 0:
                on_begin(by_key[event.key])
            else:
                with lock:
                    show(event)

        def on_record(record: FoldRecord) -> None:
            with lock:
                show(record.progress())

        yield Shown(on_event, on_record)


@contextmanager
def _on_terminal(folds: int, epochs: int) -> Iterator[Show]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    epochs_done: dict[tuple[str, int], int] = {}
    finished: set[tuple[str, int]] = set()
    remaining = Remaining(folds)
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fold 0/{folds}", total=folds * epochs, left="")

        def show(event: Progress) -> None:
            if event.seconds is not None:
                finished.add(event.key)
                remaining.add()
            # Early stopping: a finished fold counts as all its epochs.
            epochs_done[event.key] = epochs if event.key in finished else event.epoch
            name = f"{event.fold} (test {event.test_number})"
            description = f"fold {len(finished)}/{folds}  {name}  epoch {event.epoch}/{epochs}"
            left = remaining.text.removeprefix("; ")
            bar.update(task, completed=sum(epochs_done.values()), description=description, left=left)

        yield show


@contextmanager
def _as_lines(folds: int, _epochs: int) -> Iterator[Show]:
    remaining, lines = Remaining(folds), Lines()
    done = 0

    def show(event: Progress) -> None:
        nonlocal done
        if event.seconds is None:
            return
        done += 1
        remaining.add()
        lines.show(lambda: _line(event, done, folds) + remaining.text, always=done in (1, folds))

    yield show


def _line(event: Progress, done: int, folds: int) -> str:
    return (
        f"fold {done}/{folds}  {event.fold} (test {event.test_number}): {event.epoch} epochs, "
        f"best val_loss {event.metrics['best_val_loss']:.3f}, {event.seconds:.1f} s"
    )
