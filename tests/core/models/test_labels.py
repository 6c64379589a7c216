"""Networks that say whole labels, for every row of the models' table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import expit, softmax

from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.labelling import LabelKind, Labelling
from steps.core.metrics.labels.metrics import concordance, macro_auc
from steps.core.metrics.labels.predictions import LabelScores
from steps.core.models import keras_file, networks
from steps.core.models.fit import Engine
from steps.core.models.fold import TrainedFold, train_fold
from steps.core.models.heads import PENALTIES, yes_or_no
from steps.core.models.label_heads import whole_labels
from steps.core.models.label_training import label_losses, penalised_loss
from steps.core.models.ridge import RidgePath, RidgeRows
from steps.core.models.settings import FitSettings
from steps.core.models.table import MODELS
from steps.core.readers.simulate import SimulationSize, simulate

SIZE = SimulationSize(subjects=15, controls=0, trials_min=3, trials_max=3, features=4, effect=2.0)
NAMES = ("a", "b", "c")
CLASSES = Labelling(kind="classes", names=NAMES, cut_off=1)
ORDERED = Labelling(kind="ordered", names=NAMES, cut_off=1)
SCORE = Labelling(kind="score", names=(), cut_off=37)


def study(kind: LabelKind) -> Dataset:
    return simulate(SIZE, timesteps=21, seed=1, label_kind=kind)


def fold_of(dataset: Dataset) -> Fold:
    """Every third subject is tested, two validate."""
    names = np.unique(dataset.subjects).tolist()
    return Fold("a", 1, tuple(names[::3]), tuple(names[1:6:3]), tuple(names[2::3] + names[7::3]), "mixed", seed=3)


def trained(model: str, dataset: Dataset, **settings: Any) -> TrainedFold:
    engine = Engine(model, dataset.timesteps, len(dataset.features), labelling=dataset.labelling)
    return train_fold(engine, dataset, fold_of(dataset), FitSettings(model=model, **settings))


@pytest.mark.parametrize("kind", ["classes", "ordered", "score"])
@pytest.mark.parametrize("model", [name for name in MODELS if name != "cnn_wide"])
def test_every_network_says_the_label_and_answers_the_question_by_it(model: str, kind: LabelKind) -> None:
    dataset = study(kind)
    labelling, fold = dataset.labelling, fold_of(dataset)
    assert labelling is not None
    one = trained(model, dataset, epochs=12, batch_size=8)
    test = dataset.of_subjects(fold.test_subjects)
    said = np.asarray(networks.label_output(one.model)(test.values), dtype=np.float64)
    probability = np.asarray(one.model(test.values), dtype=np.float64)[:, 0]
    assert said.shape == (len(test.labels), labelling.width)
    assert ((probability >= 0) & (probability <= 1)).all()
    if labelling.has_classes:
        np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(probability, said @ labelling.asked, atol=1e-5)
    else:
        assert 0 < np.abs(said[:, 0] - 42).mean() < 60  # in points
        order = np.argsort(said[:, 0])
        assert (np.diff(probability[order]) >= -1e-6).all()
        slope, offset = (float(np.ravel(part)[0]) for part in one.model.get_layer(networks.OUTPUT).get_weights())
        np.testing.assert_allclose(probability, expit(slope * said[:, 0] + offset), atol=1e-4)
    if model == "soft_multirocket":  # what is planted is strong
        assert test.label_values is not None
        scores = LabelScores(labelling, test.label_values.astype(float), said, test.subjects)
        assert (macro_auc if kind == "classes" else concordance)(scores) > 0.75


@pytest.mark.parametrize("kind", ["classes", "ordered", "score"])
def test_a_saved_network_is_the_same_and_left_out_trials_are_predicted_without_their_subject(
    kind: LabelKind, tmp_path: Path
) -> None:
    dataset = study(kind)
    one = trained("soft_multirocket", dataset)
    path = tmp_path / "model.keras"
    path.write_bytes(keras_file.as_bytes(one.model))
    again = keras_file.load(path.read_bytes())
    np.testing.assert_array_equal(again(dataset.values), one.model(dataset.values))
    for network in (again, one.model):
        np.testing.assert_array_equal(
            networks.label_output(network)(dataset.values), networks.label_output(one.model)(dataset.values)
        )
    assert one.left_out is not None
    assert one.left_out["probability"].between(0, 1).all()
    assert set(one.left_out["subject"]) == set(fold_of(dataset).training_subjects)


def test_classes_can_be_asked_for_one_after_the_other() -> None:
    dataset = study("classes")
    assert dataset.labelling is not None
    network = trained("soft_multirocket", dataset).model
    said = np.asarray(networks.label_output(network)(dataset.values))
    for place, name in enumerate(dataset.labelling.names):
        networks.ask(network, dataset.labelling.asking(name))
        np.testing.assert_allclose(np.asarray(network(dataset.values))[:, 0], said[:, place], atol=1e-6)
        np.testing.assert_array_equal(dataset.asking(name).labels, dataset.label_values == place)


def heads_data(seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    subjects = np.repeat([f"S{number:02d}" for number in range(12)], 3)
    labels = np.repeat(np.arange(12) % 3, 3)
    return [generator.normal(size=(36, 5)) + labels[:, None] * 0.4 for _ in range(2)], labels, subjects


@pytest.mark.parametrize("labelling", [CLASSES, ORDERED, SCORE], ids=lambda one: one.kind)
def test_left_out_outputs_are_those_of_heads_fitted_without_the_subject(labelling: Labelling) -> None:
    """Of one head, at the first penalty: whatever its line is, differences between trials tell."""
    features, labels, subjects = heads_data()
    values = labels if labelling.has_classes else labels * 10.0 + 20
    whole = next(iter(whole_labels(features[:1], values, subjects, (1.0, 1.0, 1.0), labelling)))
    targets = np.eye(3)[labels] * 2 - 1 if labelling.kind == "classes" else values[:, np.newaxis]
    for name in ("S00", "S04"):
        rest, own = subjects != name, subjects == name
        rows = RidgeRows(features[0][rest], subjects[rest], np.ones(rest.sum()))
        ridges = [RidgePath(rows, target[rest]).at(PENALTIES[0]) for target in targets.T]
        expected = np.stack([ridge.scores(features[0][own]) for ridge in ridges], axis=1)
        found = whole.left_out[own]
        ratio = (found[1:] - found[:1]) / (expected[1:] - expected[:1])
        np.testing.assert_allclose(ratio, ratio.ravel()[0], rtol=1e-6)


@pytest.mark.parametrize("labelling", [None, CLASSES, ORDERED, SCORE], ids=lambda one: one.kind if one else "binary")
def test_a_head_that_finds_nothing_counts_little_and_alike_heads_count_alike(labelling: Labelling | None) -> None:
    features, labels, subjects = heads_data()
    noise = np.random.default_rng(5).normal(size=(36, 5))
    same = [features[0], features[0], noise]
    if labelling:
        values = labels if labelling.has_classes else labels * 10.0 + 20
        heads = whole_labels(same, values, subjects, (1.0,) * 3, labelling).best()
    else:
        heads = yes_or_no(same, (labels > 0).astype(np.int8), subjects).best()
    first, second, third = (np.abs(own).mean() for own in heads.coefficients)
    assert first == pytest.approx(second)
    assert third < 0.5 * first
    np.testing.assert_allclose(heads.outputs(same), heads.fitted, atol=1e-9)


def test_each_head_has_its_own_penalty_and_alone_it_is_the_head_of_that_penalty() -> None:
    features, labels, subjects = heads_data()
    binary = (labels > 0).astype(np.int8)
    scaled = [features[0], 30 * features[0]]  # the same head needs 900 times the penalty
    alone = [yes_or_no([one], binary, subjects).best() for one in scaled]
    both = yes_or_no(scaled, binary, subjects).best()
    weights = softmax([-12 * one.left_out_loss for one in alone])
    np.testing.assert_allclose(both.left_out, sum(w * one.left_out for w, one in zip(weights, alone, strict=True)))


def test_levels_are_told_better_by_their_order_than_one_by_one() -> None:
    generator = np.random.default_rng(1)
    subjects = np.repeat([f"S{number:02d}" for number in range(30)], 2)
    labels = np.repeat(np.arange(30) % 3, 2)
    features = [(labels[:, None] - 1 + 0.7 * generator.normal(size=(60, 1))) * np.ones((1, 3))]
    of = [whole_labels(features, labels, subjects, (1.0,) * 3, one).best() for one in (CLASSES, ORDERED)]
    assert of[1].left_out_loss < 0.9 * of[0].left_out_loss
    assert of[1].thresholds is not None
    assert (np.diff(of[1].thresholds) < 0).all()


@pytest.mark.parametrize("labelling", [CLASSES, SCORE], ids=lambda one: one.kind)
def test_gradients_of_the_penalised_loss_are_right(labelling: Labelling) -> None:
    generator = np.random.default_rng(0)
    x, weights = generator.normal(size=(20, 4)), generator.uniform(0.5, 2, 20)
    y = generator.integers(0, 3, 20).astype(float) if labelling.has_classes else generator.normal(size=20)
    arguments = (x, y, weights, 0.1, labelling)
    start = generator.normal(size=5 * labelling.width)
    error = check_grad(lambda s: penalised_loss(s, *arguments)[0], lambda s: penalised_loss(s, *arguments)[1], start)
    assert error < 1e-5
    assert label_losses(x @ start[: 4 * labelling.width].reshape(4, -1), y, labelling)[0].shape == (20,)


def test_class_weights_are_those_of_the_classes() -> None:
    dataset = study("classes")
    few = dataset.select(np.isin(dataset.trials, ["01"]) | (dataset.strata != 0))
    weights = trained("soft_multirocket", few).class_weight
    counts = np.bincount(few.of_subjects(fold_of(few).training_subjects).strata)
    np.testing.assert_allclose(weights, counts.sum() / (3 * counts))
    assert trained("soft_multirocket", study("score")).class_weight == ()
    assert trained("soft_multirocket", replace(dataset, labelling=None, label_values=None)).class_weight != ()
