"""The sides of a training: Keras's ``fit``, PyTorch and the project, each as a command on the same files and splits."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.measure import Finished, run
from benchmarks.study import Plan, Study, write_splits
from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.models import reading

if TYPE_CHECKING:
    from mlflow.entities import Run

    from steps.tracking.lookup import FoldRun


@dataclass(frozen=True)
class Training:
    """How a network is trained, on all sides."""

    model: str = "cnn"
    epochs: int = 60
    batch_size: int = 16


@dataclass(frozen=True)
class Outcome:
    """A training that ended.

    Attributes:
        command: its process.
        training_s: fitting alone. Where folds come one after the other, the sum of their fits, compilation included.
            Of the project, from the beginning of the first fold to the end of the last, saving models included.
        fold_s: from the beginning of the first fold to the end of the last, per fold: reading or slicing, fitting,
            predicting and logging, or handing over to who logs.
        step_s: wall time per optimisation step, its share of validation included, once everything is compiled; where
            folds are trained side by side, a fold's time per step divided by how many are.
        auc: over all held-out trials, by test number.
        phases: seconds of all folds together by phase, where the side tells.
        folder: working folder, with the store.
    """

    command: Finished
    training_s: float
    fold_s: float
    step_s: float
    auc: Mapping[int, float]
    phases: Mapping[str, float]
    folder: Path


def plain(
    study: Study, plan: Plan, training: Training, folder: Path, *, track: bool = True, everything: bool = False
) -> Outcome:
    """Keras's ``fit``.

    Args:
        study: the files.
        plan: the splits.
        training: network, epochs, batch size.
        folder: empty folder to work in.
        track: log parameters and metrics with MLflow.
        everything: log models as well, and attribute the held-out trials.
    """
    flags = [*(["--track"] if track or everything else []), *(["--log-model", "--attribute"] if everything else [])]
    return _script("keras_study", study, plan, training, folder, sys.executable, flags)


def torch(study: Study, plan: Plan, training: Training, folder: Path, interpreter: str) -> Outcome:
    """The same loop in PyTorch, run by an interpreter that has it."""
    return _script("torch_study", study, plan, training, folder, interpreter, [])


def project(
    study: Study, plan: Plan, training: Training, folder: Path, *, memory: bool = False, auc: bool = True
) -> Outcome:
    """``python -m steps.train``, without early stopping.

    Args:
        study: its dataset is read.
        plan: the splits.
        training: network, epochs, batch size.
        folder: empty folder to work in.
        memory: sample the memory of its processes.
        auc: predict the held-out trials afterwards.
    """
    folder.mkdir(parents=True)
    command = step("train", folder, train_parameters(study, plan, training), memory=memory)
    return _recorded(command, folder, study, training, auc)


def train_parameters(study: Study, plan: Plan, training: Training) -> dict[str, object]:
    """Parameters of ``train`` that mean this training; the rest are defaults."""
    return {
        "dataset_uri": study.dataset,
        **asdict(plan),
        **asdict(training),
        "early_stopping_patience": 0,
        "output_dir": "none",
    }


def step(name: str, folder: Path, parameters: Mapping[str, object], *, memory: bool = False) -> Finished:
    """``python -m steps.<name>`` in ``folder``."""
    options = [part for key, value in parameters.items() for part in (f"--{key}", str(value))]
    return run([sys.executable, "-m", f"steps.{name}", *options, "--cwd", str(folder)], folder, memory=memory)


def auc_by_test_number(folds: Iterable[tuple[int, Sequence[int], Sequence[float]]]) -> dict[int, float]:
    """Area under the ROC curve over the trials of all folds, by test number.

    Args:
        folds: test number, labels and probabilities of the held-out trials of each fold.
    """
    pooled: dict[int, tuple[list[int], list[float]]] = {}
    for test_number, labels, probabilities in folds:
        all_labels, all_probabilities = pooled.setdefault(test_number, ([], []))
        all_labels.extend(labels)
        all_probabilities.extend(probabilities)
    return {number: float(roc_auc_score(labels, scores)) for number, (labels, scores) in sorted(pooled.items())}


def _script(
    name: str, study: Study, plan: Plan, training: Training, folder: Path, interpreter: str, flags: list[str]
) -> Outcome:
    folder.mkdir(parents=True)
    splits, result = folder / "splits.json", folder / "result.json"
    write_splits(study, plan, splits)
    options = [part for key, value in asdict(training).items() for part in (f"--{key.replace('_', '-')}", str(value))]
    command = run(
        [interpreter, "-m", f"benchmarks.plain.{name}", str(splits), "--result", str(result), *options, *flags], folder
    )
    folds: list[dict[str, Any]] = json.loads(result.read_text())["folds"]
    phases: dict[str, float] = {}
    for fold in folds:
        for phase, seconds in fold["seconds"].items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    steps = [ceil(fold["training_trials"] / training.batch_size) * (training.epochs - 1) for fold in folds]
    return Outcome(
        command=command,
        training_s=phases["fit"],
        fold_s=(max(f["ended"] for f in folds) - min(f["began"] for f in folds)) / len(folds),
        step_s=statistics.median(f["later_epochs_s"] / count for f, count in zip(folds, steps, strict=True)),
        auc=auc_by_test_number((f["test_number"], f["labels"], f["probabilities"]) for f in folds),
        phases=phases,
        folder=folder,
    )


def recorded_training(folder: Path) -> Run:
    """The run of the training in the store of ``folder``."""
    import mlflow

    from steps.tracking import lookup

    mlflow.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    return lookup.find_run("train", lookup.LATEST, experiment.experiment_id)


def recorded_folds(folder: Path) -> list[FoldRun]:
    """Its folds, in the order they were begun."""
    from steps.tracking import lookup

    folds = lookup.fold_runs(recorded_training(folder).info.run_id)
    return sorted(folds, key=lambda fold: int(fold.run.info.start_time))


def _recorded(command: Finished, folder: Path, study: Study, training: Training, auc: bool) -> Outcome:
    """What the project recorded of its own training; its folds say when they began and ended."""
    train, folds = recorded_training(folder), recorded_folds(folder)
    workers = int(train.data.metrics["workers"])
    span = (max(f.run.info.end_time for f in folds) - folds[0].run.info.start_time) / 1e3
    dataset = read_artifact(study.dataset)
    # The first fold of each process compiles.
    warm = folds[workers:] if len(folds) > workers else folds

    def per_step(fold: FoldRun) -> float:
        trials = int(np.isin(dataset.subjects, fold.fold.training_subjects).sum())
        steps = ceil(trials / training.batch_size) * training.epochs
        return float(fold.run.data.metrics["training_time_s"]) / steps

    return Outcome(
        command=command,
        training_s=span,
        fold_s=span / len(folds),
        step_s=statistics.median(map(per_step, warm)) / workers,
        auc=auc_by_test_number(_predictions(folds, dataset)) if auc else {},
        phases={},
        folder=folder,
    )


def _predictions(folds: Sequence[FoldRun], dataset: Dataset) -> Iterable[tuple[int, Sequence[int], Sequence[float]]]:
    from steps.core.metrics.inference import predict

    for fold in folds:
        test = dataset.of_subjects(fold.fold.test_subjects)
        yield fold.fold.test_number, test.labels.tolist(), predict(reading.load_network(fold.run), test.values).tolist()
