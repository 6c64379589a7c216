"""ONNX: a network in one file that runs without Keras and TensorFlow, and whether that says the same.

The conversion is tf2onnx's. Keras's ``export(format="onnx")`` calls it, too, but writes the file before anybody has
looked at it, names the outputs as TensorFlow does, and takes no metadata.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from steps.core.data.dataset import Floats
from steps.core.data.training_reference import TrainingReference
from steps.errors import UserError

if TYPE_CHECKING:
    import keras

REQUIREMENTS: Final = ("onnx>=1.20,<2", "onnxruntime>=1.23,<2", "tf2onnx>=1.17,<2")
# tf2onnx's and Keras's own default: most of what runs ONNX knows it.
OPSET: Final = 15
INPUT: Final = "trial"
TOLERANCE: Final = 1e-5
_PROVIDERS = ["CPUExecutionProvider"]
_TRIALS = 64


class NotAnOnnxFileError(ValueError):
    """A network that cannot be written as ONNX; the message is one line."""


def check_installed() -> None:
    """Refuse to begin without what it takes.

    Raises:
        UserError: a package is not installed.
    """
    names = [text.partition(">")[0] for text in REQUIREMENTS]
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        wanted = " ".join(f"'{text}'" for text in REQUIREMENTS)
        raise UserError(
            f"export needs {', '.join(missing)}, which is not installed: pip install {wanted} and run with "
            "--env-manager local"
        )


def as_onnx(network: keras.Model, metadata: Mapping[str, str], description: str = "") -> bytes:
    """A network as the content of an ONNX file.

    Its input is ``trial``, ``(trials, timesteps, features)`` in float32, one trial or more; its outputs are
    ``probability``, ``(trials, 1)``, and, of a network with a labelling, ``label`` (`networks.label_output`).

    Args:
        network: from `steps.core.models.networks.build` or a file of one.
        metadata: kept in the file as it is, texts by their names.
        description: of the model, for people.

    Raises:
        NotAnOnnxFileError: it does something that has no counterpart in ONNX.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    whole = _all_outputs(network)
    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name=INPUT)]
    function = tf.function(lambda trial: whole(trial, training=False), input_signature=signature, autograph=False)
    try:
        with _silent():
            model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
        _refuse_unknown(model.graph)
        _tidy(model, network.name, list(whole.output))
        model.doc_string = description
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
    except NotAnOnnxFileError:
        raise
    except Exception as error:  # tf2onnx, protobuf and the checker have many
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise NotAnOnnxFileError(f"it cannot be converted: {reason}") from error


def largest_difference(content: bytes, network: keras.Model, trials: Floats) -> float:
    """How much the outputs of an ONNX file and of its network differ; of outputs above 1, relative to these.

    Args:
        content: of the file.
        network: that it was made of.
        trials: to compare them for, shape ``(trials, timesteps, features)``; the first one also by itself.

    Returns:
        The largest difference; NaN where one of them gives no number.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=_PROVIDERS)
    whole = _all_outputs(network)
    largest = 0.0
    for some in (trials, trials[:1]):
        expected = whole(some, training=False)
        for name, found in zip(expected, session.run(list(expected), {INPUT: some}), strict=True):
            wanted = np.asarray(expected[name], dtype=np.float64)
            differences = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
            largest = float(np.maximum(largest, differences.max()))  # which keeps a NaN
    return largest


def trials_to_compare(trained: TrainingReference, seed: int = 0) -> Floats:
    """Trials as the training had them: their mean, this plus and less their standard deviation, and random ones.

    Returns:
        Shape ``(trials, timesteps, features)``.
    """
    mean, sd = np.asarray(trained.mean), np.asarray(trained.sd)
    drawn = np.random.default_rng(seed).normal(size=(_TRIALS, *trained.shape))
    return np.concatenate([[mean, mean + sd, mean - sd], mean + sd * drawn]).astype(np.float32)


def _all_outputs(network: keras.Model) -> keras.Model:
    """The network with all that it says of a trial, by name."""
    import keras

    from steps.core.models.networks import LABEL, OUTPUT

    outputs = {OUTPUT: network.output}
    if any(layer.name == LABEL for layer in network.layers):
        outputs[LABEL] = network.get_layer(LABEL).output
    return keras.Model(network.input, outputs, name=network.name)


def _refuse_unknown(graph: Any) -> None:
    """What tf2onnx knows no counterpart of it leaves as it is, and goes on."""
    from onnx import defs

    unknown = {node.op_type for node in graph.node if not defs.has(node.op_type, node.domain)}
    if unknown:
        raise NotAnOnnxFileError(
            f"its operation {', '.join(sorted(unknown))} (TensorFlow's name) has no counterpart in ONNX"
        )


def _tidy(model: Any, name: str, outputs: list[str]) -> None:
    """Leave nothing of this process in the file: names that are counted up, and operators that nobody uses."""
    graph = model.graph
    graph.name, graph.doc_string = name, ""
    del graph.value_info[:]  # follows from the rest
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "trials"
    order = {output: place for place, output in enumerate(outputs)}
    ordered = sorted(graph.output, key=lambda value: order[value.name])
    del graph.output[:]
    graph.output.extend(ordered)
    used = {node.domain for node in graph.node}
    kept = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


@contextmanager
def _silent() -> Iterator[None]:
    """Without tf2onnx's log: what it cannot do is said in one line instead."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
