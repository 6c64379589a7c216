"""Training a study: Keras's ``fit`` per fold, the same loop in PyTorch, and the project, by turns.

    python -m benchmarks.training --model cnn

Same files, splits, network, initial distributions, class weights, optimiser, schedule, epochs, batch size, precision.
No ratio is given before both sides are seen to reach the same accuracy.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

from benchmarks import sides
from benchmarks.command import part
from benchmarks.measure import by_turns
from benchmarks.operations import forward_operations, matmul_peak, training_operations
from benchmarks.report import Bar, Result, Row
from benchmarks.sides import Outcome, Training
from benchmarks.study import FEATURES, TIMESTEPS, Plan, Study, make_study, write_splits

SEEDS = 3
LARGE_BATCH = 128


@dataclass(frozen=True)
class AccuracyStudy:
    """A study that is trained for its accuracy alone; with more people, and in fewer folds, than the timed one."""

    subjects: int = 60
    trials: int = 8
    epochs: int = 20
    effect: float = 4.0
    cv: str = "group-kfold:4"


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        subjects, trials: of the study.
        epochs: of every fold.
        pairs: how often the study is trained on each side, every time with another seed.
        cv: the splits.
        repeats: test numbers in each timed training.
        tolerance: how far the pooled AUC of the sides, mean over seeds, may be apart.
        large_epochs: epochs with batches of 128; 0 = not measured.
        accuracy: where to compare accuracies; None: in the timed trainings.
    """

    subjects: int
    trials: int
    epochs: int
    pairs: int
    cv: str
    repeats: int
    tolerance: float
    large_epochs: int
    accuracy: AccuracyStudy | None = None


FULL = {
    "cnn": Size(12, 10, 60, 3, "loso-plain", 1, 0.02, 10),
    # On the timed study its last weights are good or bad by chance: the AUC of one seed is 0.70, of another 0.86.
    "cnn_wide": Size(12, 10, 60, 1, "loso-plain", 1, 0.02, 4, AccuracyStudy()),
}
# Few epochs on few trials tell no accuracies apart: the miniature is for finding out whether all of it works.
QUICK = {
    "cnn": Size(8, 4, 8, 1, "group-kfold:2", SEEDS, 0.25, 2),
    "cnn_wide": Size(8, 4, 3, 1, "group-kfold:2", SEEDS, 0.5, 0),
}
BARS = {"cnn": Bar("faster", 3.5), "cnn_wide": Bar("faster", 1.5)}
# Fear shows clearly: where hardly anything is learnt, accuracies are too noisy to compare.
EFFECT = 3.0
# Eight subjects train, two validate: four batches of 128 per epoch.
_LARGE_SUBJECTS, _LARGE_TRIALS, _LARGE_FOLDS = 11, 64, 4


def measure(model: str, size: Size, folder: Path, torch_python: str | None) -> Result:
    """Train the study on all sides.

    Args:
        model: ``cnn`` or ``cnn_wide``.
        size: how much.
        folder: empty folder to work in.
        torch_python: interpreter that has PyTorch, or None to leave it out.

    Raises:
        ClickException: a side does not reach the accuracy of the other.
    """
    study = make_study(folder / "study", subjects=size.subjects, trials=size.trials, effect=EFFECT)
    training = Training(model, size.epochs)
    peaks = [matmul_peak()]

    def timed(name: str, side: Callable[[Study, Plan, Training, Path], Outcome]) -> Callable[[int], Outcome]:
        return lambda turn: side(study, Plan(size.cv, size.repeats, seed=turn), training, folder / f"{name}-{turn}")

    runners: dict[str, Callable[[Study, Plan, Training, Path], Outcome]] = {
        "Keras fit": sides.plain,
        "project": sides.project,
    }
    if torch_python and model == "cnn":
        runners["PyTorch"] = partial(sides.torch, interpreter=torch_python)
    outcomes = by_turns({name: timed(name, side) for name, side in runners.items()}, size.pairs)
    peaks.append(matmul_peak())
    wanted, accuracies = size.accuracy, outcomes
    if wanted is None and size.pairs * size.repeats < SEEDS:
        wanted = AccuracyStudy()
    if wanted:
        accuracies = _accuracy_runs(runners, wanted, replace(training, epochs=wanted.epochs), folder)
    facts = [check_accuracy({side: _aucs(runs) for side, runs in accuracies.items()}, model, size.tolerance)]
    rows = _rows(model, size, outcomes)
    rows += _shares(study, size, training, outcomes, max(peaks))
    facts.append(_phases(outcomes["Keras fit"]))
    return Result(rows, facts)


def measure_large_batches(model: str, size: Size, folder: Path) -> Result:
    """Time per step with batches of 128, by turns twice."""
    study = make_study(folder / "study", subjects=_LARGE_SUBJECTS, trials=_LARGE_TRIALS)
    subjects = ",".join(f"S{number:02d}" for number in range(1, _LARGE_FOLDS + 1))
    training = Training(model, size.large_epochs + 1, LARGE_BATCH)
    outcomes = by_turns(
        {
            "Keras fit": lambda turn: sides.plain(
                study, Plan(subjects=subjects), training, folder / f"plain-{turn}", track=False
            ),
            "project": lambda turn: sides.project(
                study, Plan(subjects=subjects), training, folder / f"project-{turn}", auc=False
            ),
        },
        2 if size.pairs > 1 else 1,
    )
    return Result([_step_row(model, LARGE_BATCH, outcomes)])


def check_accuracy(aucs: Mapping[str, Sequence[float]], model: str, tolerance: float) -> str:
    """Compare the sides' pooled AUC, mean over seeds; returns the comparison in words.

    Raises:
        ClickException: a side is more than ``tolerance`` from the project.
    """
    means = {side: statistics.mean(values) for side, values in aucs.items()}
    words = ", ".join(
        f"{side} {means[side]:.3f} ({', '.join(f'{value:.3f}' for value in values)})" for side, values in aucs.items()
    )
    sentence = (
        f"`{model}`, pooled AUC, mean of {len(aucs['project'])} seeds: {words}; allowed difference {tolerance:g}."
    )
    for side, mean in means.items():
        if not abs(mean - means["project"]) <= tolerance:
            raise click.ClickException(f"{side} and project do not reach the same accuracy, so no ratio: {sentence}")
    return sentence


def find_torch(interpreter: str) -> str | None:
    """``interpreter`` if it has PyTorch and NumPy, else None."""
    if interpreter == sys.executable:
        return interpreter if importlib.util.find_spec("torch") else None
    probe = subprocess.run([interpreter, "-c", "import torch, numpy"], capture_output=True, check=False)
    return interpreter if probe.returncode == 0 else None


def _accuracy_runs(
    runners: Mapping[str, Callable[[Study, Plan, Training, Path], Outcome]],
    wanted: AccuracyStudy,
    training: Training,
    folder: Path,
) -> dict[str, list[Outcome]]:
    study = make_study(folder / "accuracy", subjects=wanted.subjects, trials=wanted.trials, effect=wanted.effect)
    plan = Plan(wanted.cv, repeats=SEEDS)
    return {side: [runner(study, plan, training, folder / f"{side}-accuracy")] for side, runner in runners.items()}


def _aucs(runs: Sequence[Outcome]) -> list[float]:
    return [value for outcome in runs for value in outcome.auc.values()]


def _rows(model: str, size: Size, outcomes: Mapping[str, Sequence[Outcome]]) -> list[Row]:
    study = f"`{model}`, {size.subjects} subjects, {size.epochs} epochs"
    rows = [
        _row(f"{study}: training alone", "s", outcomes, lambda o: o.training_s, bar=BARS[model]),
        _row(f"{study}: the command, start and metrics included", "s", outcomes, lambda o: o.command.wall_s),
        _row(f"`{model}`: a whole fold", "s", outcomes, lambda o: o.fold_s),
        _step_row(model, Training(model).batch_size, outcomes),
    ]
    if "PyTorch" in outcomes:
        faster = Bar("faster", 1.0)
        rows.insert(1, _row(f"{study}: training alone", "s", outcomes, lambda o: o.training_s, "PyTorch", faster))
    return rows


def _step_row(model: str, batch_size: int, outcomes: Mapping[str, Sequence[Outcome]]) -> Row:
    return _row(f"`{model}`: a training step, batch {batch_size}", "ms", outcomes, lambda o: 1e3 * o.step_s)


def _row(
    work: str,
    unit: str,
    outcomes: Mapping[str, Sequence[Outcome]],
    value: Callable[[Outcome], float],
    against: str = "Keras fit",
    bar: Bar | None = None,
) -> Row:
    return Row(work, unit, tuple(map(value, outcomes["project"])), tuple(map(value, outcomes[against])), against, bar)


def _shares(
    study: Study, size: Size, training: Training, outcomes: Mapping[str, Sequence[Outcome]], peak: float
) -> list[Row]:
    """Which part of the cores' matrix-multiply peak training reaches."""
    from benchmarks.plain.networks import build

    network = build(training.model, TIMESTEPS, FEATURES)
    forward, both = forward_operations(network), training_operations(network)
    folds = write_splits(study, Plan(size.cv, size.repeats), study.dataset.parent / "splits.json")
    trials = size.trials * training.epochs
    total = sum(trials * (both * len(f.training_subjects) + forward * len(f.validation_subjects)) for f in folds)

    def share(outcome: Outcome) -> float:
        return 100 * total / outcome.training_s / peak

    work = f"`{training.model}`: share of the matrix-multiply peak, {peak / 1e9:.0f} GFLOP/s"
    return [
        Row(
            work,
            "%",
            tuple(map(share, outcomes["project"])),
            tuple(map(share, outcomes["Keras fit"])),
            "Keras fit",
            is_share=True,
        )
    ]


def _phases(runs: Sequence[Outcome]) -> str:
    names = list(runs[0].phases)
    words = ", ".join(f"{name} {statistics.median(run.phases[name] for run in runs):.1f} s" for name in names)
    return f"Phases of the plain study, all folds: {words}."


@part(__doc__)
@click.option("--model", type=click.Choice(tuple(FULL)), default="cnn", show_default=True)
@click.option("--pairs", type=click.IntRange(1), default=None, help="how often each side trains the study")
@click.option("--torch-python", default=sys.executable, show_default=True, help="interpreter that has PyTorch, if any")
def main(quick: bool, model: str, pairs: int | None, torch_python: str) -> Result:
    """Measure the training of one network."""
    size = (QUICK if quick else FULL)[model]
    if pairs:
        size = replace(size, pairs=pairs)
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(model, size, Path(scratch) / "study", find_torch(torch_python))
        if size.large_epochs:
            result.add(measure_large_batches(model, size, Path(scratch) / "large"))
    return result


if __name__ == "__main__":
    main()
