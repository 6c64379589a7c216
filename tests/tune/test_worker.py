"""A search of one fold, in this process: what it may know, and that it ends where `train` does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from steps.configuration import Train, Tune
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.normalise import normalised
from steps.core.metrics.predictions import FoldPrediction
from steps.core.models.fit import Engine
from steps.core.models.fold import train_fold
from steps.core.tuning.space import Settings, Space, space_of
from steps.errors import UserError
from steps.parameters import PARAMETERS
from steps.tune.worker import Search, Trainer, inner_folds, tuned
from tests.conftest import configured

pytest.importorskip("optuna")

NETWORKS = ("soft_multirocket", "soft_minirocket")


def tuning(**given: object) -> Tune:
    few = {"cv": "group-kfold:4", "inner_folds": 3, "trials": 2}
    return configured("tune", **few | given)  # type: ignore[arg-type,no-any-return]


def space(configuration: Tune, *, normalise: bool = False) -> Space:
    given = configuration.training().given
    defaults = {name: PARAMETERS[name].default for name in given}
    return space_of(given, defaults, networks=configuration.networks, search=configuration.search, normalise=normalise)


@pytest.fixture(scope="module")
def fold(small_study: Dataset) -> Fold:
    return tuning().training().folds(small_study)[0]


class Quick(Trainer):
    """Says how close the mean of a trial is to that of either class; knows settings by the class weight only."""

    def predict(self, settings: Settings, fold: Fold) -> FoldPrediction:
        dataset = self._as_taken(self.configuration.training(settings).normalise)
        training, test = dataset.of_subjects(fold.training_subjects), dataset.of_subjects(fold.test_subjects)
        negative, positive = (training.values[training.labels == label].mean(axis=(0, 1)) for label in (0, 1))
        sharper = 2.0 if settings.get("class_weight") == "none" else 1.0
        logits = sharper * (test.values.mean(axis=1) - (negative + positive) / 2) @ (positive - negative)
        return FoldPrediction(test, fold.test_number, expit(logits))


def test_outer_test_subjects_have_no_part_in_the_search(small_study: Dataset, fold: Fold) -> None:
    configuration = tuning()
    searched = tuned(Quick(configuration, small_study), space(configuration), Search(fold))
    nonsense = small_study.values.copy()
    tested = np.isin(small_study.subjects, fold.test_subjects)
    nonsense[tested] = np.random.default_rng(0).normal(1e4, 1e3, nonsense[tested].shape)
    flipped = np.where(tested, 1 - small_study.labels, small_study.labels)
    alone = replace(fold, test_subjects=())  # with other labels there are other folds
    blind = tuned(Quick(configuration, replace(small_study, labels=flipped)), space(configuration), Search(alone))
    again = tuned(Quick(configuration, replace(small_study, values=nonsense)), space(configuration), Search(fold))
    assert blind.found == again.found == searched.found
    assert len(searched.found.tried) == 2
    assert searched.best is not None
    assert again.best is not None
    assert not np.array_equal(again.best.probabilities, searched.best.probabilities)


@pytest.mark.parametrize("settings", [{"model": "soft_minirocket", "epochs": 25, "validation_fraction": 0.5}])
def test_a_fold_is_trained_as_train_would_with_these_settings(
    small_study: Dataset, fold: Fold, settings: dict[str, str | int | float]
) -> None:
    trainer = Trainer(tuning(), small_study)
    said = trainer.predict(settings, trainer.outer(settings, fold))
    training: Train = configured("train", cv="group-kfold:4", **settings)
    (planned,) = [one for one in training.folds(small_study) if one.key == fold.key]
    assert planned.validation_subjects != fold.validation_subjects
    engine = Engine(training.model, small_study.timesteps, len(small_study.features))
    trained = train_fold(engine, small_study, planned, training.fit_settings(), training.class_weight)
    test = small_study.of_subjects(fold.test_subjects)
    expected = np.asarray(trained.model(test.values, training=False))[:, 0]
    np.testing.assert_array_equal(said.probabilities, expected)


def test_inner_folds_hold_out_everybody_who_trains_once_and_nobody_else(small_study: Dataset) -> None:
    configuration = tuning(inner_folds=3, controls="negatives", cv="group-kfold:4")
    fold = configuration.training().folds(small_study)[0]
    controls = set(small_study.subjects[small_study.is_control].tolist())
    trains = {*fold.training_subjects, *fold.validation_subjects} - controls
    held = []
    for network in NETWORKS:
        training = configuration.training({"model": network})
        folds = inner_folds(configuration, training, small_study, fold)
        held.append([one.test_subjects for one in folds])
        assert sorted(name for names in held[-1] for name in names) == sorted(trains)
        for one in folds:
            assert controls < {*one.training_subjects} < trains | controls
    assert held[0] == held[1], "all settings are judged by the same people"


def test_normalise_is_searched_on_the_normalised_study(within_study: Dataset) -> None:
    configuration = tuning(search="normalise", cv="loso", inner_folds=5)
    only = Search(replace(configuration.training().folds(within_study)[0], test_subjects=()))
    found, already = (
        tuned(Quick(configuration, study), space(configuration, normalise=True), only).found.tried
        for study in (within_study, normalised(within_study, "subject"))
    )
    assert [one.settings["normalise"] for one in found] == ["study", "subject"]
    assert found[1].values == already[0].values != found[0].values


def test_too_few_subjects_are_one_line(small_study: Dataset, fold: Fold) -> None:
    configuration = tuning(inner_folds=7)
    with pytest.raises(UserError, match=r"inner_folds=7 cannot be made of the 6 training subjects of fold fold-1") as e:
        inner_folds(configuration, configuration.training(), small_study, fold)
    assert "\n" not in str(e.value)
