from __future__ import annotations

from typing import Any

import numpy as np

from steps.core.attribution.compiled import Functions
from steps.core.data.dataset import Floats
from tests.core.attribution.conftest import NetworkMaker


def test_functions_are_compiled_once_for_any_number_of_inputs_and_any_weights(
    values: Floats, network: NetworkMaker
) -> None:
    inner = network()
    traced: list[Any] = []

    def model(inputs: Any, *, training: bool) -> Any:
        traced.append(inputs.shape)  # runs when the function is compiled, not when it is called
        return inner(inputs, training=training)

    functions = Functions(target=0)
    for weights in (inner.get_weights(), [2 * each for each in inner.get_weights()]):
        inner.set_weights(weights)
        expected = 1 - np.asarray(inner(values, training=False))[:, 0]
        for count in (1, 3, 6):
            output, gradient = functions.gradient(model)(values[:count])
            np.testing.assert_allclose(output, expected[:count], rtol=1e-5)
            assert gradient.shape == values[:count].shape
            np.testing.assert_allclose(functions.output(model)(values[:count]), expected[:count], rtol=1e-5)
    assert len(traced) == 2
    assert functions.gradient(inner) is not functions.gradient(model)
