"""What a process of the pool does for `benchmarks.attribution`: Integrated Gradients, and no checks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steps.attribute.worker import AttributionJob
from steps.compute import resident
from steps.compute.process import scratch
from steps.core.data.dataset import Dataset, Floats
from steps.core.data.fold import FoldNetwork
from steps.system.one_thread import tensorflow_on_one_thread

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

    from steps.core.attribution.compiled import Functions
    from steps.core.models.saved_network import ResidentNetwork


@dataclass
class _Warm:
    dataset: Dataset
    network: ResidentNetwork
    functions: Functions
    threads: ThreadpoolController


@resident
def _warm(job: AttributionJob) -> _Warm:
    tensorflow_on_one_thread()
    from threadpoolctl import ThreadpoolController

    from steps.core.attribution.compiled import Functions
    from steps.core.models.saved_network import ResidentNetwork

    return _Warm(job.dataset.load(scratch()), ResidentNetwork(), Functions(job.settings.target), ThreadpoolController())


def integrate(job: AttributionJob, trained: FoldNetwork) -> Floats:
    """Attributions of a fold's held-out trials, ``(trials, timesteps, features)``."""
    warm = _warm(job)
    from steps.core.attribution.fold import FoldTask

    with warm.threads.limit(limits=1):
        task = FoldTask(
            warm.network.load(trained.network, trained.fold.name),
            warm.functions,
            warm.dataset.of_subjects(trained.fold.test_subjects),
            warm.dataset.of_subjects(trained.fold.training_subjects),
            warm.dataset.select(warm.dataset.is_control),
            job.settings,
            seed=0,
        )
        return task.attribute().attributions
