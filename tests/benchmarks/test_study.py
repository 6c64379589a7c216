"""The plain way and the project see the same trials and the same splits."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plain.recordings import read_trials
from benchmarks.study import Plan, Study, make_study, simulated, write_splits
from steps.core.data.artifact import read_artifact


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), subjects=6, trials=3, timesteps=11)


def test_files_dataset_and_simulation_hold_the_same_values(study: Study) -> None:
    expected = simulated(6, 3, timesteps=11)
    dataset = read_artifact(study.dataset)
    values, labels = read_trials(study.recordings / "participants", np.unique(dataset.subjects).tolist())
    for read_values, read_labels in ((values, labels), (dataset.values, dataset.labels)):
        np.testing.assert_array_equal(read_values, expected.values)
        np.testing.assert_array_equal(read_labels, expected.labels)
    assert values.dtype == dataset.values.dtype == np.float32


@pytest.mark.parametrize("plan", [Plan(), Plan("group-kfold:3", repeats=2, seed=5), Plan(subjects="S02,S04")])
def test_plain_way_reads_the_splits_that_train_plans(study: Study, plan: Plan, tmp_path: Path) -> None:
    folds = write_splits(study, plan, tmp_path / "splits.json")
    splits = json.loads((tmp_path / "splits.json").read_text())
    assert [(fold["name"], fold["test_number"], fold["seed"]) for fold in splits["folds"]] == [
        (fold.name, fold.test_number, fold.seed) for fold in folds
    ]
    for written, fold in zip(splits["folds"], folds, strict=True):
        parts = [written["training"], written["validation"], written["test"]]
        assert parts == [list(p) for p in (fold.training_subjects, fold.validation_subjects, fold.test_subjects)]
        assert sorted(chain.from_iterable(parts)) == [f"S{number:02d}" for number in range(1, 7)]
        assert Path(splits["recordings"], written["test"][0]).is_dir()
