"""What a training process does: fit a fold, hand over all there is to record of it, say how far it is.

It knows nothing of MLflow, so that training neither waits for a store nor spends time on it.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from steps.compute import report, resident
from steps.compute.process import scratch
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.shared_memory import DatasetPlace
from steps.core.models.class_weights import ClassWeights
from steps.core.models.settings import FitSettings
from steps.system.one_thread import tensorflow_on_one_thread
from steps.tracking.environment import machine_tags

if TYPE_CHECKING:
    import pandas as pd

    from steps.core.models.fit import Engine
    from steps.core.models.fold import TrainedFold


# Hundreds of workers with epochs of milliseconds would have a scheduler do nothing but pass on how far they are.
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
    """A fold was begun (epoch 0), an epoch or a fold was finished (``seconds`` is set when the fold is)."""

    fold: str
    test_number: int
    epoch: int
    metrics: dict[str, float]
    seconds: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Of the fold, as `Fold.key`."""
        return self.fold, self.test_number


@dataclass(frozen=True)
class FoldRecord:
    """All there is to record of a fold; it travels from a training process to the one that records.

    Attributes:
        fold: who trained, validated and is tested.
        parameters: hyperparameters, seeds, shapes, class counts.
        metrics: training metrics, times of the phases in seconds, peak memory of the process in MiB.
        history: a row per epoch (from 1), a column per metric.
        timestamps_ms: end of each epoch, Unix milliseconds.
        network: content of the model's ``.keras`` file.
        shape: of a trial, ``(timesteps, features)``.
        model_summary: the architecture in words.
        started_ms: start of the fold, Unix milliseconds.
        ended_ms: its end.
        machine: tags that tell which machine it was trained on.
    """

    fold: Fold
    parameters: dict[str, Any]
    metrics: dict[str, float]
    history: pd.DataFrame
    timestamps_ms: list[int]
    network: bytes
    shape: tuple[int, int]
    model_summary: str
    started_ms: int
    ended_ms: int
    machine: dict[str, str]

    def progress(self) -> Progress:
        """That the fold is finished."""
        epochs, seconds = int(self.metrics["epochs_trained"]), self.metrics["training_time_s"]
        return Progress(self.fold.name, self.fold.test_number, epochs, self.metrics, seconds)


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
    return _Warm(dataset, Engine(job.settings.model, *shape, precision=job.settings.precision))


def run_fold(job: TrainingJob, fold: Fold) -> FoldRecord:
    """Train one fold; returns all there is to record of it."""
    warm = _warm(job)
    from steps.core.models.fold import train_fold

    started = time.time_ns() // 1_000_000
    report(Progress(fold.name, fold.test_number, 0, {}))

    reported = time.monotonic()

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        nonlocal reported
        if time.monotonic() - reported > _REPORT_S:
            reported = time.monotonic()
            report(Progress(fold.name, fold.test_number, epoch, metrics))

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
            "class_weight_negative": trained.class_weight[0],
            "class_weight_positive": trained.class_weight[1],
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
    )


def _peak_memory_mib() -> float:
    """Largest resident memory this process has had; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
