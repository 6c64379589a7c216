"""A warm pool of training processes, and what it says while it works."""

from __future__ import annotations

import multiprocessing as mp
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import Queue
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from steps.errors import UserError
from steps.train import worker
from steps.train.deployable import epochs_to_train
from steps.train.splits import Fold
from steps.train.worker import FoldRecord, Progress, TrainingJob

OnBegin = Callable[[Fold], None]
OnRecord = Callable[[FoldRecord], None]


def train_folds(
    job: TrainingJob,
    folds: Sequence[Fold],
    finished: Sequence[dict[str, float]],
    everybody: Fold,
    workers: int,
    on_begin: OnBegin,
    on_record: OnRecord,
) -> tuple[FoldRecord, dict[str, Any]]:
    """Train every fold in ``workers`` processes, then the deployable model.

    Args:
        job: what all folds have in common.
        folds: the folds to train.
        finished: metrics of folds that were trained before.
        everybody: the fold of the deployable model.
        workers: processes.
        on_begin: told of every fold that is begun, in another thread.
        on_record: given every fold's record, as soon as the fold is finished.

    Returns:
        What `steps.train.worker.run_deployable` returned.

    Raises:
        UserError: a process was killed, most likely for memory.
        Exception: whatever a fold raised; the folds not yet begun are not begun.
    """
    # Forking a process that holds database connections and threads is not safe; spawning is.
    context = mp.get_context("spawn")
    queue: Queue[Progress | None] = context.Queue()
    with (
        _display(queue, folds, job.settings.epochs, on_begin),
        ProcessPoolExecutor(workers, context, initializer=_start, initargs=(job, queue)) as pool,
    ):
        futures = [pool.submit(worker.run_fold, fold) for fold in folds]
        try:
            for future in as_completed(futures):
                on_record(future.result())
            metrics = [*finished, *(future.result().metrics for future in futures)]
            epochs = epochs_to_train(metrics, job.settings)
            return pool.submit(worker.run_deployable, everybody, epochs).result()
        except BaseException as error:
            # Nobody wants what is still being trained; the folds in the queue must not begin.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in mp.active_children():
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    f"a training process was killed; with workers={workers} the machine may have run out of memory: "
                    "try fewer workers"
                ) from error
            raise


def _start(job: TrainingJob, queue: Queue[Progress | None]) -> None:
    worker.start(job, queue.put)


@contextmanager
def _display(queue: Queue[Progress | None], folds: Sequence[Fold], epochs: int, on_begin: OnBegin) -> Iterator[None]:
    """Show progress until the block ends: a bar on a terminal, a line per finished fold elsewhere."""
    target = _on_terminal if sys.stderr.isatty() else _as_lines
    events = _announcing(queue, {(fold.name, fold.test_number): fold for fold in folds}, on_begin)
    thread = threading.Thread(target=target, args=(events, len(folds), epochs), daemon=True)
    thread.start()
    try:
        yield
    finally:
        # A process killed while it held the queue's lock must not hold us.
        queue.cancel_join_thread()
        queue.put(None)
        thread.join(timeout=5)


def _announcing(
    queue: Queue[Progress | None], folds: Mapping[tuple[str, int], Fold], on_begin: OnBegin
) -> Iterator[Progress]:
    while (event := queue.get()) is not None:
        if event.epoch == 0:
            on_begin(folds[event.fold, event.test_number])
        else:
            yield event


def _on_terminal(events: Iterator[Progress], folds: int, epochs: int) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    epochs_done: dict[tuple[str, int], int] = {}
    finished = 0
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fold 0/{folds}", total=folds * epochs)
        for event in events:
            key = (event.fold, event.test_number)
            # Early stopping: a finished fold counts as all its epochs.
            epochs_done[key] = epochs if event.seconds is not None else event.epoch
            finished += event.seconds is not None
            description = (
                f"fold {finished}/{folds}  {event.fold} (test {event.test_number})  epoch {event.epoch}/{epochs}"
            )
            bar.update(task, completed=sum(epochs_done.values()), description=description)


def _as_lines(events: Iterator[Progress], folds: int, _epochs: int) -> None:
    started, finished = time.monotonic(), 0
    for event in events:
        if event.seconds is None:
            continue
        finished += 1
        left = (time.monotonic() - started) / finished * (folds - finished)
        print(
            f"fold {finished}/{folds}  {event.fold} (test {event.test_number}): {event.epoch} epochs, "
            f"best val_loss {event.metrics['best_val_loss']:.3f}, "
            f"best val_accuracy {event.metrics['best_val_accuracy']:.3f}, "
            f"{event.seconds:.1f} s; about {left:.0f} s left",
            flush=True,
        )
