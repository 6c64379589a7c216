"""What the heads of a network are fitted on, where no label takes part in it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset
from steps.core.models.fit import standardisation
from steps.core.models.table import MODELS, named

MOST_TRIALS: Final = 6000  # what is done with them takes memory by their square, time by their cube


def label_free_features(study: Dataset, model: str, seed: int) -> list[npt.NDArray[np.float64]] | None:
    """Features of a study's trials by a network's fixed part, fitted on these trials.

    Args:
        study: normalised as the network takes it.
        model: a name of `MODELS`.
        seed: of what is drawn at random.

    Returns:
        A matrix ``(trials, features)`` for each head; None where labels shape the features of the network, or where
        there are more than `MOST_TRIALS`.
    """
    features = MODELS[model].features
    if features is None or len(study.labels) > MOST_TRIALS:
        return None
    mean, scale = standardisation(study.values)
    standardised = ((study.values - mean) / scale).astype(np.float32)
    made: list[npt.NDArray[np.float64]] = named(features)(standardised, seed)
    return made
