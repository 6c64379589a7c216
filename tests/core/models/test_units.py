"""Whatever the unit: what was trained, what was saved, and all that is asked of it are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.attribution.fold import attribute_fold
from steps.core.attribution.settings import Settings
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.data.training_reference import TrainingReference
from steps.core.metrics.fold import evaluate_fold
from steps.core.models.keras_file import as_bytes, load
from steps.core.models.refit import refit_fold, training_summary
from steps.core.models.saved_network import ResidentNetwork, copy_of
from steps.core.models.settings import FitSettings
from steps.errors import UserError
from tests.fold_networks import scaled_network
from tests.units import UNITS, in_other_units

SCALES = (1e-30, 1e-13, 2e-8, 1e-3, 1.0, 1e6, 1e12, 1e30)


@pytest.mark.parametrize("offset", [0.0, 250.0, 1e4])
def test_the_saved_model_is_the_trained_one_at_every_scale_that_float32_holds(offset: float) -> None:
    """``offset``: of all values from zero, in standard deviations."""
    from steps.core.models import networks
    from steps.core.models.fit import standardisation

    plain = networks.build("cnn", 21, 3, seed=1)
    network = networks.build("cnn", 21, 3, seed=1)
    # So that probabilities differ from trial to trial.
    for layer in (*plain.layers, *network.layers):
        if layer.trainable:
            layer.set_weights([2 * weights for weights in layer.get_weights()])
    resident = ResidentNetwork()
    usual = np.random.default_rng(0).normal(size=(20, 21, 3))
    for scale in SCALES:
        values = ((usual + offset) * scale).astype(np.float32)
        mean, sd = standardisation(values)
        trained = np.asarray(plain(((values - mean) / sd).astype(np.float32), training=False))
        assert np.ptp(trained) > 0.1
        networks.set_scaler(network, mean, sd)
        content = as_bytes(network)
        for model in (resident.load(content, "S01"), load(content)):
            np.testing.assert_allclose(model(values, training=False), trained, rtol=0, atol=1e-6, err_msg=str(scale))


@pytest.mark.parametrize("scale", [1e-36, 1e33])
def test_what_float32_hardly_holds_is_refused(small_study: Dataset, scale: float) -> None:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold

    values = small_study.values * np.array([1, scale, 1, 1, 1, 1], np.float32)
    engine = Engine("cnn", small_study.timesteps, len(small_study.features))
    with pytest.raises(UserError, match=rf"^feature '{small_study.features[1]}' has a standard deviation of \d.*unit"):
        train_fold(engine, replace(small_study, values=values), plan_folds(small_study)[0], FitSettings(epochs=1))


def test_a_machine_that_is_set_up_for_channels_first_standardises_the_same() -> None:
    import keras

    values = np.random.default_rng(0).normal(size=(4, 21, 3)).astype(np.float32)
    content = as_bytes(scaled_network([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]))
    expected = np.asarray(load(content)(values, training=False))
    usual = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(load(content)(values, training=False), expected)
    finally:
        keras.config.set_image_data_format(usual)


@pytest.mark.parametrize("model", ["cnn", "soft_minirocket"])
def test_a_fold_is_trained_evaluated_and_attributed_the_same_in_any_unit(small_study: Dataset, model: str) -> None:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold

    fold = plan_folds(small_study)[0]
    engine = Engine(model, small_study.timesteps, len(small_study.features))
    results = []
    for study in (small_study, in_other_units(small_study)):
        trained = train_fold(engine, study, fold, FitSettings(epochs=4, batch_size=8))
        network = ResidentNetwork().load(as_bytes(trained.model), fold.name)
        test, training = study.of_subjects(fold.test_subjects), study.of_subjects(fold.training_subjects)
        controls = study.select(study.is_control)
        evaluated = evaluate_fold(network, test, study.of_subjects(fold.validation_subjects), (0.5,))
        attributed = [
            attribute_fold(
                network,
                test,
                training,
                controls,
                Settings(steps=8, method=method, baseline_trials=5),
                name=fold.name,
                test_number=1,
                randomise=True,
            )
            for method in ("integrated_gradients", "expected_gradients")
        ]
        results.append((trained, evaluated, attributed))
    (one, evaluated, attributed), (other, other_evaluated, other_attributed) = results
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    np.testing.assert_allclose(other_evaluated.probabilities, evaluated.probabilities, rtol=0, atol=1e-6)
    assert other_evaluated.own == evaluated.own
    for ours, theirs in zip(attributed, other_attributed, strict=True):
        np.testing.assert_allclose(theirs.map.signed, ours.map.signed, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(theirs.curves.curves["cells"]["deletion"], ours.curves.curves["cells"]["deletion"],
                                   rtol=0, atol=1e-5)  # fmt: skip
        assert theirs.completeness["relative_error"].max() < 0.02
        assert ours.randomised is not None
        assert theirs.randomised is not None
        pd.testing.assert_frame_equal(theirs.randomised, ours.randomised, rtol=1e-2, atol=1e-2)


def test_distances_are_the_same_in_any_unit_also_from_a_point_that_never_changed(small_study: Dataset) -> None:
    values = small_study.values.copy()
    values[:, 0] = values[0, 0]
    steady = replace(small_study, values=values)
    strange = values[:3].copy()
    strange[:, 0] += 2 * values.std(axis=(0, 1))
    distances = []
    for study, asked in ((steady, strange), (in_other_units(steady), strange * UNITS)):
        trained = TrainingReference.model_validate(training_summary(study, refit_fold(study, "exclude", seed=0)))
        distances.append((trained.distances(asked), trained.usual_distance))
    np.testing.assert_allclose(distances[1][0], distances[0][0], rtol=1e-9)
    assert distances[1][1] == pytest.approx(distances[0][1], rel=1e-9)
    assert (distances[0][0] > 0.1).all()


def test_new_people_are_attributed_the_same_in_any_unit(small_study: Dataset) -> None:
    from steps.core.attribution.integrated_gradients import integrated_gradients
    from steps.core.models import networks
    from steps.core.models.fit import standardisation

    network = networks.build("cnn", small_study.timesteps, len(small_study.features), seed=1)
    far = replace(small_study, values=small_study.values + 1000 * small_study.values.std(axis=(0, 1)))
    results = []
    for values in (far.values, in_other_units(far).values):
        networks.set_scaler(network, *standardisation(values))
        model = load(as_bytes(network))
        results.append(integrated_gradients(model, values[:5], values.mean(axis=0)))
    np.testing.assert_allclose(results[1].output, results[0].output, rtol=0, atol=1e-6)
    np.testing.assert_allclose(results[1].attributions, results[0].attributions, rtol=1e-3, atol=1e-7)
    assert np.abs(results[0].attributions).max() > 1e-5
    assert results[1].relative_error.max() < 0.01


@pytest.mark.parametrize("kind", ["Normalization", "Rescaling"])
def test_models_of_before_are_read_as_ever(kind: str) -> None:
    """Their scaler's numbers are in the configuration."""
    from steps.core.attribution.compiled import Functions
    from steps.core.models import networks

    def of_before(seed: int) -> tuple[bytes, Any]:
        import keras

        generator = np.random.default_rng(seed)
        mean, variance = generator.normal(3, 1, 6), generator.uniform(1, 3, 6)
        inputs = keras.Input((21, 6), name="trial")
        if kind == "Normalization":
            scaled = keras.layers.Normalization(axis=-1, mean=mean, variance=variance, name="standardise")(inputs)
        else:
            factor, offset = ([[values.tolist()]] for values in (1 / np.sqrt(variance), -mean / np.sqrt(variance)))
            scaled = keras.layers.Rescaling(factor, offset, name="standardise")(inputs)
        network = networks.without_scaler(networks.build("cnn", 21, 6, seed=seed))
        model = keras.Model(inputs, network(scaled))
        return as_bytes(model), np.asarray(model(values, training=False))

    values = np.random.default_rng(0).normal(3.0, 2.0, size=(5, 21, 6)).astype(np.float32)
    resident, functions = ResidentNetwork(), Functions(1)
    for seed in (1, 2):
        content, expected = of_before(seed)
        network = resident.load(content, "S01")
        np.testing.assert_allclose(functions.output(network)(values), expected[:, 0], rtol=1e-5)
        for model in (network, copy_of(network), load(content)):
            np.testing.assert_allclose(model(values, training=False), expected, rtol=1e-6)
