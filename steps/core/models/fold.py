"""One fold: standardise on its training trials, fit, and give the model its scaler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.models import networks
from steps.core.models.fit import Engine, Fit, Labels, OnEpoch, standardisation
from steps.core.models.settings import ClassWeights, FitSettings, balanced_weights
from steps.errors import UserError


@dataclass(frozen=True)
class TrainedFold:
    """A fold's model and how it came about.

    Attributes:
        fold: who trained, validated and is tested.
        model: from trials in the user's units, ``(trials, timesteps, features)``, to ``(trials, 1)``.
        history: a row per epoch (from 1), a column per metric.
        timestamps_ms: end of each epoch, Unix milliseconds.
        seconds: wall time of the fit.
        class_weight: weight of each class; none of a score.
        class_counts: trials of each class, per part (``training``, ``validation``, ``test``).
        left_out: `left_out_table` of the training trials; None where the network leaves out nobody.
    """

    fold: Fold
    model: keras.Model
    history: pd.DataFrame
    timestamps_ms: list[int]
    seconds: float
    class_weight: ClassWeights
    class_counts: dict[str, tuple[int, int]]
    left_out: pd.DataFrame | None = None

    def metrics(self) -> dict[str, float]:
        """The fold's training metrics under the contract's names; ``*_epoch`` counts from 1."""
        metrics: dict[str, float] = {"epochs_trained": len(self.history), "training_time_s": self.seconds}
        if "val_loss" in self.history:
            accuracy, loss = self.history["val_accuracy"].to_numpy(), self.history["val_loss"].to_numpy()
            metrics |= {
                "best_val_accuracy": float(accuracy.max()),
                "best_val_accuracy_epoch": int(accuracy.argmax()) + 1,
                "best_val_loss": float(loss.min()),
                "best_val_loss_epoch": int(loss.argmin()) + 1,
            }
        return metrics


# Processors take numbers below 1e-38 for zero; a saved model is exact while these are far below a standard deviation.
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-31, 1e31


def _check_scale(features: Sequence[str], scale: npt.NDArray[np.float64]) -> None:
    for name, value in zip(features, scale.tolist(), strict=True):
        if not _SMALLEST_SCALE <= value <= _LARGEST_SCALE:
            raise UserError(
                f"feature {name!r:.200} has a standard deviation of {value:.3g}, expected {_SMALLEST_SCALE:g} to "
                f"{_LARGEST_SCALE:g}, which single precision holds: give it in another unit and prepare again"
            )


def train_fold(
    engine: Engine,
    dataset: Dataset,
    fold: Fold,
    settings: FitSettings,
    class_weight: ClassWeights | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainedFold:
    """Train one fold; the held-out subjects' trials are counted but never read.

    A fold without validation subjects trains all of the settings' epochs. Without class weights, the classes are
    balanced.

    Raises:
        UserError: a feature is too small or too large for float32, or the loss became infinite or not a number.
    """
    training = dataset.of_subjects(fold.training_subjects)
    validation = dataset.of_subjects(fold.validation_subjects)
    mean, scale = standardisation(training.values)
    _check_scale(dataset.features, scale)
    weights = class_weight or _balanced(training)

    def scaled(part: Dataset) -> tuple[np.ndarray, Labels]:
        values = part.values - mean
        values /= scale  # in place: one copy in double precision is enough
        return values.astype(np.float32), part.labels if part.label_values is None else part.label_values

    held = scaled(validation) if fold.validation_subjects else None
    fit: Fit = engine.fit(scaled(training), held, weights, settings, fold.seed, on_epoch, training.subjects)
    counts = {
        name: (part.label_counts["0"], part.label_counts["1"])
        for name, part in (
            ("training", training),
            ("validation", validation),
            ("test", dataset.of_subjects(fold.test_subjects)),
        )
    }
    history = pd.DataFrame(fit.history)
    if not np.isfinite(history.to_numpy()).all():
        epoch = int(np.flatnonzero(~np.isfinite(history.to_numpy()).all(axis=1))[0]) + 1
        raise UserError(
            f"training of fold {fold.name} left the finite numbers in epoch {epoch}; expected a finite loss: "
            f"learning_rate={settings.learning_rate:g} may be too high"
        )
    networks.set_scaler(fit.network, mean, scale)
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    return TrainedFold(
        fold=fold,
        model=fit.network,
        history=history,
        timestamps_ms=fit.timestamps_ms,
        seconds=fit.seconds,
        class_weight=weights,
        class_counts=counts,
        left_out=None if fit.left_out is None else left_out_table(training, fit.left_out),
    )


def _balanced(training: Dataset) -> ClassWeights:
    """Weights under which all classes count the same."""
    if training.labelling is None:
        return balanced_weights(training.labels)
    labelling = training.labelling
    return balanced_weights(training.strata, labelling.width) if labelling.has_classes else ()


def left_out_table(training: Dataset, probabilities: npt.NDArray[np.float64]) -> pd.DataFrame:
    """What is said of each training trial by the model fitted without its subject, a row per trial.

    Returns:
        ``subject``, ``trial``, ``label`` (0 or 1) and ``probability``.
    """
    return pd.DataFrame(
        {
            "subject": training.subjects,
            "trial": training.trials,
            "label": training.labels,
            "probability": probabilities,
        }
    )
