"""How the default model's cost grows with subjects: leave-one-subject-out, each step's processor time and memory.

    python -m benchmarks.subjects [--sizes 25,50,100,200,400,800]

Studies are simulated, two or three trials of each subject. Folds are alike, so only some of them are run: a training of
two and one of twelve tell what a fold costs and what a step costs without folds; the same for ``evaluate`` and
``attribute``. Intervals, permutations and training again for every permutation are about all subjects at once; they are
timed by themselves, as `evaluate` calls them. Processor time is of all processes together, those that a step leaves to
the system too (on Linux alone): other work on the machine makes it a little longer, but not many times so, as it does
to wall time. What is worked out is: without folds, plus folds times a fold, plus what is about all.
"""

from __future__ import annotations

import ctypes
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
import numpy as np

from benchmarks import sides
from benchmarks.command import part
from benchmarks.measure import Finished
from benchmarks.report import Result, Series
from steps.core.data.artifact import write_artifact
from steps.core.data.cross_validation import LOSO
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.readers.simulate import SimulationSize, simulate

SIZES: Final = (25, 50, 100, 200, 400, 800)
STEPS: Final = ("train", "evaluate", "attribute")
FEW, MORE = 2, 12  # folds
_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
HEADER = (
    "subjects",
    "trials",
    "prepare, s",
    "planning, s",
    "train: a fold, s",
    "evaluate: a fold, s",
    "attribute: a fold, s",
    "intervals, permutations, s",
    "trained again, s",
    "a study, worked out, s",
    "peak memory: prepare, MB",
    "train",
    "evaluate",
    "attribute",
    "of training again",
)


@dataclass(frozen=True)
class Cost:
    """What a step takes: processor seconds of a fold and without folds, and the most memory seen, in bytes."""

    fold: float
    without: float
    peak: int


def measure(subjects: int, folder: Path) -> tuple[float | str, ...]:
    """A row of the table."""
    size = SimulationSize(subjects=subjects, controls=0, trials_min=2, trials_max=3)
    study = simulate(size, seed=0)
    parameters: dict[str, object] = {"simulated_subjects": subjects, "simulated_controls": 0}
    parameters |= {"simulated_trials_min": 2, "simulated_trials_max": 3}
    folder.mkdir(parents=True)
    prepared = measured("prepare", folder, parameters)
    write_artifact(study, folder / "dataset")
    names = np.unique(study.subjects).tolist()
    runs = {count: steps(folder, names[:: len(names) // count][:count]) for count in (FEW, MORE)}
    costs = {step: cost(*(runs[count][step] for count in (FEW, MORE))) for step in STEPS}
    planned = cpu_of(lambda: plan_folds(study, cv=LOSO, validation_fraction=0))
    judged = cpu_of(lambda: judge(study))
    again, memory = train_again(study)
    whole = prepared.cpu_s + planned + judged + again
    whole += sum(one.without + subjects * one.fold for one in costs.values())
    return (
        subjects,
        len(study.labels),
        prepared.cpu_s,
        planned,
        *(costs[step].fold for step in STEPS),
        judged,
        again,
        whole,
        (prepared.peak_bytes or 0) / 1e6,
        *(costs[step].peak / 1e6 for step in STEPS),
        memory / 1e6,
    )


def steps(folder: Path, tested: Sequence[str]) -> dict[str, Finished]:
    """Train the folds that test these subjects, evaluate and attribute them."""
    common = {"output_dir": "none"}
    train = {"dataset_uri": folder / "dataset", "subjects": ",".join(tested)}
    return {step: sides.step(step, folder, common | (train if step == "train" else {}), memory=True) for step in STEPS}


def measured(step: str, folder: Path, parameters: Mapping[str, object]) -> Finished:
    """`sides.step`, with the processor time of the processes that it did not wait for itself: those of its pool."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = sides.step(step, folder, parameters, memory=True)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return replace(finished, cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def adopt_orphans() -> None:
    """Have the system give processes whose parent has ended to this one, so that their time is known (Linux)."""
    if ctypes.CDLL(None, use_errno=True).prctl(_CHILD_SUBREAPER, 1):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def cost(few: Finished, more: Finished) -> Cost:
    """From a step with few folds and with more."""
    fold = (more.cpu_s - few.cpu_s) / (MORE - FEW)
    return Cost(fold, few.cpu_s - FEW * fold, max(few.peak_bytes or 0, more.peak_bytes or 0))


def judge(study: Dataset) -> None:
    """Intervals, permutations and the baselines' differences of as many predictions."""
    from steps.core.metrics.method_comparison import baselines_summary
    from steps.core.metrics.predictions import FoldPrediction, results_table
    from steps.core.metrics.summary import summary

    random = np.random.default_rng(0)
    thresholds = (0.5, 0.43, 0.35)
    network, other = (
        results_table([FoldPrediction(study, 1, random.random(len(study.labels)))], thresholds) for _ in range(2)
    )
    summary(network, thresholds)
    baselines_summary(network, {"logistic": other, "majority": other}, thresholds)


def train_again(study: Dataset) -> tuple[float, int]:
    """Processor seconds of the exact test of the default model, and the bytes that its arrays take."""
    from steps.core.metrics.permutation import PERMUTATIONS
    from steps.core.metrics.predictions import Scores
    from steps.core.metrics.retrained import retrained_test
    from steps.core.models.label_free import label_free_features
    from steps.parameters import PARAMETERS

    features: list[np.ndarray] = []

    def test() -> None:
        features.extend(label_free_features(study, str(PARAMETERS["model"].default), 0) or [])
        scores = Scores(study.labels, np.zeros(len(study.labels)), study.subjects)
        retrained_test(features, scores, permutations=PERMUTATIONS, seed=0)

    label_free_features(study.of_subjects(np.unique(study.subjects)[:4].tolist()), str(PARAMETERS["model"].default), 0)
    seconds = cpu_of(test)
    trials = len(study.labels)
    return seconds, sum(one.nbytes for one in features) + 8 * (2 * trials**2 + 3 * trials * (PERMUTATIONS + 1))


def cpu_of(action: Callable[[], object]) -> float:
    """Processor time of a call in this process."""
    before = time.process_time()
    action()
    return time.process_time() - before


@part(__doc__)
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, help="numbers of subjects")
def main(quick: bool, sizes: str) -> Result:
    """Measure every size."""
    from threadpoolctl import threadpool_limits

    adopt_orphans()
    rows = []
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        for subjects in [25] if quick else [int(size) for size in sizes.split(",")]:
            rows.append(measure(subjects, Path(scratch) / str(subjects)))
            click.echo(rows[-1], err=True)
    return Result(series=[Series("default model, leave-one-subject-out, processor seconds:", HEADER, tuple(rows))])


if __name__ == "__main__":
    main()
