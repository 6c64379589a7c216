"""What can be reached on the simulated study: trials ranked by what nobody can see, and by who has seen many people.

    python -m benchmarks.ceiling

The same trials, made with and without fear, differ by the fear that each of them shows. Ranked by that, those of the
classes still overlap: nobody can do better, whatever he learns from. A linear classifier on all numbers of a trial,
trained on 1,200 other people of the same population, comes close.
"""

from __future__ import annotations

from dataclasses import replace

import click
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score

from steps.core.data.dataset import Dataset
from steps.core.readers.simulate import SimulationSize, simulate

_PENALTY, _OTHERS = 1000.0, 777


def shown(size: SimulationSize, seed: int) -> tuple[Dataset, np.ndarray]:
    """The subjects of a simulated study, and how strongly each of their trials shows fear, shape ``(trials,)``."""
    study, calm = (simulate(one, seed=seed) for one in (size, replace(size, effect=0.0)))
    subjects = study.select(~study.is_control)
    added = subjects.values.astype(np.float64) - calm.values[~study.is_control]
    spread = added.std(axis=(0, 1))
    template = added[np.abs(added).max(axis=(1, 2)).argmax()]
    # One template times the fear of a trial, but for its timing.
    along = np.einsum("ntf,tf->n", added / np.where(spread, spread, 1), template / np.where(spread, spread, 1))
    return subjects, along * np.sign(along @ (subjects.labels - subjects.labels.mean()))


def by_many(subjects: Dataset, size: SimulationSize, seed: int, people: int) -> np.ndarray:
    """Scores of the trials by a ridge classifier trained on other people of the same population."""
    others = simulate(replace(size, subjects=people, controls=0), seed=seed, people=_OTHERS)
    mean, sd = others.values.mean(axis=0), others.values.std(axis=0)
    training, tested = (((one.values - mean) / sd).reshape(len(one.values), -1) for one in (others, subjects))
    return np.asarray(RidgeClassifier(alpha=_PENALTY).fit(training, others.labels).decision_function(tested))


@click.command()
@click.option("--seeds", default=3, show_default=True, help="How many studies, from seed 0 on.")
@click.option("--people", default=1200, show_default=True, help="How many others train.")
def main(seeds: int, people: int) -> None:
    """Print the AUC of trials of both."""
    size = SimulationSize()
    print("| seed | by the fear that was made | by who has seen many people |\n|---|---|---|")
    for seed in range(seeds):
        subjects, fear = shown(size, seed)
        aucs = [roc_auc_score(subjects.labels, scores) for scores in (fear, by_many(subjects, size, seed, people))]
        print(f"| {seed} | {aucs[0]:.3f} | {aucs[1]:.3f} |")


if __name__ == "__main__":
    main()
