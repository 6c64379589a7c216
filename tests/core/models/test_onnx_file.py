"""ONNX files say what their networks say, in onnxruntime, and nothing of the machine they were made on."""

from __future__ import annotations

import tomllib
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from steps.core.data.labelling import Labelling
from steps.core.data.training_reference import TrainingReference
from steps.core.models import networks
from steps.core.models.onnx_file import (
    OPSET,
    REQUIREMENTS,
    TOLERANCE,
    NotAnOnnxFileError,
    as_onnx,
    largest_difference,
    trials_to_compare,
)
from steps.core.models.table import MODELS, named
from tests.conftest import ROOT
from tests.fold_networks import SHAPE
from tests.toy_network import ROW
from tests.units import UNITS

NAMES = ("a", "b", "c")
LABELLINGS = {
    "binary": None,
    "classes": Labelling(kind="classes", names=NAMES, cut_off=1),
    "ordered": Labelling(kind="ordered", names=NAMES, cut_off=1),
    "score": Labelling(kind="score", names=(), cut_off=37),
}
ROWS = {**MODELS, "toy": ROW}
QUICK = [("soft_multirocket", "binary"), ("cnn", "classes"), ("cnn", "ordered"), ("cnn", "score")]
SLOW = [(name, kind) for name in ROWS for kind in LABELLINGS if (name, kind) not in QUICK]


def network_of(name: str, kind: str = "binary") -> tuple[Any, np.ndarray]:
    """A network with weights and units of its own, and trials in these units that it tells apart."""
    generator = np.random.default_rng(3)
    labelling, features = LABELLINGS[kind], SHAPE[1]
    network = networks.assemble(
        name, named(ROWS[name].layers), *SHAPE, seed=3, labelling=labelling, ordinal=kind == "ordered"
    )
    for layer in network.layers:
        if layer.trainable and (weights := layer.get_weights()):
            layer.set_weights([one + generator.uniform(-0.05, 0.05, one.shape) for one in weights])
    mean, scale = generator.normal(3, 1, features) * UNITS, generator.uniform(1, 3, features) * UNITS
    networks.set_scaler(network, mean, scale)
    if kind == "ordered":
        columns = network.get_layer(networks.RANK).input.shape[-1]
        networks.set_levels(network, generator.normal(0, 0.2, columns), np.array([0.5, -0.5]))
    if labelling and labelling.has_classes:
        networks.ask(network, labelling)
    return network, (mean + scale * generator.normal(size=(40, *SHAPE))).astype(np.float32)


def answers(content: bytes, trials: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [np.asarray(one) for one in session.run(None, {"trial": trials})]


@pytest.mark.parametrize(("name", "kind"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)])
def test_onnxruntime_says_what_the_network_says_in_any_unit_and_for_any_number_of_trials(name: str, kind: str) -> None:
    network, trials = network_of(name, kind)
    content = as_onnx(network, {})
    expected = [np.asarray(network(trials))]
    if kind != "binary":
        expected.append(np.asarray(networks.label_output(network)(trials)))
    found = answers(content, trials)
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected, strict=True):
        assert one.shape == wanted.shape
        assert np.ptp(wanted) > 1e-3
        np.testing.assert_allclose(one, wanted, rtol=TOLERANCE, atol=TOLERANCE)
        for few in (1, 7):
            some = answers(content, trials[:few])
            assert [part.shape[0] for part in some] == [few] * len(found)
            for part, whole in zip(some, found, strict=True):
                np.testing.assert_allclose(part, whole[:few], atol=1e-6)
    assert largest_difference(content, network, trials) <= TOLERANCE


@pytest.fixture(scope="module")
def cnn() -> tuple[Any, np.ndarray, bytes]:
    network, trials = network_of("cnn")
    return network, trials, as_onnx(network, {"features": '["é"]', "units": "{}"}, "a network")


def test_the_file_is_valid_and_says_what_it_is_and_nothing_of_this_machine(
    cnn: tuple[Any, np.ndarray, bytes],
) -> None:
    _, _, content = cnn
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {one.key: one.value for one in model.metadata_props} == {"features": '["é"]', "units": "{}"}
    assert (model.doc_string, model.graph.name, model.graph.doc_string) == ("a network", "cnn", "")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    shapes = {
        value.name: [part.dim_param or part.dim_value for part in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"trial": ["trials", *SHAPE], "probability": ["trials", 1]}
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    for place in (ROOT, onnx.__file__, keras.__file__):
        assert str(place).rpartition("/")[0].encode() not in content


def test_a_file_that_says_something_else_is_noticed(cnn: tuple[Any, np.ndarray, bytes]) -> None:
    network, trials, content = cnn
    assert largest_difference(content, network, trials) < 1e-6
    for wrong, found in ((1e-3, 1e-5), (np.nan, None)):
        model = onnx.load_from_string(content)
        bias = next(one for one in model.graph.initializer if one.dims == [64])
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(wrong), bias.name))
        difference = largest_difference(model.SerializeToString(), network, trials)
        assert not difference <= TOLERANCE
        assert np.isnan(difference) if found is None else difference > found


def test_an_operation_without_counterpart_is_named_and_nothing_else_is_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def inverse(x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.mean(keras.ops.erfinv(keras.ops.tanh(x)), axis=1)

    network = networks.assemble("inverse", inverse, *SHAPE, seed=1)
    with pytest.raises(NotAnOnnxFileError, match=r"its operation Erfinv .* has no counterpart in ONNX"):
        as_onnx(network, {})
    assert not caplog.records
    assert not "".join(capfd.readouterr())


def test_trials_to_compare_lie_where_the_training_did(trained: TrainingReference) -> None:
    trials = trials_to_compare(trained)
    mean, sd = np.asarray(trained.mean), np.asarray(trained.sd)
    np.testing.assert_allclose(trials[0], mean, rtol=1e-6)
    np.testing.assert_allclose(trials[1] + trials[2], 2 * mean, rtol=1e-4, atol=1e-5)
    drawn = (trials[3:] - mean) / sd
    assert len(drawn) == 64
    assert abs(drawn.mean()) < 0.05
    assert drawn.std() == pytest.approx(1, abs=0.05)


def test_the_requirements_are_those_of_the_project() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert list(REQUIREMENTS) == groups["onnx"]
