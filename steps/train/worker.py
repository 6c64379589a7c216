"""Training in a pool: what its processes do, how folds are handed to them, and how far they are.

It knows nothing of MLflow, so that training neither waits for a store nor spends time on it.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from steps.compute import Pool, Task, report, resident
from steps.compute.process import scratch
from steps.compute.progress import progress
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.fold_record import FoldRecord
from steps.core.data.labelling import Labelling
from steps.core.data.shared_memory import DatasetPlace
from steps.core.models.refit import epochs_to_train
from steps.core.models.settings import ClassWeights, FitSettings
from steps.system.one_thread import tensorflow_on_one_thread
from steps.tracking.environment import machine_tags

if TYPE_CHECKING:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import TrainedFold


# Hundreds of workers with epochs of milliseconds would flood a scheduler with reports.
_REPORT_S = 0.2


@dataclass(frozen=True)
class TrainingJob:
    """What all folds of a training have in common."""

    dataset: DatasetPlace
    settings: FitSettings
    class_weight: ClassWeights | None
    parameters: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Progress:
    """A fold was begun (epoch 0), or one of its epochs was finished."""

    fold: str
    test_number: int
    epoch: int

    @property
    def key(self) -> tuple[str, int]:
        """Of the fold, as `Fold.key`."""
        return self.fold, self.test_number


@dataclass
class _Warm:
    dataset: Dataset
    engine: Engine


@resident
def _warm(job: TrainingJob) -> _Warm:
    """What a process needs for every fold: one TensorFlow thread, the dataset, the network."""
    tensorflow_on_one_thread()
    from steps.core.models.fit import Engine

    dataset = job.dataset.load(scratch())
    shape = (dataset.timesteps, len(dataset.features))
    return _Warm(
        dataset, Engine(job.settings.model, *shape, precision=job.settings.precision, labelling=dataset.labelling)
    )


def run_fold(job: TrainingJob, fold: Fold) -> FoldRecord:
    """Train one fold; returns all there is to record of it."""
    warm = _warm(job)
    from steps.core.models.fold import train_fold

    started = time.time_ns() // 1_000_000
    report(Progress(*fold.key, 0))

    reported = time.monotonic()

    def on_epoch(epoch: int, _metrics: dict[str, float]) -> None:
        nonlocal reported
        if time.monotonic() - reported > _REPORT_S:
            reported = time.monotonic()
            report(Progress(*fold.key, epoch))

    trained = train_fold(warm.engine, warm.dataset, fold, job.settings, job.class_weight, on_epoch)
    return _record(job, warm.dataset, trained, started)


def run_refit(job: TrainingJob, fold: Fold, epochs: int) -> FoldRecord:
    """Train the final model on all of ``fold``'s subjects; returns all there is to record of it."""
    warm = _warm(job)
    from steps.core.models.fold import train_fold

    started = time.time_ns() // 1_000_000
    trained = train_fold(warm.engine, warm.dataset, fold, replace(job.settings, epochs=epochs), job.class_weight)
    return _record(job, warm.dataset, trained, started)


def _record(job: TrainingJob, dataset: Dataset, trained: TrainedFold, started_ms: int) -> FoldRecord:
    from steps.core.models.keras_file import as_bytes
    from steps.core.models.networks import architecture

    fold = trained.fold
    before = time.perf_counter()
    summary = architecture(trained.model)
    network = as_bytes(trained.model)
    costs = {"model_saving_s": time.perf_counter() - before, "peak_memory_mib": _peak_memory_mib()}
    return FoldRecord(
        fold=fold,
        parameters={
            **job.parameters,
            "study_seed": job.parameters["seed"],
            "seed": fold.seed,
            "timesteps": dataset.timesteps,
            "features": len(dataset.features),
            **_class_weights(dataset.labelling, trained.class_weight),
            "model_parameters": trained.model.count_params(),
            **{
                f"{part}_{unit}": value
                for part, (negative, positive) in trained.class_counts.items()
                for unit, value in (("trials_negative", negative), ("trials_positive", positive))
            },
            "training_subjects": len(fold.training_subjects),
            "validation_subjects": len(fold.validation_subjects),
            "test_subjects": len(fold.test_subjects),
        },
        metrics=trained.metrics() | costs,
        history=trained.history,
        timestamps_ms=trained.timestamps_ms,
        network=network,
        shape=(dataset.timesteps, len(dataset.features)),
        model_summary=summary,
        started_ms=started_ms,
        ended_ms=time.time_ns() // 1_000_000,
        machine=machine_tags(),
        left_out=trained.left_out,
    )


def _class_weights(labelling: Labelling | None, weights: ClassWeights) -> dict[str, float]:
    """By the names they are recorded with; those of a labelling by the places of its classes."""
    names = ("negative", "positive") if labelling is None else tuple(str(place) for place in range(len(weights)))
    return {f"class_weight_{name}": weight for name, weight in zip(names, weights, strict=True)}


def _peak_memory_mib() -> float:
    """Largest resident memory this process has had; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def train_folds(
    pool: Pool,
    job: TrainingJob,
    folds: Sequence[Fold],
    finished: Sequence[dict[str, float]],
    refit: Fold,
    on_record: Callable[[FoldRecord], object],
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
        return pool.submit(run_refit, job, refit, epochs_to_train(metrics, job.settings))

    for _, record in pool.each(partial(run_fold, job), folds):
        metrics.append(record.metrics)
        if len(metrics) == len(finished) + len(folds):
            last = begin_refit()  # so that the pool trains while this record is taken
        on_record(record)
    last = last or begin_refit()
    if meanwhile:
        meanwhile()
    return last.result()


@dataclass(frozen=True)
class Shown:
    """What to tell whoever shows how far a training is, from any thread.

    Attributes:
        on_event: what a worker says.
        on_record: a fold that is finished, once it cannot be lost.
    """

    on_event: Callable[[Progress], None]
    on_record: Callable[[FoldRecord], None]


@contextmanager
def showing(folds: Sequence[Fold], epochs: int, on_begin: Callable[[Fold], None]) -> Iterator[Shown]:
    """Show inside the block how far a training is; yields what to tell.

    Args:
        folds: the folds that will be trained.
        epochs: the most epochs of a fold.
        on_begin: told of every fold that is begun.
    """
    by_key = {fold.key: fold for fold in folds}
    epochs_done: dict[tuple[str, int], int] = {}
    finished: set[tuple[str, int]] = set()
    lock = threading.Lock()
    with progress(len(folds), len(folds) * epochs, "epochs", ends=True) as show:

        def show_fold(key: tuple[str, int], epoch: int, result: str = "") -> None:
            # Early stopping: a finished fold counts as all its epochs.
            epochs_done[key] = epochs if key in finished else epoch
            count, name = f"fold {len(finished)}/{len(folds)}", f"{key[0]} (test {key[1]})"
            line = f"{count}  {name}: {result}" if result else ""
            show(sum(epochs_done.values()), f"{count}  {name}  epoch {epoch}/{epochs}", line)

        def on_event(event: Progress) -> None:
            if event.epoch == 0:
                on_begin(by_key[event.key])
            else:
                with lock:
                    show_fold(event.key, event.epoch)

        def on_record(record: FoldRecord) -> None:
            metrics, trained = record.metrics, int(record.metrics["epochs_trained"])
            with lock:
                finished.add(record.fold.key)
                loss, seconds = metrics["best_val_loss"], metrics["training_time_s"]
                show_fold(record.fold.key, trained, f"{trained} epochs, best val_loss {loss:.3f}, {seconds:.1f} s")

        yield Shown(on_event, on_record)
