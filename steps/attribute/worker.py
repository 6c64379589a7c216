"""What a process of the pool does: attribute the held-out trials of one fold after the other.

It knows nothing of MLflow, and imports TensorFlow when it has something to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steps.compute import resident
from steps.compute.process import scratch
from steps.core.attribution.settings import Settings
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
    """What all folds have in common."""

    dataset: DatasetPlace
    settings: Settings


@dataclass(frozen=True)
class FoldToAttribute:
    """A fold, as it travels to a process of the pool.

    Attributes:
        name: of the fold.
        test_number: which repeat of it.
        training: subjects the network was fitted on.
        test: held-out subjects.
        network: content of the ``.keras`` file. The file itself goes along: a few hundred KiB are less trouble than an
            address that every machine of a cluster can read.
        randomise: whether to run the randomisation check as well.
    """

    name: str
    test_number: int
    training: tuple[str, ...]
    test: tuple[str, ...]
    network: bytes = field(repr=False)
    randomise: bool


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

    return _Warm(job.dataset.load(scratch()), ResidentNetwork(), Functions(job.settings.target), ThreadpoolController())


def attribute(job: AttributionJob, fold: FoldToAttribute) -> FoldResult:
    """Attribute one fold.

    Raises:
        UserError: its network cannot be loaded, or its baseline cannot be had.
    """
    warm = _warm(job)
    from steps.core.attribution.fold import attribute_fold

    with warm.threads.limit(limits=1):
        return attribute_fold(
            warm.network.load(fold.network, fold.name, warm.dataset.values.shape[1:]),
            warm.dataset.of_subjects(fold.test),
            warm.dataset.of_subjects(fold.training),
            warm.dataset.select(warm.dataset.is_control),
            job.settings,
            name=fold.name,
            test_number=fold.test_number,
            randomise=fold.randomise,
            functions=warm.functions,
        )
