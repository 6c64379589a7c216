"""Integrated Gradients of every held-out trial of a study: trial by trial, and as the project does it, by turns.

    python -m benchmarks.attribution

Both sides attribute the same models, trained beforehand, from the same baselines.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks import sides
from benchmarks.command import part
from benchmarks.measure import by_turns, seconds_of
from benchmarks.report import Bar, Result, Row
from benchmarks.sides import Training
from benchmarks.study import Plan, make_study
from steps.dataset import Dataset, Floats

if TYPE_CHECKING:
    import keras

TOLERANCE = 0.01


@dataclass(frozen=True)
class FoldToAttribute:
    """A trained fold: ``values`` are its held-out trials, ``baseline`` the mean trajectory of its training trials."""

    model: keras.Model
    values: Floats
    baseline: Floats


@dataclass(frozen=True)
class Size:
    """Of the study, how long its models are trained, and how often each side attributes it."""

    subjects: int = 12
    trials: int = 10
    epochs: int = 60
    turns: int = 3


QUICK = Size(6, 3, 5, 2)


def measure(model: str, size: Size, folder: Path) -> Result:
    """Train a study and attribute it.

    Raises:
        ClickException: a side is not complete to 1% of the change of the output.
    """
    study = make_study(folder / "study", subjects=size.subjects, trials=size.trials)
    outcome = sides.project(study, Plan(), Training(model, size.epochs), folder / "trained", auc=False)
    dataset = Dataset.load(study.dataset)

    def timed(attribute: Callable[[FoldToAttribute], Floats]) -> Callable[[int], float]:
        def turn(_turn: int) -> float:
            folds = _load(outcome.folder, dataset)  # anew: what was compiled for a model must not be left over
            return seconds_of(lambda: [attribute(fold) for fold in folds])

        return turn

    attribute = {"plain, 100 steps": _plain, "plain": _plain_until_complete, "project": _project}
    folds = _load(outcome.folder, dataset)
    errors = {
        side: np.concatenate([completeness(f, function(f)) for f in folds]) for side, function in attribute.items()
    }
    trials = len(dataset.labels)
    fact = (
        f"`{model}`, completeness error relative to the change of the output, largest (median) of {trials} trials: "
        + ", ".join(f"{side} {error.max():.2g} ({np.median(error):.2g})" for side, error in errors.items())
        + "."
    )
    for side in ("plain", "project"):
        if not errors[side].max() <= TOLERANCE:
            raise click.ClickException(f"{side} is not complete to {TOLERANCE:.0%}, so no ratio: {fact}")
    found = by_turns({side: timed(function) for side, function in attribute.items()}, size.turns)
    per_trial = {side: tuple(1e3 * seconds / trials for seconds in values) for side, values in found.items()}
    work = f"`{model}`: Integrated Gradients of {trials} held-out trials, per trial"
    bar = Bar("faster", 10.0)
    rows = [
        Row(f"{work}, all complete to 1%", "ms", per_trial["project"], per_trial["plain"], "trial by trial", bar),
        Row(
            f"{work}, 100 steps whatever comes out", "ms", per_trial["project"], per_trial["plain, 100 steps"], "plain"
        ),
    ]
    return Result(rows, [fact])


def completeness(fold: FoldToAttribute, attributions: Floats) -> np.ndarray:
    """How far the attributions of each trial are from the change of the output, relative to it."""
    from steps.attribute.integrated_gradients import CHANGE_FLOOR

    output = np.asarray(fold.model(fold.values, training=False), dtype=np.float64)[:, 0]
    start = float(np.asarray(fold.model(fold.baseline[np.newaxis], training=False))[0, 0])
    error = np.abs(attributions.sum(axis=(1, 2), dtype=np.float64) - (output - start))
    return np.asarray(error / np.maximum(np.abs(output - start), CHANGE_FLOOR))


def _plain(fold: FoldToAttribute) -> Floats:
    from benchmarks.plain.integrated_gradients import integrated_gradients

    return np.stack([integrated_gradients(fold.model, trial, fold.baseline) for trial in fold.values])


def _plain_until_complete(fold: FoldToAttribute) -> Floats:
    from benchmarks.plain.integrated_gradients import complete_integrated_gradients
    from steps.attribute.integrated_gradients import CHANGE_FLOOR

    return np.stack(
        [
            complete_integrated_gradients(fold.model, trial, fold.baseline, TOLERANCE, CHANGE_FLOOR)
            for trial in fold.values
        ]
    )


def _project(fold: FoldToAttribute) -> Floats:
    from steps.attribute.fold import MAX_STEPS, Settings
    from steps.attribute.integrated_gradients import integrated_gradients

    settings = Settings()
    return integrated_gradients(
        fold.model,
        fold.values,
        fold.baseline,
        steps=settings.steps,
        tolerance=TOLERANCE,
        max_steps=MAX_STEPS[settings.method],
    ).attributions


def _load(store: Path, dataset: Dataset) -> list[FoldToAttribute]:
    from steps.attribute.baselines import baseline_values
    from steps.tracking import lineage

    return [
        FoldToAttribute(
            lineage.load_model(fold),
            dataset.of_subjects(fold.split["test"]).values,
            baseline_values("mean", dataset.of_subjects(fold.split["training"])),
        )
        for fold in sides.recorded_folds(store)
    ]


@part(__doc__)
@click.option("--model", type=click.Choice(("cnn", "cnn_wide")), default="cnn", show_default=True)
def main(quick: bool, model: str) -> Result:
    """Measure the attribution of one network."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, QUICK if quick else Size(), Path(scratch))


if __name__ == "__main__":
    main()
