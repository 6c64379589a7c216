"""Hyperparameters of a fit, and the memory it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steps.core.data.dataset import Floats, Ints
from steps.core.data.labelling import Labelling
from steps.core.models.table import MODELS
from steps.errors import UserError

# Memory of a training process, as measured: with hardly any data, and for each byte of the dataset.
_TENSORFLOW_MIB, _COPIES = 900.0, 7.5
_VALIDATION_BATCH = 256

# Of each class, in the loss: of the negative and the positive one, or of those of a labelling.
ClassWeights = tuple[float, ...]


@dataclass(frozen=True)
class FitSettings:
    """Hyperparameters of a fit; a patience of 0 switches that schedule off."""

    model: str = "soft_multirocket"
    epochs: int = 60
    batch_size: int = 16
    precision: str = "float32"
    learning_rate: float = 0.001
    early_stopping_patience: int = 15
    reduce_lr_patience: int = 6
    reduce_lr_factor: float = 0.5


def process_mib(settings: FitSettings, values: Floats) -> float:
    """Memory that a training process takes at most, in MiB, estimated generously; ``workers=auto`` uses it.

    Measured (docs/scaling.md): TensorFlow and a compiled network, copies of the dataset while a fold is standardised
    and fitted, and the feature maps of a batch.

    Args:
        settings: of the fits.
        values: of the dataset, ``(trials, timesteps, features)``.
    """
    batch = max(settings.batch_size, _VALIDATION_BATCH)
    maps = 4 * batch * values.shape[1] * MODELS[settings.model].feature_maps * np.dtype(np.float32).itemsize
    return _TENSORFLOW_MIB + float(_COPIES * values.nbytes + maps) / 2**20


def class_weights(given: ClassWeights | None, labelling: Labelling | None) -> ClassWeights | None:
    """The weights that a user gave, for a study's labels; None to balance the classes.

    Raises:
        UserError: two weights, where labels are no two classes.
    """
    if given is None or labelling is None:
        return given
    if given != (1.0, 1.0):
        raise UserError(
            f"class_weight={','.join(f'{one:g}' for one in given)} is for two classes, found label_kind="
            f"{labelling.kind}; expected 'balanced' or 'none'"
        )
    return (1.0,) * len(labelling.names)


def balanced_weights(labels: Ints, classes: int = 2) -> ClassWeights:
    """Weights that give all classes the same total: n / (classes x n_class)."""
    from sklearn.utils.class_weight import compute_class_weight  # takes long to import

    return tuple(float(one) for one in compute_class_weight("balanced", classes=np.arange(classes), y=labels))
