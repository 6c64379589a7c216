"""Whether AUC does with more training subjects what the learning curve of a small study says it will.

    python -m benchmarks.continued [--studies 100] [--effect 0.2] [--subjects 24]

Each study is simulated together with many more people of the same population, who are nobody's training or test until
the end. The study's own people are cross-validated (``cv=loso``) with fewer and fewer training subjects, and the curve
is continued, by the project's own functions. What is true of a larger number of training subjects is measured on the
others: that many of them train, the rest is tested, several times. The fronts of ``soft_multirocket`` are fitted once,
on everybody, without labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from benchmarks.no_effect import MODEL
from steps.core.data.cross_validation import LOSO
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.metrics.learning_curve import learning_curve
from steps.core.metrics.predictions import FoldPrediction, results_table
from steps.core.metrics.summary import summary
from steps.core.models.heads import Array, fitted_heads
from steps.core.models.learning_curve import predictions, sizes
from steps.core.readers.simulate import SimulationSize, simulate

Bools = npt.NDArray[np.bool_]

_OTHERS: Final = 216
_TIMES: Final = 8


@dataclass(frozen=True)
class Continued:
    """What a study said of one larger number of training subjects, and what is true.

    Attributes:
        factor: times the training subjects that the study has.
        said: AUC of subjects, and the ends of its interval.
        stayed: what it had reached itself.
        true: AUC of other people of the population, after training on that many.
    """

    factor: float
    said: tuple[float, float, float]
    stayed: float
    true: float


def study(seed: int, effect: float, subjects: int) -> list[Continued]:
    """Simulate a study, continue its curve, and train on more of its population."""
    from steps.core.models.label_free import label_free_features

    size = SimulationSize(subjects=subjects + _OTHERS, controls=0, effect=effect)
    everybody = simulate(size, seed=seed)
    features = label_free_features(everybody, MODEL, seed)
    if features is None:
        raise RuntimeError(f"labels shape the features of {MODEL}")
    random = np.random.default_rng(seed)
    own = _drawn(everybody, subjects, random)
    document = _curve(everybody, features, own, seed)
    reached, others = document["points"][-1], ~own
    return [
        Continued(
            factor=round(point["training_subjects"] / reached["training_subjects"], 1),
            said=(point["auc"], point["low"], point["high"]),
            stayed=reached["auc"],
            true=_true(everybody, features, others, int(point["training_subjects"]), random),
        )
        for point in [reached, *document["further"]]
    ]


def _curve(everybody: Dataset, features: Sequence[Array], own: Bools, seed: int) -> dict[str, Any]:
    dataset, own_features = everybody.select(own), [one[own] for one in features]
    folds = plan_folds(dataset, cv=LOSO, validation_fraction=0, seed=seed)
    wanted = sizes(folds)
    curve = pd.concat([predictions(own_features, dataset, fold, wanted) for fold in folds], ignore_index=True)
    held_out = []
    for fold in folds:
        trains, tested = (np.isin(dataset.subjects, names) for names in (fold.training_subjects, fold.test_subjects))
        heads = fitted_heads(own_features, dataset, trains)
        held_out.append(
            FoldPrediction(dataset.select(tested), 1, expit(heads.outputs([one[tested] for one in own_features])[:, 0]))
        )
    return learning_curve(curve, summary(results_table(held_out, (0.5,)), (0.5,), seed=seed, permutations=99), seed)


def _true(
    everybody: Dataset, features: Sequence[Array], others: Bools, size: int, random: np.random.Generator
) -> float:
    """AUC of subjects after training on so many: the mean over several draws, the rest is tested."""
    aucs = []
    for _ in range(_TIMES):
        trains = _drawn(everybody, size, random, others)
        tested = others & ~trains
        heads = fitted_heads(features, everybody, trains)
        probabilities = expit(heads.outputs([one[tested] for one in features])[:, 0])
        said = pd.Series(probabilities).groupby(everybody.subjects[tested])
        labels = pd.Series(everybody.labels[tested]).groupby(everybody.subjects[tested])
        aucs.append(roc_auc_score(labels.first(), said.mean()))
    return float(np.mean(aucs))


def _drawn(everybody: Dataset, size: int, random: np.random.Generator, among: Bools | None = None) -> Bools:
    """Trials of so many subjects, half of them of either class."""
    known = np.ones(len(everybody.labels), dtype=bool) if among is None else among
    chosen = []
    for label in (0, 1):
        names = np.unique(everybody.subjects[known & (everybody.labels == label)])
        chosen += random.choice(names, (size + label) // 2, replace=False).tolist()
    return np.isin(everybody.subjects, chosen)


def table(studies: Sequence[Sequence[Continued]]) -> Iterator[str]:
    """Rows in Markdown, one for each factor.

    Args:
        studies: what `study` found, the same factors in each.
    """
    yield "| training subjects | truth (AUC) | said | off by | had it stayed | interval holds it (truth is) | width |"
    yield "|---|---|---|---|---|---|---|"
    for one in zip(*studies, strict=True):
        true, stayed = (np.array([getattr(point, name) for point in one]) for name in ("true", "stayed"))
        said, low, high = np.array([point.said for point in one]).T
        missed = f"{(true < low).mean():.0%} below, {(true > high).mean():.0%} above"
        yield (
            f"| {one[0].factor:g} times | {true.mean():.3f} | {said.mean():.3f} | {np.abs(said - true).mean():.3f} "
            f"| {np.abs(stayed - true).mean():.3f} | {((low <= true) & (true <= high)).mean():.0%} ({missed}) "
            f"| {(high - low).mean():.2f} |"
        )


@click.command()
@click.option("--studies", default=100, show_default=True, help="How many are simulated.")
@click.option("--first", default=0, show_default=True, help="Seed of the first; the others follow.")
@click.option("--effect", default=0.2, show_default=True, help="How strong fear shows; 1 is the default study.")
@click.option("--subjects", default=24, show_default=True, help="Of each study.")
def main(studies: int, first: int, effect: float, subjects: int) -> None:
    """Print how far continued curves are from what more people give."""
    from threadpoolctl import threadpool_limits

    from steps.system.one_thread import tensorflow_on_one_thread

    tensorflow_on_one_thread()
    with threadpool_limits(1), click.progressbar(range(first, first + studies), label="studies") as seeds:
        done = [study(seed, effect, subjects) for seed in seeds]
    click.echo(f"{studies} studies of {subjects} subjects, effect {effect:g}, seeds {first} to {first + studies - 1}")
    for row in table(done):
        click.echo(row)


if __name__ == "__main__":
    main()
