"""Baselines: fitted on training subjects alone, and doing what they say."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from steps.core.baselines.boosting import boosting, catch22, trial_features
from steps.core.baselines.choice import BASELINES, parse_baselines
from steps.core.baselines.logistic import PENALTIES, logistic, subject_splits, summary_features
from steps.core.baselines.majority import majority
from steps.core.baselines.predict import Fit, fit_predict, fits_of
from steps.core.baselines.rocket import ALPHAS, rocket, rocket_features
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.metrics.method_comparison import predictions_of
from steps.core.metrics.predictions import FoldPrediction
from steps.core.models.ridge import fit_ridge
from steps.core.readers.simulate import SimulationSize, simulate
from steps.errors import UserError
from tests.core.metrics.conftest import make_dataset
from tests.units import in_other_units

needs_aeon = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="aeon is not installed")
TRAINED = pytest.mark.parametrize(
    "name",
    [
        "majority",
        "logistic",
        pytest.param("boosting", marks=needs_aeon),
        pytest.param("minirocket", marks=[needs_aeon, pytest.mark.slow]),
        pytest.param("multirocket", marks=[needs_aeon, pytest.mark.slow]),
    ],
)


def fold_of(training: Sequence[str], test: Sequence[str], number: int = 1) -> Fold:
    return Fold.of_split({"training": training, "validation": (), "test": test}, "a fold", number)


def loso(dataset: Dataset, test_numbers: int = 1) -> list[Fold]:
    names = np.unique(dataset.subjects[~dataset.is_control]).tolist()
    return [
        fold_of([other for other in names if other != name], [name], number)
        for name in names
        for number in range(1, test_numbers + 1)
    ]


def predict_baseline(name: str, dataset: Dataset, folds: Sequence[Fold], *, seed: int) -> list[FoldPrediction]:
    fitted = {fit: fit_predict(dataset, fit, seed) for fit in fits_of([name], folds)}
    return predictions_of(name, dataset, folds, fitted)


# the parameter


def test_baselines_are_read_in_order() -> None:
    assert parse_baselines("logistic, majority") == ("logistic", "majority")
    assert parse_baselines("none") == ()


@pytest.mark.parametrize("text", ["", "svm", "logistic,", "logistic,none", "logistic,logistic"])
def test_what_is_no_list_of_baselines_is_named(text: str) -> None:
    with pytest.raises(UserError, match="baselines="):
        parse_baselines(text)


@pytest.mark.parametrize("name", ["boosting", "minirocket", "multirocket"])
def test_without_its_package_a_baseline_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert parse_baselines("majority,logistic")
    with pytest.raises(UserError, match=rf"{name} needs the package aeon.*pip install"):
        parse_baselines(name)


# who trains


def test_a_baseline_trains_on_training_and_validation_subjects() -> None:
    fold = Fold.of_split({"training": ["b", "a"], "validation": ["c"], "test": ["d"]}, "d", 2)
    assert Fit.of("minirocket", fold) == Fit("minirocket", ("a", "b", "c"), ("d",), 2)
    assert Fit.of("majority", fold).test_number == 0, "one fit serves every test number"


@TRAINED
def test_held_out_labels_and_trials_reach_no_fit(small_study: Dataset, name: str) -> None:
    """Turn the labels of a held-out subject and scramble other held-out trials: nothing about the rest changes."""
    split = [fold_of(("S01", "S02", "S03", "S05", "S06", "S07"), ("S04", "S08"))]
    known = np.unique(small_study.subjects).tolist()
    assert set(split[0].training_subjects) | set(split[0].test_subjects) <= set(known)
    before = predict_baseline(name, small_study, split, seed=0)[0]
    held_out = np.isin(small_study.subjects, split[0].test_subjects)
    turned = dataclasses.replace(
        small_study, labels=np.where(held_out, 1 - small_study.labels, small_study.labels).astype(np.int8)
    )
    np.testing.assert_array_equal(
        np.sort(before.probabilities), np.sort(predict_baseline(name, turned, split, seed=0)[0].probabilities)
    )
    values = small_study.values.copy()
    values[small_study.subjects == "S08"] *= -50
    scrambled = predict_baseline(name, dataclasses.replace(small_study, values=values), split, seed=0)[0]
    others = before.test.subjects == "S04"
    np.testing.assert_allclose(before.probabilities[others], scrambled.probabilities[others], rtol=1e-9)


def test_a_subject_on_both_sides_is_refused(small_study: Dataset) -> None:
    with pytest.raises(ValueError, match="'S01' is to train and to be tested"):
        predict_baseline("logistic", small_study, [fold_of(("S01", "S02"), ("S01",))], seed=0)


@pytest.mark.parametrize("name", ["majority", "logistic"])
def test_deterministic_baselines_are_the_same_for_every_test_number(small_study: Dataset, name: str) -> None:
    predictions = predict_baseline(name, small_study, loso(small_study, test_numbers=2), seed=0)
    assert [one.test_number for one in predictions[:2]] == [1, 2]
    np.testing.assert_array_equal(predictions[0].probabilities, predictions[1].probabilities)


# majority


@given(st.lists(st.sampled_from([0, 1]), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_majority_never_turns_a_balanced_study_upside_down(labels: list[int]) -> None:
    """Leave each out in turn: only a class with a lead is voted for, and never the smaller one."""
    lead = 2 * sum(labels) - len(labels)
    for left_out in range(len(labels)):
        rest = [label for i, label in enumerate(labels) if i != left_out]
        training = make_dataset([f"s{i:02d}" for i in range(len(rest))], ["1"] * len(rest), rest)
        vote = float(majority(training, 1, tested_subjects=1)[0])
        assert vote == 0.5 or (vote - 0.5) * lead > 0
        if abs(lead) > 2:
            assert vote == float(lead > 0)


def test_majority_counts_subjects_not_trials() -> None:
    training = make_dataset(["a"] * 9 + ["b", "c", "d"], [str(i) for i in range(9)] + ["1"] * 3, [1] * 9 + [0] * 3)
    assert majority(training, 2, tested_subjects=1).tolist() == [0.0, 0.0]


# logistic regression


def test_summary_features_of_a_ramp() -> None:
    ramp = np.arange(16, dtype=np.float32).reshape(1, 16, 1)
    expected = [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5, np.arange(16).std(), 15, 0]
    np.testing.assert_allclose(summary_features(ramp)[0], expected)
    assert summary_features(np.zeros((3, 2, 5), np.float32)).shape == (3, 25)


def test_inner_splits_keep_subjects_together(small_study: Dataset) -> None:
    splits = subject_splits(small_study.labels, small_study.subjects)
    assert splits
    for training, validation in splits:
        assert not set(small_study.subjects[training]) & set(small_study.subjects[validation])
        assert set(small_study.labels[training]) == set(small_study.labels[validation]) == {0, 1}


def test_logistic_is_scikit_learns_with_the_penalty_of_the_inner_splits(small_study: Dataset) -> None:
    patients = small_study.select(~small_study.is_control)
    training, test = patients.select(patients.subjects != "S01"), patients.of_subjects(["S01"])
    features, labels = summary_features(training.values), training.labels

    def fitted(rows: np.ndarray, penalty: float) -> tuple[StandardScaler, LogisticRegression]:
        scaler = StandardScaler().fit(features[rows])
        model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=5000)
        return scaler, model.fit(scaler.transform(features[rows]), labels[rows])

    losses = []
    for penalty in PENALTIES:
        inner = []
        for rows, held in subject_splits(labels, training.subjects):
            scaler, model = fitted(rows, penalty)
            inner.append(log_loss(labels[held], model.predict_proba(scaler.transform(features[held])), labels=[0, 1]))
        losses.append(np.mean(inner))
    scaler, model = fitted(np.arange(len(labels)), PENALTIES[int(np.argmin(losses))])
    expected = model.predict_proba(scaler.transform(summary_features(test.values)))[:, 1]
    np.testing.assert_allclose(logistic(training, test.values), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "subjects"),
    [
        ("logistic", 10),
        pytest.param("boosting", 20, marks=needs_aeon),  # trees need more
        pytest.param("minirocket", 10, marks=needs_aeon),
        pytest.param("multirocket", 10, marks=[needs_aeon, pytest.mark.slow]),
    ],
)
def test_an_easy_effect_is_found(name: str, subjects: int) -> None:
    size = SimulationSize(subjects=subjects, controls=0, trials_min=3, trials_max=4, features=6, effect=5.0)
    easy = simulate(size, timesteps=21, seed=1)
    predictions = predict_baseline(name, easy, loso(easy), seed=0)
    labels = np.concatenate([one.test.labels for one in predictions])
    assert roc_auc_score(labels, np.concatenate([one.probabilities for one in predictions])) > 0.9


def test_logistic_fits_with_a_single_subject_per_class(small_study: Dataset) -> None:
    names = [str(small_study.subjects[(small_study.labels == label) & ~small_study.is_control][0]) for label in (0, 1)]
    assert subject_splits(*(getattr(small_study.of_subjects(names), part) for part in ("labels", "subjects"))) == []
    probabilities = logistic(small_study.of_subjects(names), small_study.values[:3])
    assert ((probabilities > 0) & (probabilities < 1)).all()


# gradient boosting


@needs_aeon
def test_catch22_is_that_of_its_authors() -> None:
    """What their own C code says of a wave on a slope (pycatch22 0.4.5, of the standardised series)."""
    time = np.arange(60.0)
    wave = (np.sin(time / 4) + 0.3 * np.cos(time * 1.7) + time / 50).astype(np.float32)
    theirs = [
        *(-0.723852, -0.532868, 4.697883, 10, 0.403679, 0.022018, 0.915254, 13, 0.034014, 0, 0.562111, 6, 0.25),
        *(0.816667, -0.3, 0.890825, 4, 1.771745, 0.692308, 0.230769, 0.294524, 0.533935),
    ]
    np.testing.assert_allclose(catch22(wave[np.newaxis, :, np.newaxis])[0], theirs, atol=1e-6)
    np.testing.assert_allclose(catch22(5 + 3 * wave[np.newaxis, :, np.newaxis])[0], theirs, atol=1e-5)


def test_boosting_of_noise_is_even_whatever_the_shares_of_the_classes() -> None:
    """Features that tell nothing: probabilities lie around a half, not around the share of positives."""
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(400, 3)), (np.arange(400) % 5 == 0).astype(np.int8)
    said = boosting(features, labels, random.normal(size=(1000, 3)), seed=0)
    assert np.median(said) == pytest.approx(0.5, abs=0.15)


@needs_aeon
def test_constant_and_huge_values_do_no_harm(small_study: Dataset) -> None:
    values = small_study.values.copy()
    values[:, :, 0] = 3.0
    values[:, :, 1] *= 1e9
    study = dataclasses.replace(small_study, values=values)
    split = [fold_of(("S01", "S02", "S03", "S05", "S06", "S07"), ("S04",))]
    probabilities = predict_baseline("boosting", study, split, seed=0)[0].probabilities
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert np.isfinite(trial_features(study)).all()


# MiniRocket and MultiRocket


@needs_aeon
def test_minirocket_is_the_same_every_time_but_has_a_seed_per_test_number(small_study: Dataset) -> None:
    splits = loso(small_study, test_numbers=2)[:2]
    first, second = predict_baseline("minirocket", small_study, splits, seed=0)
    again = predict_baseline("minirocket", small_study, splits[:1], seed=0)[0]
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.probabilities, second.probabilities)


@needs_aeon
@pytest.mark.parametrize(("name", "shortest"), [("boosting", 3), ("minirocket", 9), ("multirocket", 10)])
def test_trials_too_short_for_a_baseline_are_refused(name: str, shortest: int) -> None:
    dataset = make_dataset(["a", "b", "c"], ["1"] * 3, [0, 1, 1])
    with pytest.raises(UserError, match=f"{name} needs trials of at least {shortest} time points, the dataset has 2"):
        predict_baseline(name, dataset, [fold_of(("a", "b"), ("c",))], seed=0)


@needs_aeon
def test_few_subjects_do_not_turn_answers_round() -> None:
    """Left-out scores of these six people lean the wrong way; answers still follow the classifier."""
    study = simulate(SimulationSize(subjects=8, controls=0), seed=1)
    training = study.of_subjects(np.unique(study.subjects)[:6].tolist())
    features = rocket_features("minirocket", training.values, 3)
    ridge = fit_ridge(features, training.labels, training.subjects, ALPHAS)
    assert np.corrcoef(ridge.left_out_scores, training.labels)[0, 1] < 0
    said = rocket("minirocket", training, training.values, seed=3)
    assert np.corrcoef(said, ridge.scores(features))[0, 1] > 0.9


@needs_aeon
@pytest.mark.slow  # compiling it takes a minute the first time
def test_multirocket_sees_trials_as_short_as_it_says() -> None:
    size = SimulationSize(subjects=6, controls=0, trials_min=2, trials_max=2, features=2)
    shortest = simulate(size, timesteps=10, seed=0)
    assert rocket_features("multirocket", shortest.values, 0).shape[0] == len(shortest.labels)
    assert np.isfinite(rocket_features("multirocket", shortest.values, 0)).all()


def test_every_baseline_can_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no baseline"):
        predict_baseline("svm", make_dataset(["a"], ["1"], [0]), [fold_of((), ("a",))], seed=0)
    assert set(BASELINES) == {"majority", "logistic", "boosting", "minirocket", "multirocket"}


@TRAINED
def test_baselines_are_the_same_in_any_unit(small_study: Dataset, name: str) -> None:
    splits = loso(small_study)[:2]
    ours, theirs = (
        np.concatenate([predictions.probabilities for predictions in predict_baseline(name, study, splits, seed=1)])
        for study in (small_study, in_other_units(small_study))
    )
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6)
