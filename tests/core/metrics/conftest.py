from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.metrics.comparable import Method
from steps.core.metrics.predictions import FoldPrediction, Scores, results_table

THRESHOLDS = (0.5, 0.35)


def make_dataset(subjects: list[str], trials: list[str], labels: list[int]) -> Dataset:
    """A data set whose values are all zero: evaluation only needs the keys."""
    return Dataset(
        values=np.zeros((len(labels), 2, 1), dtype=np.float32),
        labels=np.array(labels, dtype=np.int8),
        subjects=np.array(subjects),
        trials=np.array(trials),
        is_control=np.zeros(len(labels), dtype=bool),
        features=("angle",),
        time=(0.0, 1.0),
    )


def scores(labels: list[int], probabilities: list[float], subjects: list[str] | None = None) -> Scores:
    """Entries with one probability each, of as many subjects unless they are named."""
    names = subjects or [f"s{index:03d}" for index in range(len(labels))]
    return Scores(np.array(labels, dtype=np.int8), np.array(probabilities, dtype=np.float64), np.array(names))


StudyMaker = Callable[..., pd.DataFrame]


@pytest.fixture
def study() -> StudyMaker:
    """Makes results of a study: subjects of alternating class, each with its own offset.

    The first ``mixed`` subjects have trials of both classes.
    """

    def make(
        subjects: int = 12, test_numbers: int = 1, effect: float = 1.0, seed: int = 0, mixed: int = 0
    ) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        folds = []
        for index in range(subjects):
            label, trials = index % 2, int(generator.integers(3, 9))
            names = [f"t{trial}" for trial in range(trials)]
            labels = [(label + trial) % 2 if index < mixed else label for trial in range(trials)]
            test = make_dataset([f"s{index:03d}"] * trials, names, labels)
            centre = (2 * test.labels - 1) * effect + generator.normal()
            logits = centre + generator.normal(0, 0.7, trials)
            for number in range(1, test_numbers + 1):
                noisy = logits + generator.normal(0, 0.3, trials)
                folds.append(FoldPrediction(test, number, 1 / (1 + np.exp(-noisy))))
        return results_table(folds, THRESHOLDS)

    return make


MethodMaker = Callable[..., Method]


@pytest.fixture(scope="session")
def make_method() -> MethodMaker:
    """Predictions of subjects of alternating class; the same ``hard`` seed makes the same subjects hard."""

    def make(
        effect: float = 1.0,
        noise: int = 0,
        *,
        subjects: int = 20,
        trials: int = 4,
        test_numbers: int = 1,
        mixed: bool = False,
        train_run_id: str = "a" * 32,
        title: str = "cnn",
    ) -> Method:
        shared, own = np.random.default_rng(7), np.random.default_rng(noise)
        rows = []
        for index in range(subjects):
            offset = shared.normal(0, 1)
            for trial in range(trials):
                label = trial % 2 if mixed else index % 2
                wobble = shared.normal(0, 0.5)
                for number in range(1, test_numbers + 1):
                    logit = (2 * label - 1) * effect + offset + wobble + own.normal(0, 0.2)
                    rows.append((f"s{index:02d}", f"t{trial}", label, number, 1 / (1 + np.exp(-logit))))
        results = pd.DataFrame(rows, columns=["subject", "trial", "label", "test_number", "probability"])
        folds = {
            (f"s{index:02d}", number): frozenset([f"s{index:02d}"])
            for index in range(subjects)
            for number in range(1, test_numbers + 1)
        }
        return Method(title, train_run_id, "", "d" * 64, folds, results, {"epochs": "60", "model": title})

    return make
