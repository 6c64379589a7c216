"""What recording a training costs: the same study with tracking and without, by turns, in one run.

    python -m benchmarks.tracking [--model cnn] [--pairs 5]

12 subjects, leave-one-subject-out, 60 epochs, early stopping off, in as many processes as there are cores; MLflow's
default SQLite store in an empty folder. *Without* trains all folds and the model for new people and throws the results
away. *With* is the step `train` as users run it, from opening its run until everything is in the store: parameters,
curves, models, splits, dataset inputs, system metrics. Both read the dataset from the same folder.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.command import part
from benchmarks.measure import by_turns, seconds_of
from benchmarks.report import Bar, Result, Row
from benchmarks.study import simulated
from steps.dataset import Dataset


@dataclass(frozen=True)
class Size:
    """Of the study, epochs of each fold, and how often each is measured."""

    subjects: int = 12
    trials: int = 10
    epochs: int = 60
    pairs: int = 5


QUICK = Size(4, 3, 5, 1)
TIMES_ALLOWED = 1.03


def measure(model: str, size: Size, folder: Path) -> Result:
    """Train with and without tracking, by turns."""
    from steps.parameters import ENTRY_POINTS, PARAMETERS

    simulated(size.subjects, size.trials).save(folder / "dataset")
    dataset = Dataset.load(folder / "dataset")
    os.chdir(folder)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    parameters = {name: PARAMETERS[name].default for name in ENTRY_POINTS["train"]} | {
        "model": model,
        "epochs": size.epochs,
        "early_stopping_patience": 0,
        "dataset_uri": str(folder / "dataset"),
        "output_dir": "none",
        "resume": False,
    }
    _with(parameters | {"epochs": 1})  # makes the store's tables, fills the caches of the disk
    found = by_turns(
        {
            "without": lambda _turn: seconds_of(lambda: _without(dataset, parameters)),
            "with": lambda _turn: seconds_of(lambda: _with(parameters)),
        },
        size.pairs,
    )
    work = f"`{model}`, {size.subjects} subjects, {size.epochs} epochs: training with tracking"
    bar = Bar("longer", TIMES_ALLOWED)
    return Result([Row(work, "s", tuple(found["with"]), tuple(found["without"]), "without", bar)])


def _without(dataset: Dataset, parameters: dict[str, Any]) -> None:
    from steps.compute import open_pool
    from steps.tracking.addresses import dataset_place
    from steps.train.deployable import everybody
    from steps.train.pool import train_folds
    from steps.train.settings import FitSettings
    from steps.train.splits import plan_folds
    from steps.train.worker import TrainingJob

    names = ("cv", "repeats", "subjects", "controls", "validation_fraction", "seed")
    folds = plan_folds(dataset, **{name: parameters[name] for name in names})
    job = TrainingJob(
        dataset=dataset_place(parameters["scheduler"], dataset, parameters["dataset_uri"], Path.cwd()),
        settings=FitSettings.from_parameters(parameters),
        class_weight=parameters["class_weight"],
        parameters=parameters,
    )
    everyone = everybody(dataset, parameters["controls"], parameters["seed"])
    with open_pool(parameters["scheduler"], parameters["workers"], len(folds), on_event=lambda _event: None) as pool:
        train_folds(pool, job, folds, [], everyone, lambda _record: None)


def _with(parameters: dict[str, Any]) -> None:
    from steps.train.__main__ import train

    train(parameters)


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
