from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from steps.compare.match import Method

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
