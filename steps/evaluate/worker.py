"""What a process of the pool does: evaluate one fold after the other, fit baselines, work on chunks of statistics.

It knows nothing of MLflow, and imports TensorFlow when there is a fold to evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from steps.compute import Pool, resident
from steps.compute.process import scratch
from steps.core.data.fold import FoldNetwork
from steps.core.data.shared_memory import DatasetPlace
from steps.system.one_thread import tensorflow_on_one_thread

if TYPE_CHECKING:
    import pandas as pd

    from steps.core.baselines.predict import Array, Fit
    from steps.core.data.dataset import Dataset
    from steps.core.data.fold import Fold
    from steps.core.metrics.chunks import Item, Mapper, T
    from steps.core.metrics.fold import EvaluatedFold
    from steps.core.metrics.permutation import Tested
    from steps.core.models.saved_network import ResidentNetwork


@dataclass(frozen=True)
class EvaluationJob:
    """What all folds have in common."""

    dataset: DatasetPlace
    thresholds: tuple[float, ...]
    seed: int


@resident
def _dataset(job: EvaluationJob) -> Dataset:
    return job.dataset.load(scratch())


@resident
def _network(_job: EvaluationJob) -> ResidentNetwork:
    tensorflow_on_one_thread()
    from steps.core.models.saved_network import ResidentNetwork

    return ResidentNetwork()


def evaluate(job: EvaluationJob, trained: FoldNetwork) -> EvaluatedFold:
    """Evaluate one fold.

    Raises:
        UserError: its network cannot be loaded, or gives something that is no probability.
    """
    dataset = _dataset(job)
    network = _network(job).load(trained.network, trained.fold.name, dataset.values.shape[1:])
    from steps.core.metrics.fold import evaluate_fold

    test = dataset.of_subjects(trained.fold.test_subjects)
    result = evaluate_fold(
        network,
        test,
        dataset.of_subjects(trained.fold.validation_subjects),
        job.thresholds,
        trained.left_out,
        frozenset(dataset.subjects[dataset.is_control].tolist()),
    )
    if dataset.labelling is None:
        return result
    from steps.core.metrics.inference import predict_labels
    from steps.core.models.networks import label_output

    return replace(result, label_outputs=predict_labels(label_output(network), test.values))


@resident
def _features(job: EvaluationJob, model: str) -> tuple[Dataset, list[Array] | None]:
    """The study without control subjects, and what its heads are fitted on."""
    tensorflow_on_one_thread()
    from steps.core.models.label_free import label_free_features

    dataset = _dataset(job)
    study = dataset.select(~dataset.is_control)
    with _threads().limit(limits=1):
        return study, label_free_features(study, model, job.seed)


def learn(job: EvaluationJob, model: str, sizes: tuple[int, ...], fold: Fold) -> pd.DataFrame:
    """What fewer training subjects of a fold would have said, as `steps.core.models.learning_curve.predictions`.

    Raises:
        ValueError: labels shape the features of the network, so that it would have to be trained anew.
    """
    study, features = _features(job, model)
    if features is None:
        raise ValueError(f"{model} has no features that no label has shaped")
    from steps.core.models.learning_curve import predictions

    with _threads().limit(limits=1):
        return predictions(features, study, fold, sizes)


def retrain(job: EvaluationJob, model: str) -> dict[str, Tested] | None:
    """`steps.core.metrics.retrained.retrained_test` of the study's subjects.

    Returns:
        None where a class is missing, or where labels shape the features of the network.
    """
    study, features = _features(job, model)
    return None if features is None else _retrained(job, study, features)


def retrain_baseline(job: EvaluationJob, name: str) -> dict[str, Tested] | None:
    """The same of a baseline that is a ridge classifier on features that no label has shaped.

    Returns:
        None where a class is missing, or where there are too many trials.

    Raises:
        UserError: the trials are too short for the baseline.
    """
    from steps.core.baselines.rocket import rocket_features
    from steps.core.models.label_free import MOST_TRIALS

    dataset = _dataset(job)
    study = dataset.select(~dataset.is_control)
    if len(study.labels) > MOST_TRIALS:
        return None
    with _threads().limit(limits=1):
        return _retrained(job, study, [rocket_features(name, study.values, job.seed)])


def _retrained(job: EvaluationJob, study: Dataset, features: list[Array]) -> dict[str, Tested] | None:
    from steps.core.metrics.permutation import PERMUTATIONS
    from steps.core.metrics.predictions import Scores
    from steps.core.metrics.retrained import retrained_test

    scores = Scores(study.labels, np.zeros(len(study.labels)), study.subjects)
    if not scores.has_both_classes:
        return None
    with _threads().limit(limits=1):
        return retrained_test(features, scores, permutations=PERMUTATIONS, seed=job.seed)


def fit_baseline(job: EvaluationJob, fit: Fit) -> Array:
    """Fit a baseline and predict, as `steps.core.baselines.predict.fit_predict`."""
    from steps.core.baselines.predict import fit_predict

    return fit_predict(_dataset(job), fit, job.seed)


def in_pool(pool: Pool) -> Mapper:
    """Work in a pool; each of its processes computes on one thread."""

    def run(function: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        tasks = [pool.submit(_on_one_thread, function, item) for item in items]
        return [task.result() for task in tasks]

    return run


def _on_one_thread(function: Callable[[Item], T], item: Item) -> T:
    with _threads().limit(limits=1):
        return function(item)


@resident
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
