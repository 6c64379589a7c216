"""What a process of the pool does: attribute the held-out trials of one fold after the other.

It knows nothing of MLflow, and imports TensorFlow when it has something to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.compute import resident
from steps.compute.process import scratch
from steps.core.attribution.settings import Settings
from steps.core.data.fold import FoldNetwork
from steps.core.data.shared_memory import DatasetPlace
from steps.system.one_thread import tensorflow_on_one_thread

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

    from steps.core.attribution.compiled import Functions
    from steps.core.attribution.fold import FoldResult
    from steps.core.data.dataset import Dataset
    from steps.core.models.saved_network import ResidentNetwork


@dataclass(frozen=True)
class AttributionJob:
    """What all folds have in common.

    Attributes:
        dataset: where it is.
        settings: how to attribute.
        randomised: keys of the folds that get the randomisation check as well.
        explained_class: the class whose probability is attributed; None for the one that the study asks for.
    """

    dataset: DatasetPlace
    settings: Settings
    randomised: frozenset[tuple[str, int]] = frozenset()
    explained_class: str | None = None


@dataclass
class _Warm:
    dataset: Dataset
    network: ResidentNetwork
    functions: Functions
    threads: ThreadpoolController


@resident
def _warm(job: AttributionJob) -> _Warm:
    """What a process needs for every fold: one thread, the dataset, one network with its compiled functions."""
    tensorflow_on_one_thread()
    from threadpoolctl import ThreadpoolController

    from steps.core.attribution.compiled import Functions
    from steps.core.models.saved_network import ResidentNetwork

    dataset = job.dataset.load(scratch())
    if job.explained_class is not None:
        dataset = dataset.asking(job.explained_class)
    return _Warm(dataset, ResidentNetwork(), Functions(job.settings.target), ThreadpoolController())


def attribute(job: AttributionJob, trained: FoldNetwork) -> FoldResult:
    """Attribute one fold.

    Raises:
        UserError: its network cannot be loaded, or its attribution baseline does not exist.
    """
    warm, fold = _warm(job), trained.fold
    from steps.core.attribution.fold import attribute_fold

    with warm.threads.limit(limits=1):
        network = warm.network.load(trained.network, fold.name, warm.dataset.values.shape[1:])
        if job.explained_class is not None and warm.dataset.labelling:
            from steps.core.models.networks import ask

            ask(network, warm.dataset.labelling)
        return attribute_fold(
            network,
            warm.dataset.of_subjects(fold.test_subjects),
            warm.dataset.of_subjects(fold.training_subjects),
            warm.dataset.select(warm.dataset.is_control),
            job.settings,
            name=fold.name,
            test_number=fold.test_number,
            randomise=fold.key in job.randomised,
            functions=warm.functions,
        )
