"""A fold: nothing crosses from the held-out subject, and the scaler is in the model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.models.settings import FitSettings

SETTINGS = FitSettings(epochs=5, batch_size=8)


@pytest.fixture(scope="module", params=["cnn", "soft_minirocket"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(small_study: Dataset, model: str) -> Any:
    from steps.core.models.fit import Engine

    return Engine(model, small_study.timesteps, len(small_study.features))


def test_the_held_out_subject_cannot_influence_its_model(small_study: Dataset, engine: Any) -> None:
    from steps.core.models.fold import train_fold

    fold = plan_folds(small_study)[0]
    held_out = np.isin(small_study.subjects, fold.test_subjects)
    values = small_study.values.copy()
    values[held_out] = 1e6
    labels = np.where(held_out, 1 - small_study.labels, small_study.labels).astype(np.int8)
    changed = replace(small_study, values=values, labels=labels)

    before = train_fold(engine, small_study, fold, SETTINGS)
    after = train_fold(engine, changed, fold, SETTINGS)
    assert before.history.equals(after.history)
    probe = small_study.values
    np.testing.assert_array_equal(before.model(probe), after.model(probe))


def test_the_saved_model_takes_the_users_units(small_study: Dataset, engine: Any, tmp_path: Path) -> None:
    import keras

    from steps.core.models.fit import standardisation
    from steps.core.models.fold import train_fold

    fold = plan_folds(small_study)[1]
    trained = train_fold(engine, small_study, fold, SETTINGS)
    trained.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    values = small_study.values
    np.testing.assert_allclose(loaded(values), trained.model(values), rtol=1e-6)

    # The same trials in millidegrees, trained the same way, get the same probabilities.
    scaled = replace(small_study, values=values * np.float32(1000))
    other = train_fold(engine, scaled, fold, SETTINGS)
    np.testing.assert_allclose(other.model(scaled.values), trained.model(values), atol=2e-3)

    mean, scale = standardisation(small_study.of_subjects(fold.training_subjects).values)
    centred = trained.model.get_layer("centre")(values)
    np.testing.assert_allclose(
        trained.model.get_layer("standardise")(centred), (values - mean) / scale, rtol=1e-5, atol=1e-6
    )


def test_metrics_and_counts_follow_the_contract(small_study: Dataset, engine: Any, model: str) -> None:
    from steps.core.models.fold import train_fold

    fold = plan_folds(small_study)[2]
    trained = train_fold(engine, small_study, fold, SETTINGS)
    metrics = trained.metrics()
    history = trained.history
    columns = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert set(history.columns) == columns | ({"penalty"} if model == "soft_minirocket" else set())
    assert metrics["epochs_trained"] == len(history) == len(trained.timestamps_ms)
    assert metrics["best_val_loss"] == history["val_loss"].min()
    assert history["val_loss"][metrics["best_val_loss_epoch"]] == metrics["best_val_loss"]
    assert history["val_accuracy"][metrics["best_val_accuracy_epoch"]] == metrics["best_val_accuracy"]
    for part, names in (("training", fold.training_subjects), ("test", fold.test_subjects)):
        counted = Counter(small_study.of_subjects(names).labels.tolist())
        assert trained.class_counts[part] == (counted[0], counted[1])


def test_a_training_that_diverges_is_an_error(small_study: Dataset) -> None:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold
    from steps.errors import UserError

    engine = Engine("cnn", small_study.timesteps, len(small_study.features))
    fold = plan_folds(small_study)[0]
    with pytest.raises(UserError, match=r"left the finite numbers in epoch \d+.*learning_rate=1e\+30"):
        train_fold(engine, small_study, fold, FitSettings(epochs=5, learning_rate=1e30))
