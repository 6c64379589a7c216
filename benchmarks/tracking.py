"""What recording a training costs: the same study with tracking and without, by turns, in one run.

    python -m benchmarks.tracking [--model cnn] [--pairs 5]

12 subjects, leave-one-subject-out, 60 epochs, early stopping off, in as many processes as there are cores; MLflow's
default SQLite store in an empty folder. *Without* trains all folds and the model for new people and throws the results
away. *With* is the step `train` as users run it, from opening its run until everything is in the store: parameters,
curves, models, splits, dataset inputs, system metrics. Both read the dataset from the same folder.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

SUBJECTS, TRIALS, EPOCHS = 12, 10, 60


@click.command()
@click.option("--model", default="cnn", show_default=True)
@click.option("--pairs", default=5, show_default=True, help="how often each is measured")
def main(model: str, pairs: int) -> None:
    """Measure, print every figure, the medians and their ratio."""
    from steps.dataset import Dataset
    from steps.parameters import ENTRY_POINTS, PARAMETERS
    from steps.prepare.simulate import SimulationSize, simulate

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size = SimulationSize(
            subjects=SUBJECTS, controls=0, trials_min=TRIALS, trials_max=TRIALS, features=24, effect=1
        )
        simulate(size, seed=0).save(folder / "dataset")
        dataset = Dataset.load(folder / "dataset")
        os.chdir(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
        parameters = {name: PARAMETERS[name].default for name in ENTRY_POINTS["train"]} | {
            "model": model,
            "epochs": EPOCHS,
            "early_stopping_patience": 0,
            "dataset_uri": str(folder / "dataset"),
            "output_dir": "none",
            "resume": False,
        }
        print(f"{model}: {SUBJECTS} subjects x {TRIALS} trials, {EPOCHS} epochs, {os.cpu_count()} cores")
        _with(dataset, parameters | {"epochs": 1})  # makes the store's tables, fills the caches of the disk
        seconds: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(pairs):
            seconds["without"].append(_timed(lambda: _without(dataset, parameters)))
            seconds["with"].append(_timed(lambda: _with(dataset, parameters)))
    for name, values in seconds.items():
        print(f"{name:8} {statistics.median(values):7.2f} s   ({', '.join(f'{value:.2f}' for value in values)})")
    ratios = [on / off for on, off in zip(seconds["with"], seconds["without"], strict=True)]
    print(f"ratio of pairs {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


def _timed(action: Callable[[], None]) -> float:
    before = time.perf_counter()
    action()
    return time.perf_counter() - before


def _without(dataset: Any, parameters: dict[str, Any]) -> None:
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


def _with(_dataset: Any, parameters: dict[str, Any]) -> None:
    from steps.train.__main__ import train

    train(parameters)


if __name__ == "__main__":
    sys.exit(main())
