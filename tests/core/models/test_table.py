"""What every network must stand, and with it one that is as awkward as Keras allows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import plan_folds
from steps.core.models.keras_file import as_bytes, load
from steps.core.models.refit import refit_fold, training_summary
from steps.core.models.saved_network import ResidentNetwork
from steps.core.models.settings import FitSettings, process_mib
from steps.core.models.table import MODELS, Choice, check_learning_curve, check_trial_length
from steps.errors import UserError
from steps.parameters import PARAMETERS
from steps.tracking.models import loading
from steps.tracking.models.registry import ModelReference
from tests.conftest import ROOT
from tests.fold_networks import SHAPE
from tests.toy_network import ROW, architectures

NAMES = (*MODELS, "toy")
every_network = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True, scope="module")
def toy() -> Iterator[None]:
    MODELS["toy"] = ROW
    yield
    del MODELS["toy"]


@pytest.fixture(scope="module")
def folds(small_study: Dataset) -> list[Fold]:
    return plan_folds(small_study)[:2]


@pytest.fixture(scope="module")
def train(small_study: Dataset, folds: list[Fold]) -> Any:
    """Trains both folds of a network, once."""

    @cache
    def trained(name: str) -> list[Any]:
        from steps.core.models.fit import Engine
        from steps.core.models.fold import train_fold

        engine = Engine(name, *SHAPE)
        settings = FitSettings(model=name, epochs=4, batch_size=8)
        return [train_fold(engine, small_study, fold, settings) for fold in folds]

    return trained


@every_network
def test_a_row_says_what_is_needed(name: str, small_study: Dataset) -> None:
    row = MODELS[name]
    assert row.description == row.description.strip()
    assert "\n" not in row.description
    assert process_mib(FitSettings(model=name), small_study.values) > 900
    assert not row.search.keys() & row.unused
    for parameter, values in row.search.items():
        default = PARAMETERS[parameter].default
        if isinstance(values, Choice):
            assert default in values.values
            for value in values.values:
                PARAMETERS[parameter].value(PARAMETERS[parameter].parse(value))
            continue
        for bound in (values.low, values.high):
            assert PARAMETERS[parameter].parse(bound) == bound
        assert values.low < values.high
        assert isinstance(default, int | float)
        assert values.low <= default <= values.high
        assert values.low > 0 or not values.logarithmic
        assert values.is_whole == isinstance(default, int)


@every_network
def test_it_is_saved_and_loaded_to_the_same_probabilities(
    name: str, train: Any, small_study: Dataset, folds: list[Fold]
) -> None:
    resident, seen = ResidentNetwork(), []
    for fold, trained in zip(folds, train(name), strict=True):
        assert np.isfinite(trained.history.to_numpy()).all()
        values = small_study.of_subjects(fold.test_subjects).values
        expected = np.asarray(trained.model(values, training=False))
        content = as_bytes(trained.model)
        np.testing.assert_array_equal(load(content)(values, training=False), expected)
        np.testing.assert_array_equal(resident.load(content, fold.name, SHAPE)(values, training=False), expected)
        seen.append(resident.load(content, fold.name))
    assert seen[0] is seen[1], "folds are built alike, so what is compiled for one serves for all"


@every_network
def test_as_a_final_model_it_is_read_without_running_what_came_with_it(
    name: str, train: Any, small_study: Dataset, folds: list[Fold]
) -> None:
    content = as_bytes(train(name)[0].model)
    reference = json.dumps(training_summary(small_study, refit_fold(small_study, "exclude", seed=0))).encode()
    network = loading.load_network(loading.checked(ModelReference("models:/fear-classifier/1"), content, reference))
    values = small_study.values[:3]
    np.testing.assert_array_equal(network(values), train(name)[0].model(values, training=False))


@every_network
def test_the_scaler_of_its_training_trials_is_inside(
    name: str, train: Any, small_study: Dataset, folds: list[Fold]
) -> None:
    from steps.core.models.fit import standardisation
    from steps.core.models.networks import without_scaler

    training = small_study.of_subjects(folds[0].training_subjects)
    mean, scale = standardisation(training.values)
    standardised = ((training.values - mean) / scale).astype(np.float32)
    model = train(name)[0].model
    np.testing.assert_allclose(
        model(training.values, training=False), without_scaler(model)(standardised, training=False), atol=1e-5
    )


@every_network
def test_the_same_seed_is_the_same_fit_whatever_was_fitted_before(name: str, train: Any, small_study: Dataset) -> None:
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold

    first, second = train(name)
    engine = Engine(name, *SHAPE)
    for trained in (second, first):
        again = train_fold(engine, small_study, trained.fold, FitSettings(model=name, epochs=4, batch_size=8))
        for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@every_network
def test_its_attributions_are_complete(name: str, train: Any, small_study: Dataset, folds: list[Fold]) -> None:
    from steps.core.attribution.fold import attribute_fold
    from steps.core.attribution.settings import Settings

    network = load(as_bytes(train(name)[0].model))
    test, training = (small_study.of_subjects(s) for s in (folds[0].test_subjects, folds[0].training_subjects))
    attributed = attribute_fold(
        network, test, training, small_study, Settings(steps=32), name=folds[0].name, test_number=1, randomise=True
    )
    assert np.abs(attributed.map.signed).max() > 0
    assert attributed.completeness["relative_error"].max() < 0.01
    assert attributed.randomised is not None
    assert np.isfinite(attributed.randomised["correlation"]).all()


@pytest.mark.slow
def test_architectures_are_the_same_in_any_process() -> None:
    """Keras numbers layers and operations by how many its process has made before."""
    architectures(SHAPE)
    command = f"import json; from tests.toy_network import architectures; print(json.dumps(architectures({SHAPE})))"
    elsewhere = subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(elsewhere.stdout.splitlines()[-1]) == architectures(SHAPE)


@every_network
def test_trials_may_be_as_short_as_the_row_says_and_no_shorter(name: str) -> None:
    from steps.core.models.fit import Engine

    shortest = MODELS[name].shortest_trial
    random = np.random.default_rng(0)
    trials, labels = random.normal(size=(6, shortest, 2)).astype(np.float32), np.arange(6, dtype=np.int8) % 2
    settings, subjects = FitSettings(model=name, epochs=1), np.array(["a", "b", "c", "d", "e", "f"])
    fit = Engine(name, shortest, 2).fit((trials, labels), None, (1.0, 1.0), settings, seed=0, subjects=subjects)
    assert np.isfinite(np.asarray(fit.network(trials, training=False))).all()
    with pytest.raises(UserError, match=f"^model={name} needs trials of at least {shortest} time points, found"):
        check_trial_length(name, shortest - 1)


@pytest.mark.parametrize("name", ["cnn", "toy"])
def test_layers_compute_in_fewer_bits_but_scaler_and_output_do_not(name: str) -> None:
    import keras

    from steps.core.models import networks

    network = networks.build(name, *SHAPE, precision="mixed_bfloat16")
    computed = {layer.name: layer.compute_dtype for layer in network.layers}
    assert {computed.pop(layer) for layer in ("centre", "standardise", "probability")} == {"float32"}
    assert set(computed.values()) == {"bfloat16"}, computed
    assert {str(weight.dtype) for weight in network.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32", "of this process it stays what it was"


def test_a_learning_curve_needs_heads_in_closed_form() -> None:
    check_learning_curve("soft_multirocket")
    with pytest.raises(UserError, match="found model=cnn; use model=soft_minirocket or soft_multirocket"):
        check_learning_curve("cnn")
