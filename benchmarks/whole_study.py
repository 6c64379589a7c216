"""A whole study, from the trial files to the attributions: the plain script, and ``main``, by turns.

    python -m benchmarks.whole_study

The plain script reads, fits, logs every metric and model as it comes, predicts and attributes. The project's five steps
do that and more: validation, intervals, permutation tests, baselines, checks of the attributions, figures, a report,
and a model for new people.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import sides
from benchmarks.command import part
from benchmarks.measure import Finished, by_turns
from benchmarks.report import Result, Row
from benchmarks.sides import Outcome, Training
from benchmarks.study import Plan, Study, make_study


@dataclass(frozen=True)
class Size:
    """Of the study, epochs of each fold, and how often each side does it."""

    subjects: int = 12
    trials: int = 10
    epochs: int = 60
    turns: int = 1


QUICK = Size(4, 3, 2)


def measure(model: str, size: Size, folder: Path) -> Result:
    """Do the study on both sides."""
    study = make_study(folder / "study", subjects=size.subjects, trials=size.trials)
    training = Training(model, size.epochs)
    plain: list[Outcome] = []
    ours: list[Finished] = []
    by_turns(
        {
            "plain": lambda turn: plain.append(
                sides.plain(study, Plan(seed=turn), training, folder / f"plain-{turn}", everything=True)
            ),
            "project": lambda turn: ours.append(main_step(study, training, turn, folder / f"project-{turn}")),
        },
        size.turns,
    )
    seconds = tuple(finished.wall_s for finished in ours)
    work = f"`{model}`, {size.subjects} subjects, {size.epochs} epochs, files to attributions"
    rows = [
        Row(f"{work}, models logged", "s", seconds, tuple(o.command.wall_s for o in plain), "plain script"),
        Row(
            f"{work}, plain side without log_model",
            "s",
            seconds,
            tuple(o.command.wall_s - o.phases["log_model"] for o in plain),
            "plain script",
        ),
    ]
    phases = ", ".join(f"{name} {statistics.median(o.phases[name] for o in plain):.1f} s" for name in plain[0].phases)
    return Result(
        rows, [f"Phases of the plain script, all folds: {phases}; the rest is starting Python and importing."]
    )


def main_step(study: Study, training: Training, seed: int, folder: Path) -> Finished:
    """The project's driver, from the same files."""
    folder.mkdir()
    parameters = {
        "source": study.recordings,
        "seed": seed,
        "model": training.model,
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "early_stopping_patience": 0,
        "output_dir": "none",
    }
    return sides.step("main", folder, parameters)


@part(__doc__)
@click.option("--model", type=click.Choice(("cnn", "cnn_wide")), default="cnn", show_default=True)
def main(quick: bool, model: str) -> Result:
    """Measure a whole study."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, QUICK if quick else Size(), Path(scratch))


if __name__ == "__main__":
    main()
