"""What a training process does: fit a fold, log it as a run of its own, say how far it is.

Each process computes on one thread, whatever their number: so results do not depend on ``workers``, and on a
CPU folds side by side beat threads inside a fold.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.dataset import Dataset
from steps.train.settings import FitSettings
from steps.train.splits import Fold

if TYPE_CHECKING:
    from steps.train.engine import Engine
    from steps.train.fold import TrainedFold


@dataclass(frozen=True)
class TrainingJob:
    """What all folds of a training have in common."""

    dataset_folder: Path
    dataset_uri: str
    dataset_digest: str
    settings: FitSettings
    class_weight: str
    run_name: str
    train_run_id: str
    experiment_id: str
    parameters: dict[str, Any]

    def tags(self) -> dict[str, str]:
        """Tags of every run of this training."""
        return {
            "model": self.settings.model,
            "dataset_uri": self.dataset_uri,
            "dataset_digest": self.dataset_digest,
        }


@dataclass(frozen=True)
class Progress:
    """An epoch or a fold was finished (``seconds`` is set when the fold is)."""

    fold: str
    test_number: int
    epoch: int
    metrics: dict[str, float]
    seconds: float | None = None


Report = Callable[[Progress], None]


@dataclass
class _Process:
    job: TrainingJob
    dataset: Dataset
    engine: Engine
    report: Report


# Set once per process by `start`; worker functions of a process pool can only find it here.
_process: _Process | None = None


def start(job: TrainingJob, report: Report) -> None:
    """Prepare this process: one TensorFlow thread, the dataset, the network."""
    global _process  # noqa: PLW0603
    # The parent decides when to stop; an interrupt here would end one fold and begin the next.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    import tensorflow as tf

    from steps.train.engine import Engine

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    dataset = Dataset.load(job.dataset_folder)
    engine = Engine(job.settings.model, dataset.timesteps, len(dataset.features))
    _process = _Process(job, dataset, engine, report)


def run_fold(fold: Fold) -> dict[str, float]:
    """Train one fold and log it; returns its metrics."""
    from steps.tracking import record
    from steps.train.fold import train_fold

    process = _this_process()
    job, report = process.job, process.report
    tags = {"subject": fold.name, "test_number": fold.test_number, "label": fold.label, "entry_point": "fold"}
    name = f"{job.run_name}_{fold.name}_{fold.test_number}"
    with record.child_run(job.train_run_id, job.experiment_id, name, tags | job.tags()) as child:

        def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
            report(Progress(fold.name, fold.test_number, epoch, metrics))

        trained = train_fold(process.engine, process.dataset, fold, job.settings, job.class_weight, on_epoch)
        metrics = trained.metrics()
        _log(child.info.run_id, job, process.dataset, trained)
        record.log_keras_model(trained.model)
    report(Progress(fold.name, fold.test_number, int(metrics["epochs_trained"]), metrics, metrics["training_time_s"]))
    return metrics


def run_deployable(fold: Fold, epochs: int) -> dict[str, str]:
    """Train the model for new people on all of ``fold``'s subjects and log it; returns tags that lead to it."""
    from steps.tracking import record
    from steps.train.deployable import training_summary
    from steps.train.fold import train_fold

    process = _this_process()
    job, dataset = process.job, process.dataset
    settings = replace(job.settings, epochs=epochs)
    name = f"{job.run_name}_{fold.name}"
    with record.child_run(
        job.train_run_id, job.experiment_id, name, {"entry_point": "deployable"} | job.tags()
    ) as child:
        trained = train_fold(process.engine, dataset, fold, settings, job.class_weight)
        _log(child.info.run_id, job, dataset, trained)
        model_uri = record.log_deployable_model(trained.model, training_summary(dataset, fold))
    return {"deployable_run_id": str(child.info.run_id), "deployable_model_uri": model_uri}


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _this_process() -> _Process:
    if _process is None:
        raise RuntimeError("start() has not been called in this process")
    return _process


def _log(run_id: str, job: TrainingJob, dataset: Dataset, trained: TrainedFold) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from steps.tracking import record

    fold = trained.fold
    summary: list[str] = []
    trained.model.summary(print_fn=summary.append, line_length=90)
    record.log(
        run_id,
        params={
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
        metrics=trained.metrics(),
    )
    points = zip(trained.history.iterrows(), trained.timestamps_ms, strict=True)
    record.log_points(
        run_id,
        [
            Metric(str(key), float(value), timestamp, epoch)
            for (epoch, row), timestamp in points
            for key, value in row.items()
        ],
    )
    record.log_json(
        run_id,
        {
            "training": list(fold.training_subjects),
            "validation": list(fold.validation_subjects),
            "test": list(fold.test_subjects),
        },
        "split.json",
    )
    record.log_table(run_id, trained.history, "history.csv", index=True)
    MlflowClient().log_text(run_id, "\n".join(summary) + "\n", "model_summary.txt")
