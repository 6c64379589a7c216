"""What a process of the pool does: evaluate one fold after the other, fit baselines.

It knows nothing of MLflow, and imports TensorFlow when there is a fold to evaluate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.compute import resident
from steps.compute.process import scratch
from steps.core.data.fold import FoldNetwork
from steps.core.data.shared_memory import DatasetPlace
from steps.system.one_thread import tensorflow_on_one_thread

if TYPE_CHECKING:
    from steps.core.baselines.predict import Array, Fit
    from steps.core.data.dataset import Dataset
    from steps.core.metrics.fold import EvaluatedFold
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

    return evaluate_fold(
        network,
        dataset.of_subjects(trained.fold.test_subjects),
        dataset.of_subjects(trained.fold.validation_subjects),
        job.thresholds,
    )


def fit_baseline(job: EvaluationJob, fit: Fit) -> Array:
    """Fit a baseline and predict, as `steps.core.baselines.predict.fit_predict`."""
    from steps.core.baselines.predict import fit_predict

    return fit_predict(_dataset(job), fit, job.seed)
