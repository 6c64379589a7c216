"""A final model that costs no training, and people it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.models.refit import refit_fold, training_summary
from steps.core.models.training_reference import TrainingReference
from steps.core.readers.recorded import Recorded, from_dataset
from steps.core.readers.simulate import SimulationSize, simulate
from steps.predict.unseen import Unseen, fit_to_model


@pytest.fixture(scope="session")
def summary(small_study: Dataset) -> dict[str, Any]:
    """What a model of the small study would be stored with."""
    return training_summary(small_study, refit_fold(small_study, "exclude", seed=0))


@pytest.fixture(scope="session")
def trained(summary: dict[str, Any]) -> TrainingReference:
    return TrainingReference.model_validate(summary)


@pytest.fixture(scope="session")
def new_people() -> Dataset:
    """Four other subjects of the small study's population, and one control."""
    size = SimulationSize(subjects=4, controls=1, trials_min=3, trials_max=4, features=6, effect=2.0)
    people = simulate(size, timesteps=21, seed=1, people=5)
    return replace(people, subjects=np.char.replace(people.subjects, "S", "N"))


@pytest.fixture(scope="session")
def recorded(new_people: Dataset) -> Recorded:
    return from_dataset(new_people, "new")


@pytest.fixture(scope="session")
def unseen(recorded: Recorded, trained: TrainingReference) -> Unseen:
    return fit_to_model(recorded, trained)


@pytest.fixture(scope="session")
def network(small_study: Dataset) -> Any:
    """An untrained network behind the small study's scaler: any weights will do for what is tested here."""
    import keras

    from steps.core.models import networks
    from steps.core.models.fit import standardisation

    keras.utils.set_random_seed(0)
    network = networks.build("cnn", small_study.timesteps, len(small_study.features))
    networks.set_scaler(network, *standardisation(small_study.values))
    return network
