"""Integrated Gradients of every held-out trial of a study: trial by trial, and as the project does it, by turns.

    python -m benchmarks.attribution

Both sides begin with the files of the same models, trained beforehand, and attribute from the same baselines.
TensorFlow is imported on both. The project's processes have attributed before; new ones, which compile first, are a row
of their own. What ``attribute`` does besides (deletion and insertion, random weights, tables, figures) is left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks import sides
from benchmarks.command import part
from benchmarks.integrating import integrate
from benchmarks.measure import by_turns, seconds_of
from benchmarks.report import Bar, Result, Row
from benchmarks.sides import Training
from benchmarks.study import Plan, make_study
from steps.attribute.worker import AttributionJob
from steps.compute import Compute, Pool, open_pool, warm_up
from steps.core.attribution.references import baseline_values
from steps.core.attribution.settings import Settings
from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset, Floats
from steps.core.data.fold import FoldNetwork
from steps.tracking.addresses import dataset_place
from steps.tracking.lookup import FoldRun
from steps.tracking.models import reading

if TYPE_CHECKING:
    import keras

TOLERANCE = 0.01


@dataclass(frozen=True)
class Size:
    """Of the study, how long its models are trained, and how often each side attributes it."""

    subjects: int = 12
    trials: int = 10
    epochs: int = 60
    turns: int = 3


QUICK = Size(6, 3, 5, 1)


@dataclass(frozen=True)
class TrainedFold:
    """A fold as the plain way has it.

    Attributes:
        path: of its ``.keras`` file.
        values: held-out trials, ``(trials, timesteps, features)``.
        baseline: mean trajectory of the training trials, ``(timesteps, features)``.
    """

    path: Path
    values: Floats
    baseline: Floats

    def model(self) -> keras.Model:
        """Load it."""
        import keras

        return keras.saving.load_model(self.path, compile=False)


def measure(model: str, size: Size, folder: Path) -> Result:
    """Train a study and attribute it.

    Raises:
        ClickException: a side is not complete to 1% of the change of the output.
    """
    study = make_study(folder / "study", subjects=size.subjects, trials=size.trials)
    outcome = sides.project(study, Plan(), Training(model, size.epochs), folder / "trained", auc=False)
    runs, dataset = sides.recorded_folds(outcome.folder), read_artifact(study.dataset)
    folds = [_as_trained(run, dataset, folder) for run in runs]
    warm_up(Compute())
    with _pool(runs) as pool:
        job = AttributionJob(dataset_place(dataset, str(study.dataset), folder, shared=True), Settings())
        attribute: dict[str, Callable[[], list[Floats]]] = {
            "plain, 100 steps": lambda: [_plain(fold) for fold in folds],
            "plain": lambda: [_plain_until_complete(fold) for fold in folds],
            "project": lambda: _project(pool, job, runs),
            "project, new processes": lambda: _project_anew(job, runs),
        }
        fact = check_completeness(model, folds, {side: function() for side, function in attribute.items()})
        timings = by_turns({side: partial(_timed, function) for side, function in attribute.items()}, size.turns)
    trials = len(dataset.labels)
    per_trial = {side: tuple(1e3 * seconds / trials for seconds in values) for side, values in timings.items()}
    work, against = f"`{model}`: Integrated Gradients of {trials} held-out trials, per trial", "trial by trial"
    ours, complete = per_trial["project"], per_trial["plain"]
    rows = [
        Row(f"{work}, complete to 1%", "ms", ours, complete, against, Bar("faster", 10.0)),
        Row(f"{work}, new processes that compile", "ms", per_trial["project, new processes"], complete, against),
        Row(f"{work}, plain side left at 100 steps", "ms", ours, per_trial["plain, 100 steps"], against),
    ]
    return Result(rows, [fact])


def check_completeness(model: str, folds: Sequence[TrainedFold], attributions: Mapping[str, Sequence[Floats]]) -> str:
    """Completeness errors of the sides in words, relative to the change of the output.

    Args:
        model: the network.
        folds: what was attributed.
        attributions: of the sides ``plain`` and ``project``, and others, one array per fold.

    Raises:
        ClickException: those of the plain side or of the project are above 1%.
    """
    errors = {
        side: np.concatenate([completeness(fold, of_fold) for fold, of_fold in zip(folds, arrays, strict=True)])
        for side, arrays in attributions.items()
    }
    words = ", ".join(f"{side} {error.max():.2g} ({np.median(error):.2g})" for side, error in errors.items())
    trials = len(errors["project"])
    sentence = f"`{model}`, completeness error, largest (median) of {trials} trials: {words}."
    for side in ("plain", "project"):
        if not errors[side].max() <= TOLERANCE:
            raise click.ClickException(f"{side} is not complete to {TOLERANCE:.0%}, so no ratio: {sentence}")
    return sentence


def completeness(fold: TrainedFold, attributions: Floats) -> np.ndarray:
    """How far the attributions of each trial are from the change of the output, relative to it, ``(trials,)``."""
    from steps.core.attribution.integrated_gradients import CHANGE_FLOOR

    model = fold.model()
    output = np.asarray(model(fold.values, training=False), dtype=np.float64)[:, 0]
    start = float(np.asarray(model(fold.baseline[np.newaxis], training=False))[0, 0])
    error = np.abs(attributions.sum(axis=(1, 2), dtype=np.float64) - (output - start))
    return np.asarray(error / np.maximum(np.abs(output - start), CHANGE_FLOOR))


def _as_trained(run: FoldRun, dataset: Dataset, folder: Path) -> TrainedFold:
    path = folder / f"{run.fold.name}.keras"
    path.write_bytes(reading.read_network(run.run))
    baseline = baseline_values("mean", dataset.of_subjects(run.fold.training_subjects))
    return TrainedFold(path, dataset.of_subjects(run.fold.test_subjects).values, baseline)


def _plain(fold: TrainedFold) -> Floats:
    from benchmarks.plain.integrated_gradients import integrated_gradients

    model = fold.model()
    return np.stack([integrated_gradients(model, trial, fold.baseline) for trial in fold.values])


def _plain_until_complete(fold: TrainedFold) -> Floats:
    from benchmarks.plain.integrated_gradients import complete_integrated_gradients
    from steps.core.attribution.integrated_gradients import CHANGE_FLOOR

    model = fold.model()
    return np.stack(
        [complete_integrated_gradients(model, trial, fold.baseline, TOLERANCE, CHANGE_FLOOR) for trial in fold.values]
    )


def _pool(runs: Sequence[FoldRun]) -> AbstractContextManager[Pool]:
    return open_pool(Compute(), len(runs))


def _project(pool: Pool, job: AttributionJob, runs: Sequence[FoldRun]) -> list[Floats]:
    """All folds, in their order."""
    folds = (FoldNetwork(run.fold, reading.read_network(run.run)) for run in runs)
    results = {trained.fold.key: result for trained, result in pool.each(partial(integrate, job), folds)}
    return [results[run.fold.key] for run in runs]


def _project_anew(job: AttributionJob, runs: Sequence[FoldRun]) -> list[Floats]:
    with _pool(runs) as pool:
        return _project(pool, job, runs)


def _timed(function: Callable[[], object], _turn: int) -> float:
    return seconds_of(function)


@part(__doc__)
@click.option("--model", type=click.Choice(("cnn", "cnn_wide")), default="cnn", show_default=True)
def main(quick: bool, model: str) -> Result:
    """Measure the attribution of one network."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, QUICK if quick else Size(), Path(scratch))


if __name__ == "__main__":
    main()
