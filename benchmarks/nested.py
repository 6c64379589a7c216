"""What a nested search says where there is nothing to find: does its interval hold 0.5, and what would the search say?

    OMP_NUM_THREADS=1 python -m benchmarks.nested [--studies 40] [--first 0] [--tries 8]
    OMP_NUM_THREADS=1 python -m benchmarks.nested --recording

Each study is simulated without an effect: 16 people, 8 of each class, four trials each of 21 time points and two
features. Four outer folds, three inner ones; the search may choose the network and how it is trained. By the functions
of `tune`, without its record. ``--recording`` sets the processor time of recording a try beside that of trying.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import click
import numpy as np

from steps.configuration import Tune
from steps.core.data.dataset import Dataset
from steps.core.data.tried import Tried
from steps.core.metrics.paired import judged_levels, paired_differences
from steps.core.metrics.predictions import FoldPrediction, results_table
from steps.core.readers.simulate import SimulationSize, simulate
from steps.core.tuning.space import space_of
from steps.parameters import PARAMETERS, STEPS
from steps.tune.worker import Search, Trainer, tuned

SIZE: Final = SimulationSize(subjects=16, controls=0, trials_min=4, trials_max=4, features=2, effect=0.0)
TIMESTEPS: Final = 21
NETWORKS: Final = "soft_minirocket"


@dataclass(frozen=True)
class Said:
    """What a study says.

    Attributes:
        auc: of subjects, nested.
        low: of its interval.
        high: of its interval.
        seen: whether the interval of the difference to the defaults leaves out 0.
        nested_brier: of subjects, nested.
        inner_brier: of the best tries, as the searches themselves see them.
    """

    auc: float
    low: float
    high: float
    seen: bool
    nested_brier: float
    inner_brier: float


def configuration(tries: int, seed: int) -> Tune:
    """Of the search of one study."""
    given = {name: PARAMETERS[name].default for name in STEPS["tune"].parameters}
    return Tune.of({**given, "cv": "group-kfold:4", "trials": tries, "networks": NETWORKS, "seed": seed})


def study(dataset: Dataset, chosen: Tune) -> Said:
    """Search in every fold of a study."""
    training = chosen.training()
    defaults = {name: PARAMETERS[name].default for name in training.given}
    space = space_of(training.given, defaults, networks=chosen.networks, search=None, normalise=False)
    trainer = Trainer(chosen, dataset)
    done = [tuned(trainer, space, Search(fold)) for fold in training.folds(dataset)]
    best, start = (
        judged_levels(results_table(said, (0.5,)), (0.5,))["subject"]
        for said in (_there([one.best for one in done]), _there([one.start for one in done]))
    )
    auc, difference = best.estimates["auc"], paired_differences(best, start)["auc"]
    return Said(
        auc=auc["value"],
        low=auc["low"],
        high=auc["high"],
        seen=not difference["low"] <= 0 <= difference["high"],
        nested_brier=best.estimates["brier"]["value"],
        inner_brier=float(np.mean([one.found.best.values[-1] for one in done])),
    )


def _there(said: Sequence[FoldPrediction | None]) -> list[FoldPrediction]:
    return [one for one in said if one is not None]


def rows(said: Sequence[Said]) -> Iterator[str]:
    """A table in Markdown."""
    auc = np.array([one.auc for one in said])
    held = sum(one.low <= 0.5 <= one.high for one in said)
    yield "| | |"
    yield "|---|---|"
    yield f"| studies whose nested interval of subjects' AUC holds .5 | {held} of {len(said)} |"
    yield f"| nested AUC of subjects, mean (SE) | {auc.mean():.3f} ({auc.std() / len(auc) ** 0.5:.3f}) |"
    yield f"| studies where a difference to the defaults is seen | {sum(one.seen for one in said)} of {len(said)} |"
    yield f"| Brier score of subjects, nested | {np.mean([one.nested_brier for one in said]):.3f} |"
    yield f"| Brier score of the best tries, by the inner folds | {np.mean([one.inner_brier for one in said]):.3f} |"


def tried_once(size: SimulationSize, timesteps: int) -> tuple[Tried, float]:
    """A try, the defaults, in a warm process, and milliseconds of processor time that it takes."""
    dataset, chosen = simulate(size, timesteps), configuration(1, 0)
    training = chosen.training()
    trainer, fold = Trainer(chosen, dataset), replace(training.folds(dataset)[0], test_subjects=())
    space = space_of(training.given, training.given, networks=chosen.networks, search=None, normalise=False)
    tuned(trainer, space, Search(fold))
    before = time.process_time()  # wall time would say how busy the machine is
    (tried,) = tuned(trainer, space, Search(fold)).found.tried
    return tried, 1000 * (time.process_time() - before)


def recorded(tried: Tried, times: int = 60) -> float:
    """Milliseconds of processor time to record a try, in a database of its own."""
    from steps.tracking.search_recorder import SearchRecorder
    from steps.tracking.session import step_run

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        with step_run("tune", {}) as run, SearchRecorder(run, {}) as recorder:
            recorder.record("all", tried)
            recorder.flush()
            before = time.process_time()
            for number in range(1, times + 1):
                recorder.record("all", replace(tried, number=number))
            recorder.flush()
            return 1000 * (time.process_time() - before) / times


@click.command()
@click.option("--studies", default=40, show_default=True, help="How many are simulated.")
@click.option("--first", default=0, show_default=True, help="Seed of the first; the others follow.")
@click.option("--tries", default=8, show_default=True, help="Of each search.")
@click.option("--recording", "is_recording", is_flag=True, help="What recording costs, instead.")
def main(studies: int, first: int, tries: int, is_recording: bool) -> None:
    """Print what nested searches say where there is nothing to find."""
    from threadpoolctl import threadpool_limits

    from steps.system.one_thread import tensorflow_on_one_thread

    tensorflow_on_one_thread()
    if is_recording:
        with threadpool_limits(1):
            default, small = tried_once(SimulationSize(controls=0), 101), tried_once(SIZE, TIMESTEPS)
        written = recorded(default[0])
        for name, trying in (("default study", default[1]), ("studies as above", small[1])):
            click.echo(f"{name}: {trying:.0f} ms to try, {written:.0f} ms to record: {written / trying:.1%}")
        return
    said = []
    with threadpool_limits(1), click.progressbar(range(first, first + studies), label="studies") as seeds:
        for seed in seeds:
            said.append(study(simulate(SIZE, TIMESTEPS, seed=seed), configuration(tries, seed)))
    click.echo(f"{studies} studies without an effect, seeds {first} to {first + studies - 1}, {tries} tries")
    for row in rows(said):
        click.echo(row)


if __name__ == "__main__":
    main()
