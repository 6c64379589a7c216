"""How the default model's cost grows with subjects: leave-one-subject-out, processor time and memory of each step.

    python -m benchmarks.subjects [--sizes 25,50,100,200,400,800] [--no-memory]

Studies are simulated, two or three trials of each subject. Folds are alike, so only some of them are run: their
processor time is that of the functions that the steps' workers call, on one thread in this process, after one fold that
compiles. Intervals, permutations and training again for every permutation are about all subjects at once. Memory is
that of whole commands that train, evaluate and attribute twelve folds in as many processes as there are cores, all
their processes together. What is worked out is the sum over all folds, without starting Python and recording runs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np

from benchmarks import sides
from benchmarks.command import part
from benchmarks.report import Result, Series
from steps.core.data.artifact import write_artifact
from steps.core.data.cross_validation import LOSO
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold, FoldNetwork
from steps.core.data.folds import plan_folds
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameters import PARAMETERS

SIZES: Final = (25, 50, 100, 200, 400, 800)
STEPS: Final = ("train", "evaluate", "attribute")
MODEL: Final = str(PARAMETERS["model"].default)
_TIMED, _TRAINED = 3, 12  # folds
HEADER = (
    "subjects",
    "trials",
    "planning, s",
    *(f"{step}: a fold, s" for step in STEPS),
    "intervals, permutations, s",
    "training again, s",
    "all folds, hours",
    *(f"{step}: peak memory, MB" for step in STEPS),
)


def measure(subjects: int, folder: Path, *, memory: bool) -> tuple[float | str, ...]:
    """A row of the table."""
    study = simulate(SimulationSize(subjects=subjects, controls=0, trials_min=2, trials_max=3), seed=0)
    folder.mkdir(parents=True)
    write_artifact(study, folder / "dataset")
    folds: list[Fold] = []
    planned = cpu_of(lambda: folds.extend(plan_folds(study, cv=LOSO, validation_fraction=0)))
    some = folds[:: len(folds) // _TIMED][: _TIMED + 1]
    of_a_fold = fold_costs(study, folder / "dataset", [folds[1], *some])
    judged, again = cpu_of(lambda: judge(study)), train_again(study)
    whole = planned + judged + again + subjects * sum(of_a_fold.values())
    peaks = peak_memory(folder, [fold.name for fold in folds[:: len(folds) // _TRAINED][:_TRAINED]]) if memory else {}
    return (
        subjects,
        len(study.labels),
        planned,
        *(of_a_fold[step] for step in STEPS),
        judged,
        again,
        whole / 3600,
        *(peaks[step] / 1e6 if memory else "" for step in STEPS),
    )


def fold_costs(study: Dataset, dataset: Path, folds: Sequence[Fold]) -> dict[str, float]:
    """Processor seconds of a fold by step; the first fold compiles and does not count."""
    from steps.attribute.worker import AttributionJob, attribute
    from steps.core.attribution.settings import Settings
    from steps.core.models import keras_file
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold
    from steps.core.models.settings import FitSettings
    from steps.evaluate.worker import EvaluationJob, evaluate
    from steps.tracking.places import DatasetArtifact

    engine, settings = Engine(MODEL, study.timesteps, len(study.features)), FitSettings(model=MODEL)
    place = DatasetArtifact(study.digest(), dataset, None, None)
    evaluation, attribution = EvaluationJob(place, (0.5, 0.43, 0.35), 0), AttributionJob(place, Settings())
    trained: list[FoldNetwork] = []

    def train(fold: Fold) -> None:
        done = train_fold(engine, study, fold, settings)
        trained.append(FoldNetwork(fold, keras_file.as_bytes(done.model), done.left_out))

    costs: dict[str, list[float]] = {step: [] for step in STEPS}
    for fold in folds:
        costs["train"].append(cpu_of(lambda fold=fold: train(fold)))  # type: ignore[misc]
        costs["evaluate"].append(cpu_of(lambda: evaluate(evaluation, trained[-1])))
        costs["attribute"].append(cpu_of(lambda: attribute(attribution, trained[-1])))
    return {step: float(np.median(seconds[1:])) for step, seconds in costs.items()}


def peak_memory(folder: Path, tested: Sequence[str]) -> dict[str, int]:
    """The most memory that each command's processes had together, in bytes."""
    train = {"dataset_uri": folder / "dataset", "subjects": ",".join(tested)}
    peaks = {}
    for step in STEPS:
        own: Mapping[str, object] = {"output_dir": "none", **(train if step == "train" else {})}
        peaks[step] = sides.step(step, folder, own, memory=True).peak_bytes or 0
    return peaks


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


def train_again(study: Dataset) -> float:
    """Processor seconds of the exact test of the default model, its features included."""
    from steps.core.metrics.permutation import PERMUTATIONS
    from steps.core.metrics.predictions import Scores
    from steps.core.metrics.retrained import retrained_test
    from steps.core.models.label_free import label_free_features

    def test() -> None:
        features = label_free_features(study, MODEL, 0)
        if features is not None:
            scores = Scores(study.labels, np.zeros(len(study.labels)), study.subjects)
            retrained_test(features, scores, permutations=PERMUTATIONS, seed=0)

    label_free_features(study.of_subjects(np.unique(study.subjects)[:4].tolist()), MODEL, 0)
    return cpu_of(test)


def cpu_of(action: Callable[[], object]) -> float:
    """Processor time of a call in this process."""
    before = time.process_time()
    action()
    return time.process_time() - before


@part(__doc__)
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, help="numbers of subjects")
@click.option("--memory/--no-memory", default=True, show_default=True, help="run the commands for their memory")
def main(quick: bool, sizes: str, memory: bool) -> Result:
    """Measure every size."""
    from threadpoolctl import threadpool_limits

    from steps.system.one_thread import tensorflow_on_one_thread

    tensorflow_on_one_thread()
    rows = []
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        for subjects in [25] if quick else [int(size) for size in sizes.split(",")]:
            rows.append(measure(subjects, Path(scratch) / str(subjects), memory=memory and not quick))
            click.echo(rows[-1], err=True)
    return Result(series=[Series(f"`{MODEL}`, leave-one-subject-out, processor seconds:", HEADER, tuple(rows))])


if __name__ == "__main__":
    main()
