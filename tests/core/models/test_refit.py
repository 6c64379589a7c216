"""The model for new people: who trains it, for how long, and what it knows of its training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.data.normalise import normalised
from steps.core.models.refit import epochs_to_train, refit_fold, training_summary
from steps.core.models.settings import FitSettings


def test_everybody_trains_and_controls_only_when_they_join(small_study: Dataset) -> None:
    patients = set(small_study.subjects[~small_study.is_control])
    fold = refit_fold(small_study, "exclude", seed=0)
    assert set(fold.training_subjects) == patients
    assert fold.test_subjects == fold.validation_subjects == ()
    assert set(refit_fold(small_study, "negatives", seed=0).training_subjects) == set(small_study.subjects)


def test_epochs_are_the_median_of_what_early_stopping_kept() -> None:
    folds = [{"best_val_loss_epoch": epoch} for epoch in (3.0, 50.0, 10.0, 12.0)]
    assert epochs_to_train(folds, FitSettings(epochs=60)) == 11
    assert epochs_to_train(folds, FitSettings(epochs=60, early_stopping_patience=0)) == 60


def test_a_fold_without_validation_trains_all_epochs(small_study: Dataset) -> None:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold

    fold = refit_fold(small_study, "exclude", seed=0)
    engine = Engine("cnn", small_study.timesteps, len(small_study.features))
    trained = train_fold(engine, small_study, fold, FitSettings(epochs=4, early_stopping_patience=1))
    assert list(trained.history.columns) == ["loss", "accuracy", "learning_rate"]
    assert trained.metrics() == {"epochs_trained": 4, "training_time_s": trained.seconds}


def test_training_trials_are_mostly_usual_and_a_strange_one_is_not(small_study: Dataset) -> None:
    fold = refit_fold(small_study, "exclude", seed=0)
    summary = training_summary(small_study, fold)
    values = small_study.of_subjects(fold.training_subjects).values
    mean, sd = np.array(summary["mean"]), np.array(summary["sd"])
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=np.float64), rtol=1e-6)

    def distance(trials: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt((((trials - mean) / sd) ** 2).mean(axis=(1, 2))))

    assert (distance(values) <= summary["usual_distance"]).mean() == pytest.approx(0.99, abs=0.05)
    assert distance(values[:1] + 10 * sd)[0] > summary["usual_distance"]
    assert summary["features"] == list(small_study.features)
    assert summary["subjects"] == sorted(fold.training_subjects)
    assert summary["dataset_digest"] == small_study.digest()
    controls = small_study.values[small_study.is_control].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(summary["control_mean"], controls, rtol=1e-6)


def test_the_summary_of_subjects_standardised_by_themselves_is_of_what_the_network_takes(within_study: Dataset) -> None:
    fold = refit_fold(within_study, "exclude", seed=0)
    summary = training_summary(within_study, fold, "subject")
    given = normalised(within_study, "subject")
    values = given.of_subjects(fold.training_subjects).values
    np.testing.assert_allclose(summary["mean"], values.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(summary["control_mean"], given.values[given.is_control].mean(axis=0), atol=1e-6)
    # What recordings of new people are held against is what was recorded.
    assert (summary["units"], summary["dataset_digest"]) == (within_study.units, within_study.digest())
    assert (summary["normalise"], summary["format_version"]) == ("subject", 2)  # older versions know 1 only
    assert training_summary(within_study, fold)["format_version"] == 1


def test_the_summary_knows_whether_trials_were_time_normalised(small_study: Dataset) -> None:
    from dataclasses import replace

    from steps.core.data.training_reference import TrainingReference
    from steps.core.readers.load import load_source

    def normalised(dataset: Dataset) -> bool:
        summary = training_summary(dataset, refit_fold(dataset, "exclude", seed=0))
        return TrainingReference.model_validate_json(json.dumps(summary)).time_normalised

    assert not normalised(small_study)
    assert not normalised(replace(small_study, notes=("Time-normalised is said, not kept.",)))
    marked = replace(small_study, time_normalised=True)
    assert normalised(marked)
    assert marked.digest() == small_study.digest()
    assert not load_source("simulated").time_normalised
