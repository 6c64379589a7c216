"""The PyTorch loop trains the same function, where PyTorch is installed beside the development environment."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.plain import networks

torch = pytest.importorskip("torch", reason="PyTorch is optional: it is only a baseline of the benchmark")


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
def test_output_loss_and_gradients_are_those_of_keras(name: str) -> None:
    from benchmarks.plain import torch_study

    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 21, 6)).astype(np.float32)
    labels = np.array([0, 1, 1, 0, 1], np.float32)
    weights = np.where(labels, 1.5, 0.7).astype(np.float32)

    network = networks.build(name, 21, 6)
    with tf.GradientTape() as tape:
        expected = network(values, training=False)
        entropy = keras.losses.binary_crossentropy(labels[:, None], expected)
        loss = tf.add_n([tf.reduce_mean(weights * entropy), *network.losses])
    gradients = tape.gradient(loss, network.trainable_variables)

    model, penalised = torch_study.build(name, 6)
    own = iter(variable.numpy() for variable in network.trainable_variables)
    compared = []
    for module in model:
        for parameter in module.parameters():
            # Keras has (taps, inputs, outputs) and (inputs, outputs).
            parameter.data = torch.from_numpy(np.ascontiguousarray(next(own).T))
            compared.append(parameter)
    model.eval()
    output = model(torch.from_numpy(values).transpose(1, 2))
    entropy = torch.nn.functional.binary_cross_entropy(
        output[:, 0], torch.from_numpy(labels), weight=torch.from_numpy(weights)
    )
    total = entropy + 0.01 * sum(weight.square().sum() for weight in penalised)
    total.backward()
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(total.item(), loss, rtol=1e-5)
    for parameter, gradient in zip(compared, gradients, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy().T, gradient, rtol=1e-3, atol=1e-6)
