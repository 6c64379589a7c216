"""Operations against the closed form and against TensorFlow's own count."""

from __future__ import annotations

import pytest
import tensorflow as tf

from benchmarks.operations import forward_operations, matmul_peak, training_operations
from steps.core.models import networks


def test_count_of_cnn_is_the_closed_form() -> None:
    network = networks.build("cnn", 101, 24)
    first = 2 * 101 * 5 * 24 * 64
    forward = first + 2 * 101 * 5 * 64 * 64 + 2 * 64 * 64 + 2 * 64
    assert forward_operations(network) == forward
    assert training_operations(network) == 3 * forward - first


def test_count_of_cnn_wide_follows_the_pooled_length() -> None:
    network = networks.build("cnn_wide", 101, 24)
    first = 2 * 101 * 3 * 24 * 400
    later = 2 * 101 * 7 * 400 * 100 + 2 * 51 * 3 * 100 * 300 + 2 * 300 * 450 + 2 * 450
    assert forward_operations(network) == first + later


@pytest.mark.parametrize("name", ["cnn", "cnn_wide"])
@pytest.mark.filterwarnings("ignore")  # the profiler is as old as TensorFlow 1
def test_count_is_tensorflows_count_of_products(name: str) -> None:
    network = networks.build(name, 21, 6)
    call = tf.function(lambda x: network(x, training=False)).get_concrete_function(tf.TensorSpec((1, 21, 6)))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    node = tf.compat.v1.profiler.profile(call.graph, options=options, cmd="op")
    counted = {}
    while node.children:  # a chain, by kind of operation
        node = node.children[0]
        counted[node.name] = node.float_ops
    assert forward_operations(network) == counted["Conv2D"] + counted["MatMul"]


def test_peak_is_a_rate_that_a_product_reaches() -> None:
    assert 1e8 < matmul_peak() < 1e14
