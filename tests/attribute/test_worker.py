"""Attribution in pools: the same to the last bit wherever it is done."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.attribute.worker import AttributionJob, attribute
from steps.compute import Compute, open_pool, warm_up
from steps.core.attribution.compiled import Functions
from steps.core.attribution.fold import FoldResult, attribute_fold
from steps.core.attribution.settings import Settings
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold, FoldNetwork
from steps.core.models.saved_network import ResidentNetwork
from steps.tracking.places import DatasetArtifact
from tests.clusters import Cluster
from tests.conftest import ROOT
from tests.fold_networks import fold_network

RANDOMISED = frozenset({("S01", 1), ("S03", 1)})


@pytest.fixture(scope="module")
def folds() -> list[FoldNetwork]:
    training = ("S04", "S05", "S06", "S07")
    return [
        FoldNetwork(Fold.of_split({"training": training, "validation": (), "test": [name]}, name), fold_network(seed))
        for seed, name in enumerate(("S01", "S02", "S03"))
    ]


def assert_equal(one: FoldResult, other: FoldResult) -> None:
    np.testing.assert_array_equal(one.map.subject_signed, other.map.subject_signed)
    np.testing.assert_array_equal(one.outcomes.absolute, other.outcomes.absolute)
    pd.testing.assert_frame_equal(one.completeness, other.completeness, check_exact=True)
    for unit, curves in one.curves.curves.items():
        for name, curve in curves.items():
            np.testing.assert_array_equal(curve, other.curves.curves[unit][name])
    if one.randomised is None or other.randomised is None:
        assert one.randomised is other.randomised
    else:
        pd.testing.assert_frame_equal(one.randomised, other.randomised, check_exact=True)


def test_results_are_the_same_wherever_they_are_made(
    small_study: Dataset, small_study_folder: Path, dask_cluster: Cluster, folds: list[FoldNetwork]
) -> None:
    job = AttributionJob(
        DatasetArtifact(small_study.digest(), small_study_folder, None, None), Settings(steps=8), RANDOMISED
    )

    def attributed(scheduler: str, workers: str) -> dict[str, FoldResult]:
        with open_pool(Compute.of(scheduler, workers), len(folds)) as pool:
            return {trained.fold.name: result for trained, result in pool.each(partial(attribute, job), folds)}

    warm_up(Compute())
    alone = attributed("local", "1")
    assert set(alone) == {"S01", "S02", "S03"}
    assert (alone["S02"].randomised is None, alone["S03"].randomised is None) == (True, False)
    for tables in (attributed("local", "2"), attributed(dask_cluster.address, "auto")):
        for name, expected in alone.items():
            assert_equal(tables[name], expected)


def test_what_is_kept_from_fold_to_fold_changes_nothing(small_study: Dataset, folds: list[FoldNetwork]) -> None:
    """Each fold with a network and functions of its own, against all with the same ones."""
    resident, functions = ResidentNetwork(), Functions(1)
    for trained in folds:
        fold = trained.fold
        network = resident.load(trained.network, fold.name)
        before = network.get_weights()
        kept, own = (
            attribute_fold(
                model,
                small_study.of_subjects(fold.test_subjects),
                small_study.of_subjects(fold.training_subjects),
                small_study.select(small_study.is_control),
                Settings(steps=8),
                name=fold.name,
                test_number=1,
                randomise=fold.key in RANDOMISED,
                functions=given,
            )
            for model, given in (
                (network, functions),
                (ResidentNetwork().load(trained.network, fold.name), None),
            )
        )
        assert_equal(kept, own)
        for weights, original in zip(network.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weights, original)


@pytest.mark.parametrize("module", ["steps.attribute.__main__", "steps.attribute.worker"])
def test_what_waits_for_nothing_imports_nothing_slow(module: str) -> None:
    slow = "{'mlflow', 'tensorflow', 'keras', 'matplotlib', 'scipy', 'sklearn', 'distributed'}"
    code = f"import {module}, sys; loaded = {slow} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
