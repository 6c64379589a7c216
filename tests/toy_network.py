"""A network of all that is awkward to save and attribute: attention, shared layers, a nested model, arithmetic."""

from __future__ import annotations

from keras import Input, KerasTensor, Model, layers, ops

from steps.core.models.table import MODELS, OF_GRADIENT_DESCENT, ModelRow, named


def toy(x: KerasTensor) -> KerasTensor:
    """From standardised trials to the last hidden layer; no layer has a name."""
    shared = layers.Dense(8, activation="tanh")
    forwards, backwards = shared(x), shared(x[:, ::-1] * 0.5)
    attended = layers.MultiHeadAttention(2, 4)(forwards, backwards)
    mixed = (forwards + attended) / 2.0 - 0.1 * layers.Attention()([backwards, forwards])
    inner = Input((8,))
    nested = Model(inner, layers.Dropout(0.2)(layers.Dense(6, activation="softplus")(inner)))
    return nested(layers.GlobalAveragePooling1D()(mixed)) * 2 + nested(ops.max(mixed, axis=1))


ROW = ModelRow(
    description="attention, shared layers, a nested model and arithmetic",
    layers="tests.toy_network:toy",
    feature_maps=40,
    search=OF_GRADIENT_DESCENT,
    shortest_trial=2,
)


def architectures(shape: tuple[int, int]) -> dict[str, str]:
    """The architecture of every network, the toy among them."""
    from steps.core.models import networks

    rows = {**MODELS, "toy": ROW}
    return {
        name: networks.architecture(networks.assemble(name, named(row.layers), *shape, seed=1))
        for name, row in rows.items()
    }
