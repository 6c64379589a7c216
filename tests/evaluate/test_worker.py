"""Evaluation in pools: the same to the last bit wherever it is done."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.compute import Compute, Pool, open_pool, warm_up
from steps.core.baselines.predict import fit_predict, fits_of
from steps.core.baselines.rocket import rocket_features
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold, FoldNetwork
from steps.core.metrics.chunks import Chunked, chunks, serial
from steps.core.metrics.fold import EvaluatedFold, evaluate_fold
from steps.core.metrics.method_comparison import baselines_summary
from steps.core.metrics.predictions import Scores
from steps.core.metrics.retrained import retrained_test
from steps.core.metrics.summary import summary
from steps.core.models.keras_file import load
from steps.evaluate.worker import EvaluationJob, evaluate, fit_baseline, in_pool, retrain_baseline
from steps.tracking.places import DatasetArtifact
from tests.clusters import Cluster
from tests.conftest import ROOT
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker
from tests.fold_networks import fold_network

TIMES = {"inference_ms_per_trial", "evaluation_time_s"}
BASELINES = ("majority", "logistic")
FOLDS = [
    Fold.of_split({"training": ["S06", "S07"], "validation": ["S04", "S05"], "test": [name]}, name)
    for name in ("S01", "S02", "S03")
]


@pytest.fixture(scope="module")
def folds() -> list[FoldNetwork]:
    return [FoldNetwork(fold, fold_network(seed)) for seed, fold in enumerate(FOLDS)]


@pytest.fixture
def job(small_study: Dataset, small_study_folder: Path) -> EvaluationJob:
    place = DatasetArtifact(small_study.digest(), small_study_folder, None, None)
    return EvaluationJob(place, thresholds=(0.5, 0.35), seed=0)


def everything(
    pool: Pool, job: EvaluationJob, folds: list[FoldNetwork], results: pd.DataFrame
) -> tuple[dict[str, EvaluatedFold], dict[str, Any], list[np.ndarray]]:
    """Folds by name, the summary with baselines, and what baselines predict."""
    evaluated = {trained.fold.name: one for trained, one in pool.each(partial(evaluate, job), folds)}
    chunked = Chunked(in_pool(pool), elements=3000)  # dozens of chunks
    document = summary(results, THRESHOLDS, permutations=200, chunked=chunked)
    other = results.assign(probability=1 - results["probability"])
    document["baselines"], document["ranking"] = baselines_summary(
        results, {"other": other}, THRESHOLDS, permutations=99, chunked=chunked
    )
    fits = [pool.submit(fit_baseline, job, fit) for fit in fits_of(BASELINES, FOLDS[:2])]
    return evaluated, document, [task.result() for task in fits]


def test_results_are_the_same_wherever_they_are_made(
    small_study: Dataset,
    job: EvaluationJob,
    folds: list[FoldNetwork],
    study: StudyMaker,
    dask_cluster: Cluster,
) -> None:
    results = study(subjects=20, mixed=3)
    warm_up(Compute())
    outcomes = []
    for scheduler, workers in (("local", "1"), ("local", "2"), (dask_cluster.address, "auto")):
        with open_pool(Compute.of(scheduler, workers), len(folds)) as pool:
            outcomes.append(everything(pool, job, folds, results))
    one, document, fitted = outcomes[0]
    for others, other_document, other_fitted in outcomes[1:]:
        assert other_document == document
        for mine, theirs in zip(fitted, other_fitted, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for name, expected in one.items():
            np.testing.assert_array_equal(others[name].probabilities, expected.probabilities)
            assert others[name].own == expected.own
            assert {key: value for key, value in others[name].metrics.items() if key not in TIMES} == {
                key: value for key, value in expected.metrics.items() if key not in TIMES
            }
    for fit, probabilities in zip(fits_of(BASELINES, FOLDS[:2]), fitted, strict=True):
        np.testing.assert_array_equal(probabilities, fit_predict(small_study, fit, 0))


def test_a_fold_is_evaluated_on_its_own_subjects(small_study: Dataset, folds: list[FoldNetwork]) -> None:
    fold = folds[0]
    model = load(fold.network)
    test, validation = (
        small_study.of_subjects(fold.fold.test_subjects),
        small_study.of_subjects(fold.fold.validation_subjects),
    )
    evaluated = evaluate_fold(model, test, validation, (0.5, 0.35))
    np.testing.assert_array_equal(evaluated.probabilities, np.asarray(model(test.values, training=False))[:, 0])
    assert evaluated.own.deciding_subjects == 2
    assert {"test_loss", "threshold_0.35/f1", "threshold_in_fold/accuracy", "in_fold_threshold", *TIMES} <= set(
        evaluated.metrics
    )
    assert evaluated.p_values is None, "it left out nobody"
    left_out = pd.DataFrame({"subject": ["a", "b", "c"], "label": [0, 1, 0], "probability": [0.2, 0.7, 1.0]})
    p_values = evaluate_fold(model, test, validation, (0.5,), left_out, {"c"}).p_values
    assert p_values is not None
    assert (p_values["level"] == "pooled").sum() == len(test.labels)
    assert set(p_values["p_value_0"]) <= {0.5, 1.0}, "one subject of either class, the control group aside"


def test_a_baseline_is_trained_again_on_the_study_without_its_controls(
    small_study: Dataset, job: EvaluationJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aeon")
    tested = retrain_baseline(job, "minirocket")
    assert tested is not None
    patients = small_study.select(~small_study.is_control)
    features = rocket_features("minirocket", patients.values, job.seed)
    scores = Scores(patients.labels, np.zeros(len(patients.labels)), patients.subjects)
    assert tested == retrained_test([features], scores, permutations=2000, seed=job.seed)
    assert tested["subject"]["retrained"]
    monkeypatch.setattr("steps.core.models.label_free.MOST_TRIALS", 5)
    assert retrain_baseline(job, "minirocket") is None


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2000, 177), (2001, 90_000), (5, 10**8), (0, 3)])
def test_chunks_cover_every_row_once(rows: int, columns: int) -> None:
    cut = chunks(rows, columns)
    np.testing.assert_array_equal(np.concatenate([np.arange(rows)[part] for part in cut]), np.arange(rows))
    assert all(part.stop - part.start == 1 or (part.stop - part.start) * columns <= 2_000_000 for part in cut)


def test_chunks_in_this_process_keep_their_order() -> None:
    assert serial(str, range(5)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("module", ["steps.evaluate.__main__", "steps.evaluate.worker"])
def test_what_waits_for_nothing_imports_nothing_slow(module: str) -> None:
    slow = "{'mlflow', 'tensorflow', 'keras', 'matplotlib', 'scipy', 'sklearn', 'distributed'}"
    code = f"import {module}, sys; loaded = {slow} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
