"""The fronts, and heads that leave out subjects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.models import networks
from steps.core.models.fit import Engine
from steps.core.models.fold import TrainedFold, train_fold
from steps.core.models.heads import PENALTIES, platt, yes_or_no
from steps.core.models.settings import FitSettings, balanced_weights
from steps.core.models.soft_minirocket import Front, kernel_weights
from steps.core.models.soft_multirocket import FRONTS, Fronts
from steps.errors import UserError
from tests.fold_networks import SHAPE

SETTINGS = FitSettings(model="soft_multirocket")


@pytest.fixture(scope="module")
def trained(small_study: Dataset) -> TrainedFold:
    fold = plan_folds(small_study, validation_fraction=0)[0]
    return train_fold(Engine("soft_multirocket", *SHAPE), small_study, fold, SETTINGS)


def front_alone(trials: np.ndarray, seed: int) -> np.ndarray:
    """What a front without the network around it makes of trials."""
    design = replace(FRONTS[0], prefix="")
    network = networks.assemble("alone", design.layers, *trials.shape[1:])
    return Front(network, design).fit(trials, seed)


def test_fronts_see_the_trials_their_differences_and_the_means_of_windows() -> None:
    trials = np.random.default_rng(0).normal(size=(30, 40, 3)).astype(np.float32)
    network = networks.build("soft_multirocket", 40, 3, seed=0)
    *both, windows = Fronts(network).fit(trials, seed=5)
    differences = np.diff(trials, axis=1)
    expected = [front_alone(trials, 5), front_alone(differences / differences.std(axis=(0, 1)), 6)]
    # A convolution that rounds to the other side of a threshold's ramp moves a proportion a little.
    np.testing.assert_allclose(both, expected, atol=2e-3)
    means = np.stack([trials[:, start : start + 10].mean(axis=1) for start in range(0, 31, 5)], axis=1)
    means = means.reshape(30, -1)
    np.testing.assert_allclose(windows, (means - means.mean(axis=0)) / means.std(axis=0), atol=1e-4)


def test_a_level_is_seen_though_kernels_are_blind_to_it() -> None:
    random = np.random.default_rng(0)
    trials = random.normal(size=(40, 20, 2)).astype(np.float32)
    labels, subjects = np.repeat([0, 1], 20).astype(np.int8), np.repeat(np.arange(20), 2).astype(str)
    trials[labels == 1] += 1.0
    fit = Engine("soft_multirocket", 20, 2).fit((trials, labels), None, (1.0, 1.0), SETTINGS, 0, subjects=subjects)
    assert fit.left_out is not None
    assert roc_auc_score(labels, fit.left_out) > 0.99


def test_kernels_weigh_features_by_numbers_of_either_sign() -> None:
    network = networks.build("soft_multirocket", 40, 6, seed=0)
    Fronts(network).fit(np.random.default_rng(0).normal(size=(10, 40, 6)).astype(np.float32), seed=0)
    kernels = network.get_layer("trial_kernels_1").get_weights()[0]
    weights = kernels[0] / kernel_weights()[0]
    np.testing.assert_allclose(kernels, kernel_weights()[:, np.newaxis, :] * weights, rtol=1e-6)
    assert ((weights > 0).any(axis=0) & (weights < 0).any(axis=0)).sum() > 20
    assert (np.count_nonzero(weights, axis=0) < 6).sum() > 40


def test_nobody_is_taken_out_of_the_training_subjects(trained: TrainedFold, small_study: Dataset) -> None:
    fold = trained.fold
    assert fold.validation_subjects == ()
    everybody = {*fold.training_subjects, *fold.test_subjects, *fold.set_aside_subjects}
    assert everybody == set(small_study.subjects[~small_study.is_control])


def test_every_training_trial_is_predicted_by_a_model_without_its_subject(
    trained: TrainedFold, small_study: Dataset
) -> None:
    training = small_study.of_subjects(trained.fold.training_subjects)
    table = trained.left_out
    assert table is not None
    assert table["subject"].tolist() == training.subjects.tolist()
    assert table["label"].tolist() == training.labels.tolist()
    fitted = np.asarray(trained.model(training.values))[:, 0]
    correct = np.where(training.labels == 1, fitted, 1 - fitted).mean()
    left_out = np.where(training.labels == 1, table["probability"], 1 - table["probability"]).mean()
    assert left_out < correct, "whom one was fitted on, one knows better"


def test_the_curve_is_over_penalties_and_the_best_is_kept(trained: TrainedFold) -> None:
    history = trained.history
    np.testing.assert_allclose(history["penalty"], PENALTIES)
    assert history["val_loss"].iloc[-1] <= history["val_loss"].iloc[0], "no head takes a penalty that is worse for it"
    assert trained.metrics()["best_val_loss_epoch"] == history["val_loss"].to_numpy().argmin() + 1


def test_class_weights_do_not_distort_probabilities(small_study: Dataset) -> None:
    """Their mean is the share of positives, whatever the classifier's weights."""
    fold = plan_folds(small_study, validation_fraction=0)[0]
    training = small_study.of_subjects(fold.training_subjects)
    few = small_study.select(~((small_study.labels == 1) & (np.arange(len(small_study.labels)) % 3 > 0)))
    for weights in (None, (1.0, 1.0), (0.3, 3.0)):
        table = train_fold(Engine("soft_multirocket", *SHAPE), few, fold, SETTINGS, weights).left_out
        assert table is not None
        # Platt's targets lie a little inside 0 and 1, which moves the mean towards a half.
        assert table["probability"].mean() == pytest.approx(table["label"].mean(), abs=2 / len(table))
        assert training.labels.mean() > table["label"].mean()


def test_a_method_that_leaves_out_subjects_is_told_whose_trials_they_are() -> None:
    trials, labels = np.zeros((4, 20, 2), np.float32), np.array([0, 1, 0, 1], np.int8)
    with pytest.raises(ValueError, match="needs those of the training trials"):
        Engine("soft_multirocket", 20, 2).fit((trials, labels), None, (1.0, 1.0), SETTINGS, seed=0)


def test_a_class_without_weight_is_one_line() -> None:
    trials, labels = np.zeros((4, 20, 2), np.float32), np.array([0, 1, 0, 1], np.int8)
    subjects = np.array(["a", "b", "c", "d"])
    with pytest.raises(UserError, match=r"class_weight=0,1, but model=soft_multirocket .* expected weights above 0"):
        Engine("soft_multirocket", 20, 2).fit((trials, labels), None, (0.0, 1.0), SETTINGS, 0, subjects=subjects)


def test_platt_is_logistic_regression_where_there_are_many_trials() -> None:
    random = np.random.default_rng(1)
    labels = (random.random(20_000) < 0.3).astype(np.int8)
    scores = random.normal(size=20_000) + 0.8 * labels
    theirs = LogisticRegression(C=np.inf).fit(scores[:, np.newaxis], labels)
    slope, offset = platt(scores, labels, subjects=20_000)
    assert slope == pytest.approx(theirs.coef_[0, 0], rel=0.01)
    assert offset == pytest.approx(theirs.intercept_[0], rel=0.01)


def test_scores_that_point_the_wrong_way_say_next_to_nothing() -> None:
    scores, labels = np.array([2.0, 1.0, -1.0, -2.0]), np.array([0, 0, 1, 1], np.int8)
    slopes = [platt(scores, labels, subjects)[0] for subjects in (4, 40, 400)]
    assert all(slope > 0 for slope in slopes), "so scores keep their order"
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[-1] < 0.05
    assert platt(scores, labels, 4)[1] == pytest.approx(0, abs=1e-6)


def test_the_slope_is_about_scores_not_about_their_unit() -> None:
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], 30).astype(np.int8)
    scores = random.normal(size=60) + labels
    (slope, offset), (of_thousandths, same_offset) = platt(scores, labels, 10), platt(1000 * scores, labels, 10)
    assert of_thousandths == pytest.approx(slope / 1000, rel=1e-6)
    assert same_offset == pytest.approx(offset, abs=1e-6)


def test_without_an_effect_nobody_who_is_missing_changes_the_slope_much() -> None:
    random = np.random.default_rng(4)
    scores, labels = random.normal(size=24), np.repeat([0, 1], 12).astype(np.int8)
    slopes = [platt(np.delete(scores, one), np.delete(labels, one), 23)[0] for one in range(24)]
    assert np.std(slopes) < 0.25 * np.mean(slopes)


def test_constant_scores_say_how_frequent_the_classes_are() -> None:
    slope, offset = platt(np.ones(8), np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int8), 8)
    assert np.isfinite(slope)
    assert expit(slope + offset) == pytest.approx(((2 * 3 / 4) + 6 / 8) / 8, abs=1e-4)


def test_heads_of_constant_features_say_the_base_rate_and_leave_the_others_alone() -> None:
    """What they say of trials differs by rounding, which a sigmoid would make much of."""
    random = np.random.default_rng(0)
    subjects = np.repeat([f"s{place}" for place in range(8)], [6, 5, 4, 4, 3, 3, 5, 5])
    labels = np.repeat(np.arange(8) % 2, [6, 5, 4, 4, 3, 3, 5, 5]).astype(np.int8)
    constant, noise = np.zeros((len(labels), 5)), random.normal(size=(len(labels), 7))
    weights = balanced_weights(labels)
    nothing = yes_or_no([constant], labels, subjects, weights).best()
    assert np.ptp(nothing.left_out) == 0
    assert expit(nothing.outputs([constant])) == pytest.approx(labels.mean(), abs=2 / len(labels))
    heads = yes_or_no([constant, noise], labels, subjects, weights).best()
    alone = yes_or_no([noise], labels, subjects, weights).best()
    np.testing.assert_allclose(heads.outputs([constant, noise]), heads.fitted, atol=1e-9)
    middle, own = (np.mean(one.left_out) for one in (heads, alone))
    assert np.corrcoef((heads.left_out - middle)[:, 0], (alone.left_out - own)[:, 0])[0, 1] > 0.99


def test_constant_features_and_two_subjects_per_class_are_enough() -> None:
    random = np.random.default_rng(0)
    trials = random.normal(size=(8, 20, 2)).astype(np.float32)
    trials[:, :, 1] = 0
    labels, subjects = np.repeat([0, 1], 4).astype(np.int8), np.repeat(["a", "b", "c", "d"], 2)
    fit: Any = Engine("soft_multirocket", 20, 2).fit(
        (trials, labels), None, (1.0, 1.0), replace(SETTINGS), seed=0, subjects=subjects
    )
    assert np.isfinite(fit.network(trials)).all()
    assert np.isfinite(fit.left_out).all()
