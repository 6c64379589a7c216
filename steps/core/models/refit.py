"""The final model, for new people: fitted on all subjects, after cross-validation has said how long to train."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import derive_seed
from steps.core.data.normalise import STUDY, Normalise, normalised
from steps.core.data.subject_statistics import SubjectStatistics
from steps.core.data.training_reference import TrainingReference, distance
from steps.core.models.settings import FitSettings

NAME = "all"
_USUAL_SHARE = 0.99


def refit_fold(dataset: Dataset, controls: str, seed: int) -> Fold:
    """A fold that trains on every subject (controls if they join) and tests nobody."""
    chosen = dataset if controls == "negatives" else dataset.select(~dataset.is_control)
    return Fold(
        name=NAME,
        test_number=1,
        test_subjects=(),
        validation_subjects=(),
        training_subjects=tuple(np.unique(chosen.subjects).tolist()),
        label="mixed",
        seed=derive_seed(seed, NAME),
    )


def epochs_to_train(folds: Sequence[dict[str, float]], settings: FitSettings) -> int:
    """Median over folds of the epoch whose weights early stopping kept; all epochs when it was off.

    Only validation subjects have decided those epochs, never test subjects.
    """
    if not settings.early_stopping_patience:
        return settings.epochs
    return max(1, round(median(fold["best_val_loss_epoch"] for fold in folds)))


def training_summary(dataset: Dataset, fold: Fold, normalise: Normalise = STUDY) -> dict[str, Any]:
    """What the model was trained on, as `TrainingReference` describes it.

    Args:
        dataset: as it was prepared.
        fold: of the refit.
        normalise: as `steps.core.data.normalise.normalised` takes it.
    """
    seen = normalised(dataset, normalise)
    chosen, recorded = (one.of_subjects(fold.training_subjects) for one in (seen, dataset))
    values = chosen.values.astype(np.float64)
    mean, sd = values.mean(axis=0), values.std(axis=0)
    # From a constant point every other value would be infinitely far; a 1 is near or far depending on the unit.
    of_feature = values.std(axis=(0, 1))
    sd = np.where(sd > 0, sd, np.where(of_feature > 0, of_feature, 1.0))
    controls = seen.values[seen.is_control].astype(np.float64)
    summary = TrainingReference(
        format_version=1 if normalise == STUDY else 2,
        normalise=normalise,
        features=list(dataset.features),
        units=dataset.units,
        time=list(dataset.time),
        time_unit=dataset.time_unit,
        time_normalised=dataset.time_normalised,
        labels={"0": dataset.label_names[0], "1": dataset.label_names[1]},
        subjects=sorted(fold.training_subjects),
        dataset_digest=dataset.digest(),
        mean=mean.tolist(),
        sd=sd.tolist(),
        control_mean=controls.mean(axis=0).tolist() if len(controls) else None,
        usual_distance=float(np.quantile(distance(values, mean, sd), _USUAL_SHARE)),
        timing=dataset.timing,
        left_out=list(dataset.left_out),
        description=dataset.description,
        by_subject=SubjectStatistics.of(recorded.values, chosen.values, recorded.subjects),
        labelling=dataset.labelling,
    )
    return summary.model_dump()
